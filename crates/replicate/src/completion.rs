//! When an entry is applied widely enough for its task to be finished.

use miroir_shard::{Group, Node, ShardId};

use crate::{progress::Progress, topology::Topology};

/// A node that is so many entries behind another one is catching up: tasks do not wait for it where they need not, and it
/// is not read before it has them.
const CATCHING_UP: u32 = 256;

/// What completion asks of a node.
struct Standing {
    /// How far it has come.
    applied: u32,
    /// Whether it answers, goes on applying, and is not far behind.
    up: bool,
}

/// The position up to which every entry is applied on every readable copy that is up, in every group that has such a copy
/// of every shard: whichever of them is lost next, reads go on. While there is no such group, nothing is finished that is not
/// applied on some copy of every shard in all groups.
pub(crate) fn applied_everywhere(topology: &Topology, progress: &Progress) -> u32 {
    let nodes = topology.map.nodes();
    let furthest = nodes.iter().map(|node| progress.applied(&node.name)).max().unwrap_or(0);
    let standing = |node: &Node| Standing {
        applied: progress.applied(&node.name),
        up: goes_along(topology, progress, &node.name, furthest),
    };
    let nodes: Vec<Standing> = nodes.iter().map(standing).collect();
    let shards: Vec<ShardId> = topology.map.shards().collect();
    let groups = topology.map.groups();
    let up = |copies: &[&Standing]| copies.iter().filter(|node| node.up).map(|node| node.applied).min();
    let some = |copies: &[&Standing]| copies.iter().map(|node| node.applied).max();
    let on_all_that_are_up = groups.iter().filter_map(|group| position(group, &shards, &nodes, up)).min();
    let on_some = || groups.iter().filter_map(|group| position(group, &shards, &nodes, some)).min();
    on_all_that_are_up.or_else(on_some).unwrap_or(0).min(progress.gated())
}

/// Whether a node answers, goes on applying, and is not far behind the furthest one: tasks wait for it then.
pub(crate) fn goes_along(topology: &Topology, progress: &Progress, node: &str, furthest: u32) -> bool {
    let answers = topology.fleet.get(node).is_some_and(|node| node.health().answers());
    answers && !progress.is_stuck(node) && furthest.saturating_sub(progress.applied(node)) <= CATCHING_UP
}

/// How far a group has come, by what `of_copies` says of the readable copies of each shard; `None` where that is nothing.
///
/// A node without a shard must have what concerns whole indexes, too, but it is asked in no search and not waited for.
fn position(
    group: &Group,
    shards: &[ShardId],
    nodes: &[Standing],
    of_copies: impl Fn(&[&Standing]) -> Option<u32>,
) -> Option<u32> {
    let mut copies = Vec::new();
    shards.iter().try_fold(u32::MAX, |least, shard| {
        let readable = group.owners(*shard).iter().filter(|owner| owner.state.is_read());
        copies.clear();
        copies.extend(readable.filter_map(|owner| nodes.get(usize::from(owner.node.0))));
        Some(least.min(of_copies(&copies)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::topology;

    /// Nodes `g0n0`, `g0n1`, ... at these positions, group by group.
    fn progress(groups: &[&[u32]]) -> std::sync::Arc<Progress> {
        let name = |group, node| format!("g{group}n{node}");
        let all = groups.iter().enumerate().flat_map(|(group, nodes)| {
            nodes.iter().enumerate().map(move |(node, position)| (name(group, node), *position))
        });
        Progress::new(all.collect(), 0, 0)
    }

    fn down(topology: &Topology, node: &str) {
        for _ in 0..2 {
            topology.fleet.get(node).expect("a node").health().failed();
        }
    }

    #[test]
    fn every_node_of_one_group_is_waited_for_even_when_down() {
        let topology = topology(&[3], 1);
        let progress = progress(&[&[5, 3, 9]]);
        assert_eq!(applied_everywhere(&topology, &progress), 3);
        down(&topology, "g0n1");
        assert_eq!(applied_everywhere(&topology, &progress), 3);
    }

    #[test]
    fn of_two_groups_the_slower_counts_while_it_is_up() {
        let topology = topology(&[2, 2], 1);
        let progress = progress(&[&[5, 7], &[2, 7]]);
        assert_eq!(applied_everywhere(&topology, &progress), 2);
        down(&topology, "g1n0");
        assert_eq!(applied_everywhere(&topology, &progress), 5);
    }

    #[test]
    fn with_no_group_up_all_are_waited_for() {
        let topology = topology(&[2, 2], 1);
        let progress = progress(&[&[5, 7], &[2, 7]]);
        down(&topology, "g1n1");
        down(&topology, "g0n1");
        assert_eq!(applied_everywhere(&topology, &progress), 2);
    }

    #[test]
    fn every_replica_that_is_up_is_waited_for() {
        let topology = topology(&[2], 2);
        let progress = progress(&[&[5, 3]]);
        assert_eq!(applied_everywhere(&topology, &progress), 3);
        down(&topology, "g0n1");
        assert_eq!(applied_everywhere(&topology, &progress), 5);
        down(&topology, "g0n0");
        assert_eq!(applied_everywhere(&topology, &progress), 5, "some copy has it");
    }

    #[test]
    fn a_node_that_catches_up_is_not_waited_for_while_another_copy_is_there() {
        let far = CATCHING_UP + 10;
        assert_eq!(applied_everywhere(&topology(&[2], 2), &progress(&[&[far, 3]])), far);
        assert_eq!(applied_everywhere(&topology(&[1, 1], 1), &progress(&[&[far], &[3]])), far);
        assert_eq!(applied_everywhere(&topology(&[2], 1), &progress(&[&[far, 3]])), 3, "nobody else has it");
    }

    #[test]
    fn a_node_that_answers_but_does_not_go_on_counts_as_down() {
        let topology = topology(&[1, 1], 1);
        let progress = progress(&[&[5], &[2]]);
        progress.set_stuck("g1n0", true);
        assert_eq!(applied_everywhere(&topology, &progress), 5);
    }

    #[test]
    fn a_node_without_shards_is_not_waited_for() {
        let mut layout = crate::testing::layout(&[2], 1);
        layout.groups[0].nodes[0].weight = 0;
        let topology = crate::testing::topology_of(&layout);
        assert_eq!(applied_everywhere(&topology, &progress(&[&[0, 4]])), 4);
    }
}
