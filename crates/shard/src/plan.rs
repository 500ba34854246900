//! The steps from one map to another.

use crate::{NodeId, Owner, ShardId, ShardMap};

/// One shard that changes hands within one group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Move {
    /// The shard, in the numbering of the map with more shards.
    pub shard: ShardId,
    /// The group's name.
    pub group: String,
    /// Who gives it up; `None` for one copy more.
    pub from: Option<String>,
    /// Who gets it; `None` for one copy less.
    pub to: Option<String>,
}

/// What has to move so that `current` becomes `wanted`: nothing that is in place already, and every copy at most once.
/// Where the maps differ in the number of shards, the coarser one counts as split. States other than readable do not
/// count: a move that was under way shows up again.
pub fn diff(current: &ShardMap, wanted: &ShardMap) -> Vec<Move> {
    let bits = current.shard_bits.max(wanted.shard_bits);
    let mut names: Vec<&str> =
        current.groups.iter().chain(&wanted.groups).map(|group| group.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut moves = Vec::new();
    for shard in (0..1u16 << bits).map(ShardId) {
        for name in &names {
            let had = holders(current, name, shard, bits);
            let gets = holders(wanted, name, shard, bits);
            let mut from = had.iter().filter(|node| !gets.contains(node));
            let mut to = gets.iter().filter(|node| !had.contains(node));
            loop {
                let (from, to) = (from.next(), to.next());
                if from.is_none() && to.is_none() {
                    break;
                }
                let owned = |node: Option<&&str>| node.map(|node| (*node).to_owned());
                moves.push(Move { shard, group: (*name).to_owned(), from: owned(from), to: owned(to) });
            }
        }
    }
    moves
}

/// The names of the nodes of a group that hold the whole shard, which is numbered for a map of `bits`.
fn holders<'a>(map: &'a ShardMap, group: &str, shard: ShardId, bits: u32) -> Vec<&'a str> {
    let own = ShardId(shard.0 >> (bits - map.shard_bits));
    let owners =
        map.groups.iter().find(|found| found.name == group).map_or(&[][..], |group| group.owners(own));
    let name =
        |Owner { node: NodeId(place), .. }: &Owner| Some(map.nodes.get(usize::from(*place))?.name.as_str());
    owners.iter().filter(|owner| owner.state.is_read()).filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests::layout;

    #[test]
    fn equal_maps_need_nothing() {
        let map = ShardMap::place(&layout(6, 2, 3, 2)).expect("a map");
        assert_eq!(diff(&map, &map), []);
        assert_eq!(diff(&map, &map.split().expect("a split")), []);
    }

    #[test]
    fn a_new_group_is_filled_and_a_lost_one_dropped() {
        let one = ShardMap::place(&layout(4, 1, 2, 1)).expect("a map");
        let two = ShardMap::place(&layout(4, 2, 2, 1)).expect("a map");
        let added = diff(&one, &two);
        assert_eq!(added.len(), 16);
        assert!(added.iter().all(|step| step.from.is_none() && step.to.is_some() && step.group == "g1"));
        let dropped = diff(&two, &one);
        assert!(dropped.iter().all(|step| step.from.is_some() && step.to.is_none()));
    }

    #[test]
    fn a_change_of_hands_is_one_move() {
        let current = ShardMap::place(&layout(4, 1, 2, 1)).expect("a map");
        let wanted = ShardMap::place(&layout(4, 1, 3, 1)).expect("a map");
        let moves = diff(&current, &wanted);
        assert!(!moves.is_empty());
        assert!(moves.iter().all(|step| step.from.is_some() && step.to.as_deref() == Some("g0-n2")));
    }
}
