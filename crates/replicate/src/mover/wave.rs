//! Some shards brought to one node: copied, brought up to date, handed over.
//!
//! Until the map is swapped nobody reads the new copies, so whatever goes wrong the wave starts again from nothing. See
//! `docs/rebalancing.md` for why the copies are right when it is.

use std::{sync::Arc, time::Duration};

use miroir_nodes::Node;
use miroir_shard::{Move, SlotSet, slots_filter};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Mover,
    remote::{MoveError, Remote},
};
use crate::{
    applier::{Errand, ErrandError, NodeTasks, Starts},
    progress::Hold,
};

/// How close to the log's end the copies must be before the rest is done in one go.
const CLOSE: u32 = 256;
/// How long tasks may be kept waiting for a node that is about to be read: little at first, and the longer it does not come so
/// close the more, up to a part of the time that this has taken, as they wait for it from then on all the same.
const SHORTEST_HOLD: Duration = Duration::from_millis(100);
const LONGEST_HOLD: Duration = Duration::from_secs(5);
const PART_OF_WAIT: u32 = 4;
/// How long the node may take to catch up before that.
pub(super) const CATCH_UP: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(5);

/// What is moved together.
pub(super) struct Wave<'a> {
    pub(super) mover: &'a Mover,
    pub(super) moves: &'a [Move],
    pub(super) to: Node,
    pub(super) tasks: NodeTasks,
    pub(super) slots: Arc<SlotSet>,
    pub(super) starts: Starts,
    /// Tasks of the node that copies have become and that are not known to be done.
    pub(super) open: Vec<u32>,
    generation: u64,
    _hold: Hold,
}

impl<'a> Wave<'a> {
    /// All of `moves` go to the node `to`, as long as nobody has changed the direction since `generation`.
    pub(super) fn new(mover: &'a Mover, moves: &'a [Move], to: Node, generation: u64) -> Self {
        let map = &mover.topology.load().map;
        let slots: SlotSet = moves.iter().flat_map(|step| map.slots_of(step.shard)).collect();
        let slots = Arc::new(slots);
        let starts = Starts::new(slots.clone(), u32::MAX);
        // Nothing that any node still has to apply is let go of from here on.
        let hold = mover.progress.hold(mover.least_applied());
        let tasks = mover.tasks_of(&to);
        Self { mover, moves, to, tasks, slots, starts, open: Vec::new(), generation, _hold: hold }
    }

    /// Brings the shards over, up to the swap of the map.
    pub(super) async fn run(mut self) -> Result<(), MoveError> {
        self.order(Errand::Part { slots: self.slots.clone() }).await?;
        // Nothing of the shards is sent to it from here on but copies; what was is there once it has applied that.
        let sent = self.mover.progress.sent(self.to.name());
        self.mover.announce(self.moves, &self.to).await?;
        self.until(CATCH_UP, || self.mover.progress.applied(self.to.name()) >= sent).await?;
        self.clear().await?;
        self.starts = Starts::new(self.slots.clone(), self.mover.least_applied());
        self.copy(None).await?;
        let joined = self.catch_up().await?;
        self.hand_over(joined).await
    }

    /// Removes what an earlier try, or an earlier owner, has left of the shards.
    async fn clear(&self) -> Result<(), MoveError> {
        let remote = Remote(&self.to);
        let since = self.mover.progress.applied(self.to.name());
        let mut indexes = remote.indexes().await?;
        // Mostly there is nothing, and a deletion of nothing is one more task to wait for.
        if !remote.waits_for_copies(self.mover.log.id()).await? {
            let map = self.mover.topology.load().map.clone();
            let filter = slots_filter(&self.slots, map.code_bits());
            let mut held = Vec::new();
            for index in indexes {
                if remote.count(&index, &filter).await? > 0 {
                    held.push(index);
                }
            }
            indexes = held;
        }
        let indexes = indexes.into_iter().collect();
        let done = self.order(Errand::Clear { indexes, slots: self.slots.clone(), since }).await?;
        Remote(&self.to).done(&self.tasks, &done.tasks).await
    }

    /// Does again on the copies what the log says since they were read, ever closer to its end, and makes them the node's
    /// own from there on. Gives the entry from which on they are.
    async fn catch_up(&mut self) -> Result<u32, MoveError> {
        let mut from = self.starts.first();
        loop {
            self.still_wanted()?;
            let behind = self.mover.progress.sent(self.to.name()).saturating_sub(from);
            let join = behind <= CLOSE;
            let starts = Arc::new(self.starts.clone());
            let errand = Errand::Replay { starts, from, join };
            match self.mover.crew.order(self.to.name(), errand).await {
                Ok(done) => {
                    Remote(&self.to).done(&self.tasks, &done.tasks).await?;
                    if join {
                        return Ok(done.position);
                    }
                    from = done.position;
                }
                Err(ErrandError::Superseded(indexes)) => self.copy_again(indexes).await?,
                Err(error) => return Err(Remote(&self.to).failed(error)),
            }
        }
    }

    /// Swaps the map, once the node has everything that clients were told is there. From a moment before that on no task
    /// finishes without the node, so that it is read at once. How long that moment would be is tried out first, when nobody
    /// has to wait yet. A node that is busy may need several tries: what it has got so far stays.
    async fn hand_over(&self, joined: u32) -> Result<(), MoveError> {
        let (progress, to) = (&self.mover.progress, self.to.name());
        let close = || {
            progress.applied(to) >= joined && progress.sent(to).saturating_sub(progress.applied(to)) <= CLOSE
        };
        let began = Instant::now();
        while began.elapsed() < CATCH_UP {
            self.until(CATCH_UP, close).await?;
            let hold = (began.elapsed() / PART_OF_WAIT).clamp(SHORTEST_HOLD, LONGEST_HOLD);
            if !self.catches_up_within(hold).await? {
                continue;
            }
            let gate = progress.gate(to);
            let swapped = match self.catches_up_within(hold * 2).await {
                Ok(true) => Some(self.mover.swap(self.moves, &self.to).await),
                Ok(false) => None,
                Err(changed) => Some(Err(changed)),
            };
            drop(gate);
            if let Some(swapped) = swapped {
                return swapped;
            }
        }
        Err(Remote(&self.to).failed("it does not catch up"))
    }

    /// Whether the node, and whoever else tasks wait for once it is read, gets as far within this time as the furthest of
    /// all is now.
    async fn catches_up_within(&self, most: Duration) -> Result<bool, MoveError> {
        let furthest = self.mover.most_applied();
        let caught_up = self.until(most, || self.mover.group_has_applied(self.to.name(), furthest)).await;
        self.still_wanted()?;
        Ok(caught_up.is_ok())
    }

    /// Whether the plan still wants it.
    pub(super) fn still_wanted(&self) -> Result<(), MoveError> {
        if self.mover.generation() == self.generation { Ok(()) } else { Err(MoveError::Changed) }
    }

    pub(super) async fn until(&self, most: Duration, holds: impl Fn() -> bool) -> Result<(), MoveError> {
        let waiting = async {
            while !holds() {
                self.still_wanted()?;
                sleep(LOOK).await;
            }
            Ok(())
        };
        let waited = timeout(most, waiting).await;
        waited.unwrap_or_else(|_| Err(Remote(&self.to).failed("it does not catch up")))
    }

    pub(super) async fn order(&self, errand: Errand) -> Result<crate::applier::Done, MoveError> {
        let done = self.mover.crew.order(self.to.name(), errand).await;
        done.map_err(|error| Remote(&self.to).failed(error))
    }
}
