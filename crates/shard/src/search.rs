//! Which nodes a search asks, and for what.

use std::slice;

use crate::{
    Group, NodeId, Owner, ShardId, ShardMap, SlotSet, codes::MAX_SHARD_BITS, filter::cheaper_filter,
};

/// One node to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The node.
    pub node: NodeId,
    /// `None`: the node holds exactly what is wanted of it, so that no filter is needed. Otherwise the shards to
    /// filter for with [`ShardMap::filter`].
    pub shards: Option<Vec<ShardId>>,
}

/// The nodes that together answer a search, each shard exactly once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchPlan {
    /// The nodes to ask, in the order of their ids.
    pub asks: Vec<Ask>,
    /// The shards of which no copy can be read.
    pub missing: Vec<ShardId>,
}

impl ShardMap {
    /// Plans a search over everything. `cost` says how dear asking a node is, lower is better, and `None` that it cannot
    /// be asked.
    ///
    /// One group that covers every shard answers alone, the one whose dearest node is the cheapest. If none does, every
    /// shard comes from the cheapest copy anywhere.
    pub fn nodes_for_search(&self, cost: impl Fn(NodeId) -> Option<u32>) -> SearchPlan {
        // Asked once a node, not once a shard.
        let costs: Vec<Option<u32>> = (0..self.nodes.len()).map(|node| cost(NodeId(node as u16))).collect();
        let cost = |node: NodeId| costs.get(usize::from(node.0)).copied().flatten();
        let of_owner = |owner: &Owner| cost(owner.node);
        let whole = self.groups.iter().filter_map(|group| {
            let sole = self.sole_owners(group);
            let dearest = match &sole {
                Some(nodes) => nodes.iter().try_fold(0, |dearest, node| Some(cost(*node)?.max(dearest))),
                None => self.group_cost(group, of_owner),
            };
            Some((dearest?, group, sole))
        });
        match whole.min_by_key(|(dearest, ..)| *dearest) {
            Some((.., Some(nodes))) => {
                let asks = nodes.into_iter().map(|node| Ask { node, shards: None });
                SearchPlan { asks: asks.collect(), missing: Vec::new() }
            }
            Some((_, group, None)) => self.plan(slice::from_ref(group), self.shards(), of_owner),
            None => self.plan(&self.groups, self.shards(), of_owner),
        }
    }

    /// Plans a read of these shards alone, each from its cheapest copy anywhere: what stands in for a part of a search.
    pub fn nodes_for_shards(&self, shards: &[ShardId], cost: impl Fn(NodeId) -> Option<u32>) -> SearchPlan {
        self.plan(&self.groups, shards.iter().copied(), |owner| cost(owner.node))
    }

    /// The filter by which a node that holds what this map says gives the documents of these of its shards, and no others.
    pub fn filter(&self, node: NodeId, shards: &[ShardId]) -> String {
        let wanted = self.slots_in(shards.iter().copied());
        let others = self.shards_of(node).map(|(shard, _)| shard).filter(|shard| !shards.contains(shard));
        cheaper_filter(&wanted, &self.slots_in(others), self.code_bits)
    }

    fn slots_in(&self, shards: impl Iterator<Item = ShardId>) -> SlotSet {
        let width = 1 << (MAX_SHARD_BITS - self.shard_bits);
        let mut slots = SlotSet::new();
        shards.for_each(|shard| slots.insert_all(shard.0 * width..(shard.0 + 1) * width));
        slots
    }

    /// The nodes of a group in which each shard is held by one node alone, and can be read there: a group without copies
    /// of its own, at rest. There is nothing to choose then.
    fn sole_owners(&self, group: &Group) -> Option<Vec<NodeId>> {
        let mut holds = vec![false; self.nodes.len()];
        for owners in &group.owners {
            let [owner] = owners[..] else { return None };
            *holds.get_mut(usize::from(owner.node.0)).filter(|_| owner.state.is_read())? = true;
        }
        let nodes = holds.into_iter().enumerate().filter(|(_, holds)| *holds);
        Some(nodes.map(|(node, _)| NodeId(node as u16)).collect())
    }

