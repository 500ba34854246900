//! A new map in the place of the one that there is: kept first, then worked by. One at a time, and each made of the one before,
//! so that nobody takes back what somebody else has changed meanwhile.

use std::sync::{Arc, atomic::Ordering};

use miroir_nodes::Node;
use miroir_shard::{Move, OwnerState, ShardId, ShardMap};
use tokio::time::sleep;

use super::{
    Change, ChangeError, Mover, READERS, Step,
    plan::Plan,
    remote::MoveError,
    store::{KeptNodes, stored},
};
use crate::topology::Topology;

impl Mover {
    /// Makes a new map of the present one.
    pub(super) async fn change_map(
        &self,
        change: impl FnOnce(&ShardMap) -> Result<ShardMap, MoveError>,
    ) -> Result<(), MoveError> {
        let _turn = self.map_turn.lock().await;
        let map = self.topology.load().map.clone();
        self.publish(change(&map)?.with_epoch(map.epoch() + 1), Vec::new()).await
    }

    /// Starts a plan for a change, whose new nodes these are, where no other is under way.
    pub(super) async fn begin(&self, change: &Change, joining: Vec<Node>) -> Result<(), ChangeError> {
        let _turn = self.map_turn.lock().await;
        // Both may have become others while the new nodes were looked at: a node that has lost its data is filled anew.
        self.nothing_under_way()?;
        let map = self.topology.load().map.clone();
        let target = change.target(&map)?;
        let mut plan = Plan::new(change.words(), map.clone(), target.clone());
        plan.lost = change.given_up().map(|node| self.held_alone_by(node)).unwrap_or_default();
        if !plan.lost.is_empty() {
            let shards = plan.lost.len();
            tracing::error!(change = plan.what, shards, "shards that nobody has start from nothing");
        }
        let before = self.plan.lock().clone();
        self.store_plan(plan).await.map_err(stored)?;
        // A split is a change of the map and nothing else; otherwise whoever joins is in the map from now on.
        let next = if *change == (Change::Split {}) { target } else { map.united(&target) };
        if let Err(error) = self.publish(next, joining).await {
            // The log may have no room for the map. Nobody has been told that the change goes on.
            self.put_back(before).await;
            return Err(stored(error));
        }
        Ok(())
    }

    /// Whether a plan is about nodes that the map does not know: the gateway died between keeping the one and the other.
    pub(super) fn lacks_members(&self, map: &ShardMap, plan: &Plan) -> bool {
        plan.goal().nodes().iter().any(|node| map.node_id(&node.name).is_none())
    }

    /// Takes the nodes that join by a plan into the map.
    pub(super) async fn take_in(&self, plan: &Plan) -> Result<(), MoveError> {
        let _turn = self.map_turn.lock().await;
        let map = self.topology.load().map.clone();
        let kept = KeptNodes::read(&*self.log).await?;
        let mut joining = Vec::new();
        for node in plan.goal().nodes().iter().filter(|node| map.node_id(&node.name).is_none()) {
            let known = kept.joined.iter().find(|known| known.name == node.name);
            let client = known.and_then(|known| (self.connect)(known));
            let unknown = || MoveError::Stored(format!("nobody knows how node `{}` is reached", node.name));
            joining.push(client.ok_or_else(unknown)?);
        }
        self.publish(map.united(plan.goal()), joining).await
    }

    /// Has all that a node can be read for be filled anew, with a plan of its own where none is under way.
    pub(super) async fn refill(&self, node: &str) -> Result<(), MoveError> {
        let _turn = self.map_turn.lock().await;
        let map = self.topology.load().map.clone();
        let id = map.node_id(node).ok_or(MoveError::Changed)?;
        if self.nothing_under_way().is_ok() {
            let mut plan = Plan::new(format!("rebuild {node}"), map.clone(), map.clone());
            plan.shards = map.shards_of(id).count();
            self.store_plan(plan).await?;
        }
        self.publish(map.refilling(id), Vec::new()).await
    }

