//! What is moved at the same time: some shards to each of some nodes.
//!
//! A wave mostly waits for the node that it goes to, so waves to several nodes take hardly longer than one. They share
//! nothing but the map and the plan, which are changed by one at a time.

use std::time::Duration;

use futures_util::future::join_all;
use miroir_nodes::Node;
use miroir_shard::{Move, OwnerState};
use tokio::time::{sleep, timeout};

use super::{
    Mover,
    maps::with_states,
    remote::{MoveError, Remote},
    wave::Wave,
};

/// Shards move to so many nodes at the same time.
const WAVES: usize = 3;
/// So many shards are moved together, and so many more as have these documents, about.
const TOGETHER: usize = 8;
const TOGETHER_AT_MOST: usize = 64;
const DOCUMENTS: u64 = 50_000;
/// How long what a wave needs may take before it is given up and tried again.
const WAVE: Duration = Duration::from_secs(3600);
/// How soon it is noticed that a change is taken back.
const TURN: Duration = Duration::from_millis(50);

impl Mover {
    /// What is moved next, node by node; nothing where no node can take anything.
    pub(super) async fn waves(&self, moves: &[Move]) -> Vec<Vec<Move>> {
        let mut waves: Vec<Vec<Move>> = Vec::new();
        for first in moves.iter().filter(|step| self.can_fill(step)) {
            if waves.iter().flatten().any(|step| step.to == first.to) {
                continue;
            }
            let together = self.together(first).await;
            waves.push(moves.iter().filter(|step| step.to == first.to).take(together).cloned().collect());
            if waves.len() == WAVES {
                break;
            }
        }
        waves
    }

    /// Moves them, and tells what went wrong with one once all have ended.
    pub(super) async fn fill(&self, waves: &[Vec<Move>], generation: u64) -> Result<(), MoveError> {
        let shards: usize = waves.iter().map(Vec::len).sum();
        let nodes: Vec<&str> = waves.iter().filter_map(|wave| wave.first()?.to.as_deref()).collect();
        self.say(format!("moving {shards} shards to {}", nodes.join(", ")));
        let filled = join_all(waves.iter().map(|wave| self.fill_one(wave, generation))).await;
        filled.into_iter().collect()
    }

    /// How many shards are moved at once: each wave costs some tasks of several nodes, and what is moved is held twice and
    /// starts again where the wave fails.
    async fn together(&self, first: &Move) -> usize {
        let Ok(source) = self.source(first.shard, first.to.as_deref().unwrap_or_default()) else {
            return TOGETHER;
        };
        let topology = self.topology.load();
        let shards = topology.map.node_id(source.name()).map_or(0, |id| topology.map.shards_of(id).count());
        drop(topology);
        let Ok(documents) = Remote(&source).documents_held().await else { return TOGETHER };
        let each = documents.div_ceil(shards.max(1) as u64).max(1);
        usize::try_from(DOCUMENTS / each).unwrap_or(usize::MAX).clamp(TOGETHER, TOGETHER_AT_MOST)
    }

    /// Whether a move brings a copy to a node that can take it.
    fn can_fill(&self, step: &Move) -> bool {
        let topology = self.topology.load();
        let node = step.to.as_deref().and_then(|name| topology.fleet.get(name));
        node.is_some_and(|node| node.health().answers())
    }

    async fn fill_one(&self, moves: &[Move], generation: u64) -> Result<(), MoveError> {
        let Some(node) = moves.first().and_then(|step| step.to.as_deref()) else { return Ok(()) };
        let node = self.topology.load().fleet.get(node).map(Node::with_own_connections);
        let node = node.ok_or(MoveError::Changed)?;
        let filling = async {
            if !self.is_member(node.name()) {
                self.admit(&node).await?;
            }
            tokio::select! {
                biased;
                wave = Wave::new(self, moves, node.clone(), generation).run() => wave,
                () = self.is_lost(&node) => Err(Remote(&node).failed("it has lost its data")),
            }
        };
        // Whatever it waits for then: a node may never be done with what it was given.
        let wave = tokio::select! {
            biased;
            wave = timeout(WAVE, filling) => wave,
            () = self.has_turned(generation) => Ok(Err(MoveError::Changed)),
        };
        let result = wave.unwrap_or_else(|_| Err(Remote(&node).failed("it takes too long")));
        if result.is_ok() {
            self.change_plan(|plan| plan.moved += moves.len()).await?;
        }
        result
    }

    /// Waits until an operator has changed the direction.
    async fn has_turned(&self, generation: u64) {
        while self.generation() == generation {
            sleep(TURN).await;
        }
    }

    /// Says in the map that the shards are on their way, so that reads leave them out where they go. Returns once no read
    /// is under way that does not know.
    pub(super) async fn announce(&self, moves: &[Move], to: &Node) -> Result<(), MoveError> {
        self.change_map(|map| with_states(map, moves, to.name(), OwnerState::Filling, None)).await?;
        self.readers_gone().await;
        Ok(())
    }

    /// Makes the new copies those that are read. The old ones are written until nobody reads them by an older map.
    pub(super) async fn swap(&self, moves: &[Move], to: &Node) -> Result<(), MoveError> {
        let (is, was) = (OwnerState::Readable, Some(OwnerState::Parting));
        self.change_map(|map| with_states(map, moves, to.name(), is, was)).await
    }
}
