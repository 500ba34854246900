//! The shard map: who holds what, at one moment.

use serde::{Deserialize, Serialize};

use crate::{
    GroupLayout, Layout, NodeLayout, Slot, SlotSet,
    codes::{MAX_SHARD_BITS, shard_of},
    stored::StoredMap,
};

/// A run of slots: its number among the `2^shard_bits` shards of its map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(pub u16);

/// A node's place in [`ShardMap::nodes`]; it means nothing to another map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u16);

/// How far a node is with a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OwnerState {
    /// It holds the whole shard: it is read and written.
    Readable,
    /// It is being given the shard: whoever moves the shard writes it, nobody reads it.
    Filling,
    /// It has just given the shard away: nobody chooses it any more, but it is written as long as there are reads that did.
    Parting,
    /// It gave the shard away: neither read nor written, its copy waits to be deleted.
    Draining,
}

/// A node that holds, or partly holds, a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The node.
    pub node: NodeId,
    /// How far it is.
    pub state: OwnerState,
}

/// A node that the map knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its share within its group.
    pub weight: u32,
    /// The place of its group in [`ShardMap::groups`].
    pub group: u16,
}

/// A group: one full copy of everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// How many of its nodes should hold each shard.
    pub replicas: u8,
    /// For every shard, who holds it.
    pub(crate) owners: Vec<Vec<Owner>>,
}

/// Which nodes hold which shards. Immutable: a change makes a new map with a higher epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredMap", into = "StoredMap")]
pub struct ShardMap {
    pub(crate) epoch: u64,
    pub(crate) shard_bits: u32,
    pub(crate) code_bits: u32,
    pub(crate) nodes: Vec<Node>,
    pub(crate) groups: Vec<Group>,
}

// === impl OwnerState ===

impl OwnerState {
    /// Whether searches may use this copy.
    pub fn is_read(self) -> bool {
        self == Self::Readable
    }

    /// Whether writes of the log go to this copy.
    pub fn is_written(self) -> bool {
        matches!(self, Self::Readable | Self::Parting)
    }
}

// === impl Group ===

impl Group {
    /// Who holds a shard, in whatever state.
    pub fn owners(&self, shard: ShardId) -> &[Owner] {
        self.owners.get(usize::from(shard.0)).map_or(&[], Vec::as_slice)
    }
}

// === impl ShardMap ===

impl ShardMap {
    /// Counts the changes: of two maps the one with the higher epoch is the newer.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// There are `2^shard_bits` shards.
    pub fn shard_bits(&self) -> u32 {
        self.shard_bits
    }

    /// The level of the shard codes that documents carry. It is set for good when the first map is placed.
    pub fn code_bits(&self) -> u32 {
        self.code_bits
    }

