//! The first placement of shards: weighted rendezvous hashing.

use std::cmp::Ordering;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{
    Group, Layout, LayoutError, Node, NodeId, Owner, OwnerState, ShardMap,
    layout::{GroupLayout, NodeLayout},
};

impl ShardMap {
    /// Places shards on an empty fleet: in every group the `replicas` nodes that score highest for a shard hold it. The
    /// result follows from names and weights alone.
    pub fn place(layout: &Layout) -> Result<Self, LayoutError> {
        layout.check()?;
        let mut nodes = Vec::new();
        let mut groups = Vec::new();
        for (place, group) in layout.groups.iter().enumerate() {
            let first = nodes.len() as u16;
            nodes.extend(group.nodes.iter().map(|node| node_of(node, place as u16)));
            let owners = (0..layout.shards()).map(|shard| top(group, first, shard)).collect();
            groups.push(Group { name: group.name.clone(), replicas: group.replicas, owners });
        }
        Ok(Self { epoch: 1, shard_bits: layout.shard_bits, code_bits: layout.shard_bits, nodes, groups })
    }
}

pub(crate) fn node_of(node: &NodeLayout, group: u16) -> Node {
    Node { name: node.name.clone(), weight: node.weight, group }
}

/// The best nodes of a group for a shard; `first` is the id of the group's first node.
pub(crate) fn top(group: &GroupLayout, first: u16, shard: u16) -> Vec<Owner> {
    let mut ranked: Vec<_> = (first..)
        .zip(&group.nodes)
        .filter(|(_, node)| node.weight > 0)
        .map(|(id, node)| (score(&node.name, node.weight, shard), id, node))
        .collect();
    ranked.sort_by(|(a, _, a_node), (b, _, b_node)| {
        descending(*a, *b).then_with(|| a_node.name.cmp(&b_node.name))
    });
    ranked
        .into_iter()
        .take(usize::from(group.replicas))
        .map(|(_, id, _)| Owner { node: NodeId(id), state: OwnerState::Readable })
        .collect()
}

/// How much a node wants a shard: `weight / -ln(u)` with `u` evenly spread over ]0, 1[, so that each node wins a share
/// of the shards that is in proportion to its weight, whoever else is there.
pub(crate) fn score(name: &str, weight: u32, shard: u16) -> f64 {
    let hash = xxh3_64_with_seed(name.as_bytes(), u64::from(shard) + 1);
    let u = ((hash >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    f64::from(weight) / -u.ln()
}

fn descending(a: f64, b: f64) -> Ordering {
    b.total_cmp(&a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests::{held, layout};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_slot_has_exactly_its_replicas_in_every_group(
            nodes in 1usize..8, groups in 1usize..4, replicas in 1u8..4, bits in 0u32..10,
        ) {
            let layout = layout(bits, groups, nodes, replicas.min(nodes as u8));
            let map = ShardMap::place(&layout).expect("a map");
            for slot in crate::Slot::all().step_by(17) {
                for group in map.groups() {
                    let mut owners: Vec<_> = group.owners(map.shard_of(slot)).to_vec();
                    owners.dedup();
                    prop_assert_eq!(owners.len(), usize::from(group.replicas));
                }
            }
        }

        #[test]
        fn a_new_node_only_takes(nodes in 1usize..8, bits in 4u32..9) {
            let before = ShardMap::place(&layout(bits, 1, nodes, 1)).expect("a map");
            let after = ShardMap::place(&layout(bits, 1, nodes + 1, 1)).expect("a map");
            for shard in before.shards() {
                let (old, new) = (before.groups[0].owners(shard)[0], after.groups[0].owners(shard)[0]);
                prop_assert!(old == new || usize::from(new.node.0) == nodes);
            }
        }
    }

    #[test]
    fn weights_set_the_shares() {
        let mut layout = layout(12, 1, 3, 1);
        layout.groups[0].nodes[2].weight = 2;
        layout.groups[0].nodes[0].weight = 0;
        let map = ShardMap::place(&layout).expect("a map");
        let shares: Vec<_> = held(&map).into_iter().map(|held| held as f64 / 4096.0).collect();
        assert_eq!(shares[0], 0.0);
        assert!((shares[1] - 1.0 / 3.0).abs() < 0.03 && (shares[2] - 2.0 / 3.0).abs() < 0.03, "{shares:?}");
    }

    #[test]
    fn placement_of_known_names_never_changes() {
        let map = ShardMap::place(&layout(4, 1, 3, 1)).expect("a map");
        let owners: Vec<_> = map.shards().map(|shard| map.groups[0].owners(shard)[0].node.0).collect();
        assert_eq!(owners, [0, 2, 0, 0, 0, 2, 2, 0, 2, 0, 2, 1, 1, 1, 0, 1]);
    }

    #[test]
    fn impossible_layouts_are_refused() {
        let mut twice = layout(4, 2, 2, 1);
        twice.groups[1].nodes[0].name = twice.groups[0].nodes[0].name.clone();
        assert!(matches!(ShardMap::place(&twice), Err(LayoutError::DuplicateNode(_))));
        assert!(matches!(ShardMap::place(&layout(15, 1, 1, 1)), Err(LayoutError::TooManyShards(15))));
        assert!(matches!(ShardMap::place(&layout(4, 0, 1, 1)), Err(LayoutError::NoGroup)));
        assert!(matches!(ShardMap::place(&layout(4, 1, 2, 3)), Err(LayoutError::NotEnoughNodes { .. })));
        assert!(matches!(ShardMap::place(&layout(4, 1, 2, 0)), Err(LayoutError::NotEnoughNodes { .. })));
    }
}