    /// What the dearest of the needed nodes costs, unless a shard cannot be read in this group.
    fn group_cost(&self, group: &Group, cost: impl Fn(&Owner) -> Option<u32>) -> Option<u32> {
        self.shards().try_fold(0, |dearest, shard| {
            let cheapest = readable(group.owners(shard)).filter_map(&cost).min()?;
            Some(cheapest.max(dearest))
        })
    }

    fn plan(
        &self,
        groups: &[Group],
        shards: impl Iterator<Item = ShardId>,
        cost: impl Fn(&Owner) -> Option<u32>,
    ) -> SearchPlan {
        let mut wanted: Vec<Vec<ShardId>> = vec![Vec::new(); self.nodes.len()];
        let mut missing = Vec::new();
        // Shards that documents carry one code of: asked of one node, they need one code in its filter, and else one a slot.
        let finer = self.shard_bits.saturating_sub(self.code_bits);
        let mut before = None;
        for shard in shards {
            let code = shard.0 >> finer;
            let other = |node: NodeId| before != Some((code, node));
            // Else equal copies share the work.
            let load = |node: NodeId| wanted.get(usize::from(node.0)).map_or(0, Vec::len);
            let owners = groups.iter().flat_map(|group| readable(group.owners(shard)));
            let rank = |owner: &Owner| Some((cost(owner)?, other(owner.node), load(owner.node), owner.node));
            let best = owners.filter_map(rank).min().map(|(.., node)| node);
            before = best.map(|node| (code, node));
            match best.and_then(|node| wanted.get_mut(usize::from(node.0))) {
                Some(shards) => shards.push(shard),
                None => missing.push(shard),
            }
        }
        let held = self.held();
        let asked = wanted.into_iter().zip(&held).enumerate().filter(|(_, (shards, _))| !shards.is_empty());
        let asks = asked.map(|(node, (shards, held))| Ask {
            node: NodeId(node as u16),
            shards: (*held != shards.len()).then_some(shards),
        });
        SearchPlan { asks: asks.collect(), missing }
    }

    /// How many shards every node has documents of.
    fn held(&self) -> Vec<usize> {
        let mut held = vec![0; self.nodes.len()];
        for owner in self.groups.iter().flat_map(|group| group.owners.iter().flatten()) {
            if let Some(count) = held.get_mut(usize::from(owner.node.0)) {
                *count += 1;
            }
        }
        held
    }
}

