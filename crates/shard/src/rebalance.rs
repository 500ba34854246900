//! From a map and a changed fleet to the map that is wanted, with the least movement.
//!
//! Rendezvous hashing alone moves the least *on average*: a new node gets its share give or take a tenth of it. Starting
//! from what is in place instead, every node ends within one shard of its share, and only what a node lacks moves.

use crate::{
    Group, Layout, LayoutError, NodeId, Owner, OwnerState, ShardMap,
    layout::GroupLayout,
    placement::{node_of, score, top},
};

/// One group while its shards are dealt out. Nodes are places in the group's layout.
struct Table<'a> {
    group: &'a GroupLayout,
    owners: Vec<Vec<usize>>,
    counts: Vec<usize>,
    shares: Vec<f64>,
}

impl ShardMap {
    /// The map that this one should become for a changed fleet. Groups that are new are placed as [`ShardMap::place`]
    /// does; in the others every node gets its share, within one shard, with the fewest copies moved. The number of
    /// shards must be this map's: split first. The epoch is one higher.
    pub fn rebalanced(&self, layout: &Layout) -> Result<Self, LayoutError> {
        self.rebalanced_where(layout, |_| true)
    }

    /// The same, but that only groups whose layout has changed are looked at: what is not level elsewhere stays so.
    pub fn adapted(&self, layout: &Layout) -> Result<Self, LayoutError> {
        let own = self.layout();
        self.rebalanced_where(layout, |group| !own.groups.contains(group))
    }

    fn rebalanced_where(
        &self,
        layout: &Layout,
        is_levelled: impl Fn(&GroupLayout) -> bool,
    ) -> Result<Self, LayoutError> {
        layout.check()?;
        if layout.shard_bits != self.shard_bits {
            return Err(LayoutError::OtherShards { current: self.shard_bits, wanted: layout.shard_bits });
        }
        let mut nodes = Vec::new();
        let mut groups = Vec::new();
        for (place, group) in layout.groups.iter().enumerate() {
            let first = nodes.len() as u16;
            nodes.extend(group.nodes.iter().map(|node| node_of(node, place as u16)));
            let owners = match self.groups.iter().find(|known| known.name == group.name) {
                Some(known) if is_levelled(group) => Table::new(self, known, group).deal(first),
                Some(known) => Table::new(self, known, group).owners(first),
                None => (0..layout.shards()).map(|shard| top(group, first, shard)).collect(),
            };
            groups.push(Group { name: group.name.clone(), replicas: group.replicas, owners });
        }
        Ok(Self {
            epoch: self.epoch + 1,
            shard_bits: self.shard_bits,
            code_bits: self.code_bits,
            nodes,
            groups,
        })
    }
}

// === impl Table ===

impl<'a> Table<'a> {
    /// What stays where it is: the readable copies on nodes that still count.
    fn new(map: &ShardMap, known: &Group, group: &'a GroupLayout) -> Self {
        let place = |owner: &Owner| {
            let name = &map.node(owner.node)?.name;
            group.nodes.iter().position(|node| node.name == *name && node.weight > 0)
        };
        let owners: Vec<Vec<usize>> = known
            .owners
            .iter()
            .map(|owners| owners.iter().filter(|owner| owner.state.is_read()).filter_map(place).collect())
            .collect();
        let mut counts = vec![0; group.nodes.len()];
        owners.iter().flatten().for_each(|node: &usize| counts[*node] += 1);
        let shares = shares(group, owners.len());
        Self { group, owners, counts, shares }
    }

    fn deal(mut self, first: u16) -> Vec<Vec<Owner>> {
        for shard in 0..self.owners.len() {
            self.drop_extra(shard);
        }
        for shard in 0..self.owners.len() {
            while self.owners[shard].len() < usize::from(self.group.replicas) && self.add_missing(shard) {}
        }
        while self.level() {}
        self.owners(first)
    }

