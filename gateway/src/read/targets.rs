//! Which nodes a read asks.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash},
};

use miroir_nodes::Node;
use miroir_replicate::Topology;
use miroir_shard::{Ask, NodeId, SearchPlan, ShardId, ShardMap, Slot};

use crate::state::Gateway;

/// What a read is about.
#[derive(Clone, Debug)]
pub(crate) struct Scope<'a> {
    /// The indexes.
    pub indexes: Vec<&'a str>,
    /// The slots of all documents the read can find, where that is known.
    pub slots: Option<Vec<Slot>>,
    /// Reads of the same turn ask the same group while it can be asked, see [`turn`].
    pub turn: u64,
}

impl<'a> Scope<'a> {
    /// All documents of an index.
    pub(super) fn of_index(uid: &'a str) -> Self {
        Self { indexes: vec![uid], slots: None, turn: turn(uid) }
    }
}

/// The turn of everything that asks this: all pages of one list must come from the same copies, as copies may order
/// documents differently that rank the same and were rewritten since. Other lists go to other groups.
pub(crate) fn turn(asked: impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(asked)
}

/// The nodes that together hold every shard that is wanted and can be read, each shard once.
#[derive(Debug)]
pub(super) struct Targets {
    /// Who is asked.
    pub asked: Vec<Target>,
    /// The shards of which no copy can be read.
    pub missing: Vec<ShardId>,
}

/// One node of a read.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Its place in the map.
    pub id: NodeId,
    /// Its client.
    pub node: Node,
    /// The shards that are wanted of it; `None` for all it holds.
    pub shards: Option<Vec<ShardId>>,
    /// The filter that leaves of its documents what is wanted of it; none where that is all of them.
    pub filter: Option<String>,
}

impl Target {
    /// Whether the documents of a slot are wanted of this node.
    pub(super) fn has(&self, map: &ShardMap, slot: Slot) -> bool {
        let shard = map.shard_of(slot);
        match &self.shards {
            Some(shards) => shards.contains(&shard),
            None => map.shards_of(self.id).any(|(held, _)| held == shard),
        }
    }
}

impl Targets {
    /// Plans a read. A node behind the finished tasks of an index is not asked.
    pub(super) fn of(gateway: &Gateway, topology: &Topology, scope: &Scope<'_>) -> Self {
        let groups = u32::try_from(topology.map.groups().len()).unwrap_or(1).max(1);
        let turn = u32::try_from(scope.turn % u64::from(groups)).unwrap_or(0);
        let plan = topology.map.nodes_for_search(|id| {
            let group = u32::from(topology.map.node(id)?.group);
            Some(cost(gateway, topology, &scope.indexes, &[], id)? + (group + groups - turn) % groups)
        });
        Self::from_plan(topology, restricted(plan, &topology.map, scope))
    }

    /// Plans what stands in for a part of a read, without the nodes `tried`.
    pub(super) fn instead(
        gateway: &Gateway,
        topology: &Topology,
        scope: &Scope<'_>,
        part: &Target,
        tried: &[NodeId],
    ) -> Self {
        let map = &topology.map;
        let shards = scope.wanted(map, part.shards_in(map));
        let plan = map.nodes_for_shards(&shards, |id| cost(gateway, topology, &scope.indexes, tried, id));
        Self::from_plan(topology, plan)
    }

    fn from_plan(topology: &Topology, plan: SearchPlan) -> Self {
        let asked = plan.asks.iter().filter_map(|ask| target(topology, ask)).collect();
        Self { asked, missing: plan.missing }
    }

    /// The nodes that hold a document, the one to ask first in front.
    pub(super) fn of_document(gateway: &Gateway, topology: &Topology, index: &str, id: &str) -> Vec<Target> {
        let slot = Slot::of(id);
        let owners = topology.map.owners(slot).filter(|owner| owner.state.is_read());
        let mut targets: Vec<(u32, Target)> = owners
            .filter_map(|owner| {
                let cost = cost(gateway, topology, &[index], &[], owner.node)?;
                let ask = Ask { node: owner.node, shards: Some(vec![topology.map.shard_of(slot)]) };
                Some((cost, target(topology, &ask)?))
            })
            .collect();
        targets.sort_by_key(|(cost, _)| *cost);
        targets.into_iter().map(|(_, target)| target).collect()
    }
}

impl Target {
    /// The shards that are wanted of it, by their numbers.
    pub(super) fn shards_in(&self, map: &ShardMap) -> Vec<ShardId> {
        let held = || map.shards_of(self.id).map(|(shard, _)| shard).collect();
        self.shards.clone().unwrap_or_else(held)
    }
}

impl Scope<'_> {
    /// Those of the shards that the read is about.
    pub(super) fn wanted(&self, map: &ShardMap, mut shards: Vec<ShardId>) -> Vec<ShardId> {
        if let Some(slots) = &self.slots {
            let wanted: BTreeSet<ShardId> = slots.iter().map(|slot| map.shard_of(*slot)).collect();
            shards.retain(|shard| wanted.contains(shard));
        }
        shards
    }
}