    /// All shards in order.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..1u16 << self.shard_bits).map(ShardId)
    }

    /// All nodes; a [`NodeId`] is a place in this list.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node with this id.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(usize::from(id.0))
    }

    /// The node with this name.
    pub fn node_id(&self, name: &str) -> Option<NodeId> {
        let place = self.nodes.iter().position(|node| node.name == name)?;
        Some(NodeId(place as u16))
    }

    /// All groups.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The shard of a slot.
    pub fn shard_of(&self, slot: Slot) -> ShardId {
        ShardId(shard_of(slot, self.shard_bits))
    }

    /// The slots of a shard.
    pub fn slots_of(&self, shard: ShardId) -> impl Iterator<Item = Slot> + use<> {
        let width = u32::from(1u16 << (MAX_SHARD_BITS - self.shard_bits));
        let start = u32::from(shard.0) * width;
        (start..start + width).filter_map(|index| Slot::new(u16::try_from(index).ok()?))
    }

    /// Everyone who holds a slot, over all groups, in whatever state.
    pub fn owners(&self, slot: Slot) -> impl Iterator<Item = Owner> + '_ {
        self.shard_owners(self.shard_of(slot))
    }

    /// Everyone who holds a shard, over all groups, in whatever state.
    pub fn shard_owners(&self, shard: ShardId) -> impl Iterator<Item = Owner> + '_ {
        self.groups.iter().flat_map(move |group| group.owners(shard).iter().copied())
    }

    /// The slots whose writes go to a node.
    pub fn written_slots(&self, node: NodeId) -> SlotSet {
        self.shards_of(node)
            .filter(|(_, state)| state.is_written())
            .flat_map(|(shard, _)| self.slots_of(shard))
            .collect()
    }

    /// The shards that a node holds, in whatever state.
    pub fn shards_of(&self, node: NodeId) -> impl Iterator<Item = (ShardId, OwnerState)> + '_ {
        self.shards().filter_map(move |shard| {
            let owner = self.shard_owners(shard).find(|owner| owner.node == node)?;
            Some((shard, owner.state))
        })
    }

    /// The map in which a node holds a shard in this state, or with `None` does not hold it any more. A node that the
    /// map does not know, or a shard out of range, changes nothing but the epoch.
    #[must_use]
    pub fn with_owner(&self, shard: ShardId, node: NodeId, state: Option<OwnerState>) -> Self {
        let mut map = self.clone();
        map.epoch += 1;
        let Some(group) = map.nodes.get(usize::from(node.0)).map(|node| usize::from(node.group)) else {
            return map;
        };
        let owners = map.groups.get_mut(group).and_then(|group| group.owners.get_mut(usize::from(shard.0)));
        let Some(owners) = owners else { return map };
        match (owners.iter().position(|owner| owner.node == node), state) {
            (Some(place), Some(state)) => owners[place].state = state,
            (Some(place), None) => drop(owners.remove(place)),
            (None, Some(state)) => owners.push(Owner { node, state }),
            (None, None) => {}
        }
        map
    }

    /// The map with every shard split in two, or `None` when shards are single slots already. Nothing moves, and no
    /// document is rewritten: documents keep their codes, which say the slot.
    #[must_use]
    pub fn split(&self) -> Option<Self> {
        if self.shard_bits >= MAX_SHARD_BITS {
            return None;
        }
        let mut map = self.clone();
        map.epoch += 1;
        map.shard_bits += 1;
        for group in &mut map.groups {
            group.owners = std::mem::take(&mut group.owners)
                .into_iter()
                .flat_map(|owners| [owners.clone(), owners])
                .collect();
        }
        Some(map)
    }

    /// The layout that the map is of.
    pub fn layout(&self) -> Layout {
        let nodes = |place: usize| {
            let members = self.nodes.iter().filter(move |node| usize::from(node.group) == place);
            members.map(|node| NodeLayout { name: node.name.clone(), weight: node.weight }).collect()
        };
        let groups = self.groups.iter().enumerate().map(|(place, group)| GroupLayout {
            name: group.name.clone(),
            replicas: group.replicas,
            nodes: nodes(place),
        });
        Layout { shard_bits: self.shard_bits, groups: groups.collect() }
    }

    /// The map that also knows the nodes and groups of `wanted`, which hold nothing yet: where the way from this map to that
    /// one starts. Weights and copies stay what they are.
    #[must_use]
    pub fn united(&self, wanted: &Self) -> Self {
        let mut map = self.clone();
        map.epoch += 1;
        for (place, group) in wanted.groups.iter().enumerate() {
            let own = map.groups.iter().position(|known| known.name == group.name).unwrap_or_else(|| {
                let owners = vec![Vec::new(); self.groups.first().map_or(0, |group| group.owners.len())];
                map.groups.push(Group { name: group.name.clone(), replicas: group.replicas, owners });
                map.groups.len() - 1
            });
            let members = wanted.nodes.iter().filter(|node| usize::from(node.group) == place);
            for node in members.filter(|node| map.node_id(&node.name).is_none()).cloned().collect::<Vec<_>>()
            {
                map.nodes.push(Node { group: own as u16, ..node });
            }
        }
        map
    }

    /// The map in which a node has another name: another one in its place.
    #[must_use]
    pub fn renamed(&self, node: NodeId, name: &str) -> Self {
        let mut map = self.clone();
        map.epoch += 1;
        if let Some(node) = map.nodes.get_mut(usize::from(node.0)) {
            name.clone_into(&mut node.name);
        }
        map
    }

    /// The map in which all copies that a node can be read for are being filled.
    #[must_use]
    pub fn refilling(&self, node: NodeId) -> Self {
        let mut map = self.clone();
        map.epoch += 1;
        let owners = map.groups.iter_mut().flat_map(|group| group.owners.iter_mut().flatten());
        for owner in owners.filter(|owner| owner.node == node && owner.state == OwnerState::Readable) {
            owner.state = OwnerState::Filling;
        }
        map
    }

    /// The same map with another epoch, for a plan's outcome that follows a newer map.
    #[must_use]
    pub fn with_epoch(mut self, epoch: u64) -> Self {
        self.epoch = epoch;
        self
    }
}

#[cfg(test)]
pub(crate) mod tests;
