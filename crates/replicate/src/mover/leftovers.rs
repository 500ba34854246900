//! Copies that nobody reads and nobody wants: they are removed, and as long as their node is away the map says that it has
//! them.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use miroir_nodes::Node;
use miroir_shard::{NodeId, OwnerState, ShardId, ShardMap, SlotSet};
use tokio::time::{sleep, timeout};

use super::{
    Mover, Step,
    maps::removed,
    remote::{MoveError, Remote},
};
use crate::applier::Errand;

/// Copies that nobody wants are removed when their node is there; that is not waited for longer.
const CLEARING: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(5);

impl Mover {
    /// Removes copies that nobody reads and nobody wants, of nodes that stay and answer.
    pub(super) async fn clear_up(&self, map: &ShardMap, goal: &ShardMap) -> Result<Step, MoveError> {
        let topology = self.topology.load();
        let mut leftovers = Vec::new();
        for (place, node) in map.nodes().iter().enumerate() {
            let (id, client) = (NodeId(place as u16), topology.fleet.get(&node.name));
            let shards = unwanted(map, id, goal);
            if let Some(client) = client.filter(|client| !shards.is_empty() && client.health().answers()) {
                leftovers.push((client.with_own_connections(), shards));
            }
        }
        drop(topology);
        if leftovers.is_empty() {
            return Ok(Step::Nothing);
        }
        let clearing = leftovers.iter().map(|(client, shards)| self.clear_member(client, map, shards));
        let cleared = join_all(clearing).await;
        let gone = leftovers.iter().zip(&cleared).filter(|(_, cleared)| cleared.is_ok());
        let copies = |(client, shards): &(Node, Vec<ShardId>)| {
            let copy = |shard: &ShardId| (*shard, client.name().to_owned());
            shards.iter().map(copy).collect::<Vec<_>>()
        };
        let gone: Vec<_> = gone.flat_map(|(leftover, _)| copies(leftover)).collect();
        if !gone.is_empty() {
            self.change_map(|now| removed(now, &gone, map.shard_bits())).await?;
        }
        cleared.into_iter().collect::<Result<(), _>>()?;
        Ok(Step::Done)
    }

    async fn clear_member(&self, client: &Node, map: &ShardMap, shards: &[ShardId]) -> Result<(), MoveError> {
        if !self.is_member(client.name()) {
            return Ok(());
        }
        let cleared = timeout(CLEARING, self.clear(client, map, shards)).await;
        cleared.unwrap_or_else(|_| Err(Remote(client).failed("it takes too long")))
    }

    async fn clear(&self, node: &Node, map: &ShardMap, shards: &[ShardId]) -> Result<(), MoveError> {
        self.say(format!("removing {} shards from {}", shards.len(), node.name()));
        self.readers_gone().await;
        let slots: Arc<SlotSet> = Arc::new(shards.iter().flat_map(|shard| map.slots_of(*shard)).collect());
        let failed = |error| Remote(node).failed(error);
        let part = Errand::Part { slots: slots.clone() };
        self.crew.order(node.name(), part).await.map_err(failed)?;
        // What was sent before may bring more of them, and the index that they are in.
        let sent = self.progress.sent(node.name());
        while self.progress.applied(node.name()) < sent {
            sleep(LOOK).await;
        }
        let since = self.progress.applied(node.name());
        let indexes = Remote(node).indexes().await?.into_iter().collect();
        let clear = Errand::Clear { indexes, slots, since };
        let done = self.crew.order(node.name(), clear).await.map_err(failed)?;
        Remote(node).done(&self.tasks_of(node), &done.tasks).await
    }
}

/// The goal with what its nodes hold beside it: a node that was away has not been cleared, and until it is, reads of it
/// have to leave those shards out.
pub(super) fn with_leftovers(goal: &ShardMap, map: &ShardMap) -> ShardMap {
    let nodes = map.nodes().iter().enumerate();
    nodes.fold(goal.clone(), |next, (place, node)| {
        let Some(stays) = goal.node_id(&node.name) else { return next };
        unwanted(map, NodeId(place as u16), goal)
            .into_iter()
            .fold(next, |next, shard| next.with_owner(shard, stays, Some(OwnerState::Draining)))
    })
}

/// The shards of a node that stays which it holds and nobody reads or wants there.
fn unwanted(map: &ShardMap, id: NodeId, goal: &ShardMap) -> Vec<ShardId> {
    let stays = map.node(id).and_then(|node| goal.node_id(&node.name));
    let Some(stays) = stays else { return Vec::new() };
    let is_wanted = |shard: ShardId| {
        goal.shard_owners(shard).any(|owner| owner.node == stays && owner.state == OwnerState::Readable)
    };
    let held = map.shards_of(id).filter(|(shard, state)| match state {
        OwnerState::Readable => false,
        OwnerState::Draining | OwnerState::Parting => true,
        OwnerState::Filling => !is_wanted(*shard),
    });
    held.map(|(shard, _)| shard).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mover::Change, testing::layout};

    #[test]
    fn what_a_node_that_was_away_still_holds_stays_in_the_map_until_it_is_cleared() {
        let map = ShardMap::place(&layout(&[3], 1)).expect("a map");
        let goal = Change::Drain { node: "g0n0".to_owned() }.target(&map).expect("a map");
        let node = map.node_id("g0n0").expect("it is known");
        let shards: Vec<ShardId> = map.shards_of(node).map(|(shard, _)| shard).collect();
        let moved = |state| {
            let next =
                shards.iter().fold(goal.clone(), |map, shard| map.with_owner(*shard, node, Some(state)));
            with_leftovers(&goal, &next)
        };
        for state in [OwnerState::Draining, OwnerState::Filling] {
            let left: Vec<_> = moved(state).shards_of(node).collect();
            let expected: Vec<_> = shards.iter().map(|shard| (*shard, OwnerState::Draining)).collect();
            assert_eq!(left, expected);
        }
        assert_eq!(with_leftovers(&goal, &goal), goal);
    }
}