    /// Has what was given away be written no longer, once no read by an older map is under way, which may have asked for it.
    pub(super) async fn let_go(&self, map: &ShardMap) -> Result<Step, MoveError> {
        if parted(map) == *map {
            return Ok(Step::Nothing);
        }
        self.readers_gone().await;
        self.change_map(|map| Ok(parted(map))).await?;
        Ok(Step::Done)
    }

    /// Waits until nobody reads by an older map.
    pub(super) async fn readers_gone(&self) {
        while self.has_old_readers() {
            sleep(READERS).await;
        }
    }

    fn has_old_readers(&self) -> bool {
        let mut old = self.old.lock();
        old.retain(|topology| topology.strong_count() > 0);
        !old.is_empty()
    }

    /// Whether a map may be kept that nobody works by: whoever kept it was given up before it was there, or the disk failed
    /// once it was.
    pub(super) fn is_map_in_doubt(&self) -> bool {
        self.map_in_doubt.load(Ordering::Acquire)
    }

    /// Keeps a map, then works by it. Whoever calls this has the maps' turn.
    async fn publish(&self, mut map: ShardMap, joining: Vec<Node>) -> Result<(), MoveError> {
        if self.map_in_doubt.swap(true, Ordering::AcqRel) {
            let kept = self.log.load_map().await?.map_or(0, |kept| kept.epoch);
            let epoch = map.epoch().max(kept + 1);
            map = map.with_epoch(epoch);
        }
        let bytes = map.to_bytes()?.into();
        self.log.save_map(miroir_log::StoredMap { epoch: map.epoch(), bytes }).await?;
        self.map_in_doubt.store(false, Ordering::Release);
        let known: Vec<Node> = self.topology.load().fleet.iter().cloned().collect();
        let members = known.into_iter().chain(joining).filter(|node| map.node_id(node.name()).is_some());
        let fleet = members.collect();
        let old = self.topology.replace(Topology { map, fleet });
        self.old.lock().push(Arc::downgrade(&old));
        Ok(())
    }
}

/// The map in which the shards of `moves` are in these states where they come from and where they go to.
pub(super) fn with_states(
    map: &ShardMap,
    moves: &[Move],
    to: &str,
    state: OwnerState,
    from: Option<OwnerState>,
) -> Result<ShardMap, MoveError> {
    let mut next = map.clone();
    // Nobody gives a shard away to somebody whom the map does not know.
    let to = map.node_id(to).ok_or(MoveError::Changed)?;
    for step in moves {
        next = next.with_owner(step.shard, to, Some(state));
        if let (Some(state), Some(node)) = (from, step.from.as_deref().and_then(|name| next.node_id(name))) {
            next = next.with_owner(step.shard, node, Some(state));
        }
    }
    Ok(next)
}

/// The map without the copies that these moves give up.
pub(super) fn given_up(map: &ShardMap, moves: &[Move]) -> ShardMap {
    moves.iter().fold(map.clone(), |next, step| {
        let node = step.from.as_deref().and_then(|name| map.node_id(name));
        node.map_or_else(|| next.clone(), |node| next.with_owner(step.shard, node, Some(OwnerState::Parting)))
    })
}

/// The map without these copies, which a map with as many shards had to be removed.
pub(super) fn removed(
    map: &ShardMap,
    copies: &[(ShardId, String)],
    shard_bits: u32,
) -> Result<ShardMap, MoveError> {
    if map.shard_bits() != shard_bits {
        return Err(MoveError::Changed);
    }
    Ok(copies.iter().fold(map.clone(), |next, (shard, name)| match map.node_id(name) {
        Some(node) => next.with_owner(*shard, node, None),
        None => next,
    }))
}

/// The map in which what was given away is neither read nor written.
fn parted(map: &ShardMap) -> ShardMap {
    let mut next = map.clone();
    for shard in map.shards() {
        for owner in map.shard_owners(shard).filter(|owner| owner.state == OwnerState::Parting) {
            next = next.with_owner(shard, owner.node, Some(OwnerState::Draining));
        }
    }
    next
}

#[cfg(test)]
mod tests;
