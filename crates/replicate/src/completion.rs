//! When an entry is applied widely enough for its task to be finished.

use crate::{progress::Progress, topology::Topology};

/// The position up to which every entry is applied on at least one readable copy of every shard, in every group that is
/// up. While no group is up nothing is finished: the least of all nodes counts.
pub(crate) fn applied_everywhere(topology: &Topology, progress: &Progress) -> u32 {
    let positions = |group: u16| group_position(topology, progress, group);
    let groups = 0..u16::try_from(topology.map.groups().len()).unwrap_or(u16::MAX);
    let up: Vec<u16> = groups.clone().filter(|group| is_up(topology, *group)).collect();
    match up.as_slice() {
        [] => groups.map(positions).min().unwrap_or(0),
        up => up.iter().copied().map(positions).min().unwrap_or(0),
    }
}

/// Every shard has a readable copy on a node that answers.
fn is_up(topology: &Topology, group: u16) -> bool {
    let Some(group) = topology.map.groups().get(usize::from(group)) else { return false };
    topology.map.shards().all(|shard| {
        group.owners(shard).iter().filter(|owner| owner.state.is_read()).any(|owner| {
            let node = topology.map.node(owner.node).and_then(|node| topology.fleet.get(&node.name));
            node.is_some_and(|node| node.health().is_up())
        })
    })
}

fn group_position(topology: &Topology, progress: &Progress, group: u16) -> u32 {
    let Some(group) = topology.map.groups().get(usize::from(group)) else { return 0 };
    let applied: Vec<u32> =
        topology.map.nodes().iter().map(|node| progress.applied(&node.name)).collect();
    let of_shard = |shard| {
        let readable = group.owners(shard).iter().filter(|owner| owner.state.is_read());
        readable.filter_map(|owner| applied.get(usize::from(owner.node.0))).copied().max().unwrap_or(0)
    };
    // A node without a shard must still have what concerns whole indexes; it is asked in no search, so it is not waited for.
    topology.map.shards().map(of_shard).min().unwrap_or(0)
}
