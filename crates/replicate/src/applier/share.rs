//! What a node owns of an entry.

use std::sync::Arc;

use miroir_shard::{SlotSet, slots_filter};

use crate::topology::CurrentTopology;

/// What one entry's part for a node is.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    /// The slots whose documents are the node's.
    pub(crate) slots: Arc<SlotSet>,
    /// Whether the node may hold documents of other slots too, which the entry must leave alone: they are being brought,
    /// or wait to be removed.
    pub(crate) among_others: bool,
    /// The level of the shard codes.
    pub(crate) code_bits: u32,
}

/// Follows what a node owns. From the map comes what it is read for; what it is being given belongs to it from the entry on
/// at which it joined.
#[derive(Debug)]
pub(crate) struct Share {
    node: String,
    topology: CurrentTopology,
    of_map: Option<(u64, Owned)>,
    joined: Vec<(u32, Arc<SlotSet>)>,
}

// === impl Owned ===

impl Owned {
    /// The filter that leaves the documents of other slots alone; none where there are no such documents.
    pub(crate) fn filter(&self) -> Option<String> {
        self.among_others.then(|| slots_filter(&self.slots, self.code_bits))
    }
}

// === impl Share ===

impl Share {
    pub(crate) fn new(node: &str, topology: CurrentTopology) -> Self {
        Self { node: node.to_owned(), topology, of_map: None, joined: Vec::new() }
    }

    /// What the node owns of this entry.
    pub(crate) fn at(&mut self, uid: u32) -> Owned {
        let mut owned = self.of_map();
        let mut joined = self.joined.iter().filter(|(from, _)| *from <= uid).peekable();
        if joined.peek().is_some() {
            let more = joined.flat_map(|(_, slots)| slots.iter());
            owned.slots = Arc::new(owned.slots.iter().chain(more).collect());
        }
        owned
    }

    /// The slots belong to the node from this entry on.
    pub(crate) fn join(&mut self, from: u32, slots: Arc<SlotSet>) {
        self.joined.push((from, slots));
    }

    /// The slots do not belong to the node after all.
    pub(crate) fn part(&mut self, slots: &SlotSet) {
        self.joined.retain(|(_, joined)| !joined.iter().any(|slot| slots.contains(slot)));
    }

    /// The next entry after `uid` of which the node owns more: what goes out together must end before it.
    pub(crate) fn next_change(&self, uid: u32) -> u32 {
        self.joined.iter().map(|(from, _)| *from).filter(|from| *from > uid).min().unwrap_or(u32::MAX)
    }

    fn of_map(&mut self) -> Owned {
        let topology = self.topology.load();
        let map = &topology.map;
        if let Some((epoch, owned)) = &self.of_map
            && *epoch == map.epoch()
        {
            return owned.clone();
        }
        let id = map.node_id(&self.node);
        let slots = id.map(|id| map.written_slots(id)).unwrap_or_default();
        let among_others = id.is_none_or(|id| map.shards_of(id).any(|(_, state)| !state.is_written()));
        let owned = Owned { slots: Arc::new(slots), among_others, code_bits: map.code_bits() };
        // What has joined and is the node's by the map now is its for every entry.
        self.joined.retain(|(_, joined)| joined.iter().any(|slot| !owned.slots.contains(slot)));
        self.of_map = Some((map.epoch(), owned.clone()));
        owned
    }
}

#[cfg(test)]
mod tests {
    use miroir_shard::{OwnerState, ShardId};

    use super::*;
    use crate::{testing::topology, topology::Topology};

    #[test]
    fn what_a_node_is_given_is_its_own_from_where_it_joined() {
        let first = topology(&[2], 1);
        let (map, id) = (first.map.clone(), first.map.node_id("g0n1").expect("a node"));
        let fleet = first.fleet.clone();
        let shard = map.shards_of(map.node_id("g0n0").expect("a node")).next().expect("a shard").0;
        let slots: Arc<SlotSet> = Arc::new(map.slots_of(shard).collect());
        let own = map.written_slots(id).len();
        let current = CurrentTopology::new(first);
        let mut share = Share::new("g0n1", current.clone());
        assert!(share.at(3).filter().is_none());

        let filling = map.with_owner(shard, id, Some(OwnerState::Filling));
        current.replace(Topology { map: filling.clone(), fleet: fleet.clone() });
        let owned = share.at(3);
        assert_eq!(owned.slots.len(), own);
        assert!(owned.filter().is_some_and(|filter| filter.starts_with("_miroir.s IN")));

        share.join(5, slots.clone());
        assert_eq!((share.at(4).slots.len(), share.at(5).slots.len()), (own, own + slots.len()));
        assert_eq!((share.next_change(2), share.next_change(5)), (5, u32::MAX));

        let readable = filling.with_owner(shard, id, Some(OwnerState::Readable));
        current.replace(Topology { map: readable, fleet });
        assert_eq!(share.at(0).slots.len(), own + slots.len());
        assert!(share.joined.is_empty() && share.at(0).filter().is_none());
    }

    #[test]
    fn what_is_given_back_is_not_its_own() {
        let first = topology(&[2], 1);
        let slots: Arc<SlotSet> = Arc::new(first.map.slots_of(ShardId(0)).collect());
        let mut share = Share::new("g0n1", CurrentTopology::new(first));
        let own = share.at(9).slots.len();
        share.join(5, Arc::new(miroir_shard::Slot::all().collect()));
        share.part(&slots);
        assert_eq!(share.at(9).slots.len(), own);
    }
}