    fn owners(self, first: u16) -> Vec<Vec<Owner>> {
        let owner = |node: usize| Owner { node: NodeId(first + node as u16), state: OwnerState::Readable };
        self.owners.into_iter().map(|nodes| nodes.into_iter().map(owner).collect()).collect()
    }

    /// How far a node is above its share.
    fn surplus(&self, node: usize) -> f64 {
        self.counts[node] as f64 - self.shares[node]
    }

    fn drop_extra(&mut self, shard: usize) {
        while self.owners[shard].len() > usize::from(self.group.replicas) {
            let fullest = (0..self.owners[shard].len()).max_by(|a, b| {
                self.surplus(self.owners[shard][*a]).total_cmp(&self.surplus(self.owners[shard][*b]))
            });
            let Some(place) = fullest else { return };
            let node = self.owners[shard].remove(place);
            self.counts[node] -= 1;
        }
    }

    fn add_missing(&mut self, shard: usize) -> bool {
        let emptiest = (0..self.group.nodes.len())
            .filter(|node| self.group.nodes[*node].weight > 0 && !self.owners[shard].contains(node))
            .min_by(|a, b| self.surplus(*a).total_cmp(&self.surplus(*b)));
        if let Some(node) = emptiest {
            self.owners[shard].push(node);
            self.counts[node] += 1;
        }
        emptiest.is_some()
    }

    /// Moves one copy from a node above its share to one below it, as long as that brings both closer to their share.
    fn level(&mut self) -> bool {
        let usable = |node: &usize| self.group.nodes[*node].weight > 0;
        let mut ranked: Vec<usize> = (0..self.group.nodes.len()).filter(usable).collect();
        ranked.sort_by(|a, b| self.surplus(*a).total_cmp(&self.surplus(*b)));
        for &giver in ranked.iter().rev() {
            for &taker in &ranked {
                if self.surplus(giver) - self.surplus(taker) <= 1.0 + 1e-9 {
                    break;
                }
                if let Some(shard) = self.best_shard(giver, taker) {
                    let owner = self.owners[shard].iter_mut().find(|node| **node == giver);
                    owner.into_iter().for_each(|node| *node = taker);
                    self.counts[giver] -= 1;
                    self.counts[taker] += 1;
                    return true;
                }
            }
        }
        false
    }

    /// Of the shards that could go, the one that the taker wants most.
    fn best_shard(&self, giver: usize, taker: usize) -> Option<usize> {
        let node = &self.group.nodes[taker];
        (0..self.owners.len())
            .filter(|shard| self.owners[*shard].contains(&giver) && !self.owners[*shard].contains(&taker))
            .max_by(|a, b| {
                score(&node.name, node.weight, *a as u16).total_cmp(&score(
                    &node.name,
                    node.weight,
                    *b as u16,
                ))
            })
    }
}

/// How many copies each node should hold: in proportion to its weight, but never more than one of a shard. What a heavy
/// node cannot take is shared by the others.
fn shares(group: &GroupLayout, shards: usize) -> Vec<f64> {
    let most = shards as f64;
    let mut shares = vec![0.0; group.nodes.len()];
    let mut open: Vec<usize> = (0..group.nodes.len()).filter(|node| group.nodes[*node].weight > 0).collect();
    let mut left = most * f64::from(group.replicas);
    loop {
        let weight: f64 = open.iter().map(|node| f64::from(group.nodes[*node].weight)).sum();
        let share = |node: usize| left * f64::from(group.nodes[node].weight) / weight;
        let (full, rest): (Vec<usize>, Vec<usize>) = open.iter().partition(|node| share(**node) > most);
        if full.is_empty() {
            open.iter().for_each(|node| shares[*node] = share(*node));
            return shares;
        }
        full.iter().for_each(|node| shares[*node] = most);
        left -= most * full.len() as f64;
        open = rest;
    }
}

#[cfg(test)]
mod tests;