fn readable(owners: &[Owner]) -> impl Iterator<Item = &Owner> {
    owners.iter().filter(|owner| owner.state.is_read())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OwnerState, map::tests::layout};

    fn map(groups: usize, nodes: usize, replicas: u8) -> ShardMap {
        ShardMap::place(&layout(6, groups, nodes, replicas)).expect("a map")
    }

    /// Every shard is asked for once, of a node that may be read.
    fn assert_exact(map: &ShardMap, plan: &SearchPlan) {
        let mut asked = vec![0; 64];
        for ask in &plan.asks {
            let held: Vec<_> = map.shards_of(ask.node).collect();
            let shards = ask.shards.clone().unwrap_or_else(|| held.iter().map(|(shard, _)| *shard).collect());
            for shard in shards {
                assert!(held.contains(&(shard, OwnerState::Readable)));
                asked[usize::from(shard.0)] += 1;
            }
        }
        for shard in map.shards() {
            let missing = plan.missing.contains(&shard);
            assert_eq!(asked[usize::from(shard.0)], u32::from(!missing), "{shard:?}");
        }
    }

    #[test]
    fn one_group_answers_without_a_filter() {
        let map = map(2, 3, 1);
        let plan = map.nodes_for_search(|node| Some(if node.0 < 3 { 2 } else { 1 }));
        assert_exact(&map, &plan);
        assert_eq!(plan.asks.iter().map(|ask| ask.node.0).collect::<Vec<_>>(), [3, 4, 5]);
        assert!(plan.asks.iter().all(|ask| ask.shards.is_none()));
    }

    #[test]
    fn a_group_at_rest_is_planned_as_any_other() {
        let map = map(2, 3, 1);
        let cost = |node: NodeId| (node.0 != 1).then_some(u32::from(node.0));
        let looked_through = map.plan(&map.groups[1..], map.shards(), |owner| cost(owner.node));
        assert_eq!(map.nodes_for_search(cost), looked_through);
        let moving = map.with_owner(ShardId(0), NodeId(3), Some(OwnerState::Filling));
        assert_eq!(map.sole_owners(&map.groups[1]), Some(vec![NodeId(3), NodeId(4), NodeId(5)]));
        assert_eq!(moving.sole_owners(&moving.groups[1]), None);
    }

    #[test]
    fn another_group_steps_in_whole() {
        let map = map(2, 3, 1);
        let plan = map.nodes_for_search(|node| (node.0 != 1).then_some(node.0.into()));
        assert_exact(&map, &plan);
        assert!(plan.asks.iter().all(|ask| ask.node.0 >= 3 && ask.shards.is_none()));
    }

    #[test]
    fn two_broken_groups_complete_each_other() {
        let map = map(2, 3, 1);
        let plan = map.nodes_for_search(|node| (node.0 != 1 && node.0 != 4).then_some(0));
        assert_exact(&map, &plan);
        assert!(plan.asks.len() == 4 && plan.missing.len() < 64);
    }

    #[test]
    fn a_lost_copy_is_reported() {
        let map = map(1, 3, 1);
        let plan = map.nodes_for_search(|node| (node.0 != 1).then_some(0));
        assert_exact(&map, &plan);
        assert_eq!(plan.missing, map.shards_of(NodeId(1)).map(|(shard, _)| shard).collect::<Vec<_>>());
    }

    #[test]
    fn replicas_share_the_shards_and_stand_in_for_each_other() {
        let map = map(1, 3, 2);
        let all = map.nodes_for_search(|_| Some(0));
        assert_exact(&map, &all);
        assert!(all.asks.iter().all(|ask| ask.shards.as_ref().is_some_and(|shards| shards.len() > 12)));
        let without = map.nodes_for_search(|node| (node.0 != 1).then_some(0));
        assert_exact(&map, &without);
        assert!(without.missing.is_empty());
    }

    #[test]
    fn halves_of_a_shard_are_asked_of_one_node() {
        let map = map(1, 3, 2).split().expect("smaller shards");
        let plan = map.nodes_for_search(|_| Some(0));
        for (node, shards) in plan.asks.iter().filter_map(|ask| Some((ask.node, ask.shards.as_ref()?))) {
            assert!(shards.iter().all(|shard| shards.contains(&ShardId(shard.0 ^ 1))));
            assert_eq!(map.filter(node, shards).matches(", ").count() + 1, shards.len() / 2);
        }
    }

    #[test]
    fn others_stand_in_for_a_part() {
        let map = map(2, 3, 1);
        let lost: Vec<ShardId> = map.shards_of(NodeId(1)).map(|(shard, _)| shard).collect();
        let plan = map.nodes_for_shards(&lost, |node| (node.0 != 1).then_some(0));
        assert!(plan.missing.is_empty() && plan.asks.iter().all(|ask| ask.node.0 >= 3));
        let mut asked: Vec<ShardId> =
            plan.asks.iter().flat_map(|ask| ask.shards.clone().expect("some of them")).collect();
        asked.sort_unstable();
        assert_eq!(asked, lost);
    }

    #[test]
    fn a_moving_shard_is_read_where_it_is_whole() {
        let map = map(1, 2, 1);
        let (shard, _) = map.shards_of(NodeId(0)).next().expect("a shard");
        let filling = map.with_owner(shard, NodeId(1), Some(OwnerState::Filling));
        let plan = filling.nodes_for_search(|_| Some(0));
        assert_exact(&filling, &plan);
        assert!(plan.asks[0].shards.is_none() && plan.asks[1].shards.is_some());

        let swapped = filling.with_owner(shard, NodeId(1), Some(OwnerState::Readable)).with_owner(
            shard,
            NodeId(0),
            Some(OwnerState::Draining),
        );
        let plan = swapped.nodes_for_search(|_| Some(0));
        assert_exact(&swapped, &plan);
        assert!(plan.asks[0].shards.is_some() && plan.asks[1].shards.is_none());
    }
}
