use super::*;
use crate::{GroupLayout, Layout, NodeLayout};

/// `groups` groups `g0`, `g1`, … of nodes `g0-n0`, `g0-n1`, … that weigh the same.
pub(crate) fn layout(shard_bits: u32, groups: usize, nodes: usize, replicas: u8) -> Layout {
    let node = |group: usize, node: usize| NodeLayout { name: format!("g{group}-n{node}"), weight: 1 };
    let group = |group: usize| GroupLayout {
        name: format!("g{group}"),
        replicas,
        nodes: (0..nodes).map(|place| node(group, place)).collect(),
    };
    Layout { shard_bits, groups: (0..groups).map(group).collect() }
}

/// How many shards every node holds.
pub(crate) fn held(map: &ShardMap) -> Vec<usize> {
    (0..map.nodes().len()).map(|node| map.shards_of(NodeId(node as u16)).count()).collect()
}

#[test]
fn a_shard_is_a_run_of_slots() {
    for bits in [0, 1, 7, 8, 14] {
        let map = ShardMap::place(&layout(bits, 1, 2, 1)).expect("a map");
        let mut next = 0;
        for shard in map.shards() {
            for slot in map.slots_of(shard) {
                assert_eq!((slot.index(), map.shard_of(slot)), (next, shard));
                next += 1;
            }
        }
        assert_eq!(next, crate::SLOTS);
    }
}

#[test]
fn writes_reach_every_copy_that_is_read() {
    let map = ShardMap::place(&layout(8, 2, 3, 1)).expect("a map");
    let sets: Vec<_> = (0..6).map(|node| map.written_slots(NodeId(node))).collect();
    for slot in Slot::all() {
        assert_eq!(sets[..3].iter().filter(|set| set.contains(slot)).count(), 1);
        assert_eq!(sets[3..].iter().filter(|set| set.contains(slot)).count(), 1);
    }
    let (shard, _) = map.shards_of(NodeId(0)).next().expect("a shard");
    let filling = map.with_owner(shard, NodeId(1), Some(OwnerState::Filling));
    assert_eq!(filling.written_slots(NodeId(1)).len(), sets[1].len());
    assert_eq!(filling.refilling(NodeId(1)).written_slots(NodeId(1)).len(), 0);
    let draining = filling.with_owner(shard, NodeId(0), Some(OwnerState::Draining));
    assert_eq!(draining.written_slots(NodeId(0)).len(), sets[0].len() - 64);
    assert_eq!(
        draining
            .with_owner(shard, NodeId(0), None)
            .owners(map.slots_of(shard).next().expect("a slot"))
            .count(),
        2
    );
    assert_eq!(draining.epoch(), 3);
}

#[test]
fn a_split_changes_no_owner_and_no_filter() {
    let map = ShardMap::place(&layout(8, 1, 3, 1)).expect("a map");
    let split = map.split().expect("a split");
    assert_eq!((split.shards().count(), split.code_bits(), split.epoch()), (512, 8, 2));
    for slot in Slot::all() {
        assert!(map.owners(slot).eq(split.owners(slot)));
    }
    assert_eq!(split.filter(NodeId(0), &[ShardId(2), ShardId(3)]), map.filter(NodeId(0), &[ShardId(1)]));
    assert_eq!(split.filter(NodeId(0), &[ShardId(2)]).matches('"').count(), 64);
    let finest = (8..14).try_fold(map, |map, _| map.split());
    assert_eq!(finest.and_then(|map| map.split()), None);
}

#[test]
fn an_unknown_node_or_shard_changes_nothing() {
    let map = ShardMap::place(&layout(2, 1, 2, 1)).expect("a map");
    let same = map.with_owner(ShardId(0), NodeId(9), Some(OwnerState::Readable));
    assert_eq!(same.clone().with_epoch(1), map);
    assert_eq!(map.with_owner(ShardId(99), NodeId(0), None).with_epoch(1), map);
    assert_eq!(map.node_id("nobody"), None);
}

#[test]
fn who_joins_holds_nothing_yet_and_who_is_there_stays() {
    let map = ShardMap::place(&layout(4, 1, 2, 1)).expect("a map");
    let wanted = ShardMap::place(&layout(4, 2, 3, 1)).expect("a map");
    let united = map.united(&wanted);
    assert_eq!((united.epoch(), united.groups().len(), united.nodes().len()), (2, 2, 6));
    assert_eq!(&united.nodes()[..2], map.nodes());
    assert!(united.nodes()[2..].iter().all(|node| {
        let id = united.node_id(&node.name).expect("a node");
        united.shards_of(id).count() == 0
    }));
    assert!(united.shards().all(|shard| united.shard_owners(shard).eq(map.shard_owners(shard))));
    assert_eq!(crate::diff(&united, &wanted), crate::diff(&map, &wanted));
}

#[test]
fn a_layout_is_read_back_from_its_map() {
    let layout = layout(4, 2, 3, 2);
    assert_eq!(ShardMap::place(&layout).expect("a map").layout(), layout);
}