fn cost(
    gateway: &Gateway,
    topology: &Topology,
    indexes: &[&str],
    failed: &[NodeId],
    id: NodeId,
) -> Option<u32> {
    if failed.contains(&id) {
        return None;
    }
    topology.read_cost(&gateway.progress, indexes, id)
}

fn target(topology: &Topology, ask: &Ask) -> Option<Target> {
    let node = topology.fleet.get(&topology.map.node(ask.node)?.name)?.clone();
    let filter = ask.shards.as_ref().map(|shards| topology.map.filter(ask.node, shards));
    Some(Target { id: ask.node, node, shards: ask.shards.clone(), filter })
}

/// The plan without the nodes that hold nothing of what the read is about. One is left where none does, for the answer
/// has to have its form, or the request its error.
fn restricted(plan: SearchPlan, map: &ShardMap, scope: &Scope<'_>) -> SearchPlan {
    let Some(slots) = &scope.slots else { return plan };
    let wanted: BTreeSet<ShardId> = slots.iter().map(|slot| map.shard_of(*slot)).collect();
    let SearchPlan { mut asks, mut missing } = plan;
    missing.retain(|shard| wanted.contains(shard));
    let has_wanted = |ask: &Ask| match &ask.shards {
        Some(shards) => shards.iter().any(|shard| wanted.contains(shard)),
        None => map.shards_of(ask.node).any(|(shard, _)| wanted.contains(&shard)),
    };
    if asks.iter().any(has_wanted) {
        asks.retain(has_wanted);
    } else {
        asks.truncate(usize::from(missing.is_empty()));
    }
    for shards in asks.iter_mut().filter_map(|ask| ask.shards.as_mut()) {
        shards.retain(|shard| wanted.contains(shard));
    }
    SearchPlan { asks, missing }
}

#[cfg(test)]
mod tests {
    use miroir_shard::{GroupLayout, Layout, NodeLayout};

    use super::*;

    fn map(groups: usize) -> ShardMap {
        let node = |group: usize, node: usize| NodeLayout { name: format!("{group}-{node}"), weight: 100 };
        let groups = (0..groups).map(|group| GroupLayout {
            name: group.to_string(),
            replicas: 1,
            nodes: (0..3).map(|number| node(group, number)).collect(),
        });
        ShardMap::place(&Layout { shard_bits: 6, groups: groups.collect() }).expect("a map")
    }

    fn scope(slots: &[Slot]) -> Scope<'static> {
        Scope { indexes: vec!["films"], slots: Some(slots.to_vec()), turn: 0 }
    }

    #[test]
    fn only_owners_of_the_documents_are_asked() {
        let map = map(1);
        let all = map.nodes_for_search(|_| Some(0));
        assert_eq!(
            restricted(all.clone(), &map, &Scope { indexes: vec!["films"], slots: None, turn: 0 }),
            all
        );
        let slot = Slot::of("7");
        let owner = map.owners(slot).next().expect("an owner").node;
        assert_eq!(
            restricted(all, &map, &scope(&[slot])),
            SearchPlan { asks: vec![Ask { node: owner, shards: None }], missing: vec![] }
        );
    }

    #[test]
    fn somebody_is_asked_for_nothing() {
        let map = map(1);
        assert_eq!(restricted(map.nodes_for_search(|_| Some(0)), &map, &scope(&[])).asks.len(), 1);
    }

    #[test]
    fn other_shards_may_be_missing() {
        let map = map(1);
        let slot = Slot::of("7");
        let owner = map.owners(slot).next().expect("an owner").node;
        let without = |lost: NodeId| map.nodes_for_search(|node| (node != lost).then_some(0));
        let other = map.shards().flat_map(|shard| map.shard_owners(shard)).find(|other| other.node != owner);
        let plan = restricted(without(other.expect("another node").node), &map, &scope(&[slot]));
        assert_eq!((plan.asks.len(), plan.missing), (1, vec![]));
        let plan = restricted(without(owner), &map, &scope(&[slot]));
        assert_eq!((plan.asks.len(), plan.missing), (0, vec![map.shard_of(slot)]));
    }

    #[test]
    fn filters_name_only_what_is_wanted() {
        let map = map(2);
        let mixed = map.nodes_for_search(|node| (node.0 != 1 && node.0 != 4).then_some(0));
        let wanted: Vec<Slot> = (0..40).map(|id| Slot::of(&id.to_string())).collect();
        let shards: BTreeSet<ShardId> = wanted.iter().map(|slot| map.shard_of(*slot)).collect();
        let plan = restricted(mixed, &map, &scope(&wanted));
        for ask in &plan.asks {
            assert!(ask.shards.iter().flatten().all(|shard| shards.contains(shard)));
        }
    }

    #[test]
    fn all_pages_of_a_list_have_one_turn_and_lists_have_several() {
        let of = |words: &str| turn(("films", Some(words)));
        assert_eq!(of("star"), of("star"));
        let groups: BTreeSet<u64> = (0..32).map(|number| of(&number.to_string()) % 2).collect();
        assert_eq!(groups.len(), 2);
    }
}
