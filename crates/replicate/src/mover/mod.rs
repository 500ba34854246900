//! Brings the fleet from the map that is to the one that is wanted, while everything runs.
//!
//! One loop looks at the map and at what is wanted, and does the next thing that brings both together: a lost node is taken
//! out and filled anew, leftovers are removed, a few shards are moved. Nothing but the map and the plan, which are both kept
//! with the log, has to be known for that, so that it goes on after a crash wherever that was.

mod change;
mod control;
mod copy;
mod failed;
mod fill;
mod holders;
mod join;
mod leftovers;
mod maps;
mod plan;
mod remote;
mod scan;
mod store;
mod wave;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use miroir_log::{Log, LogError};
use miroir_nodes::Node;
use miroir_shard::{Move, ShardMap, StoredMapError, diff};
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

pub(crate) use self::remote::Remote;
pub use self::{
    change::{Change, ChangeError, NewNode},
    control::Rebalancer,
    store::{Configured, KeptNodes},
};
use self::{
    leftovers::with_leftovers,
    maps::given_up,
    plan::{Plan, PlanState},
    remote::MoveError,
    scan::{BROKEN_OFF, ROUND, Report},
};
use crate::{
    applier::NodeTasks,
    crew::Crew,
    progress::Progress,
    topology::{CurrentTopology, Topology},
};

/// How often it is looked whether there is anything to do, and how long a failure is left alone.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const READERS: Duration = Duration::from_millis(5);

/// Makes the client of a node.
pub type Connect = Arc<dyn Fn(&NewNode) -> Option<Node> + Send + Sync>;

/// Tells a node what it is to have beside documents and settings; false where it cannot be told.
pub type Introduce = Arc<dyn Fn(Node) -> BoxFuture<'static, bool> + Send + Sync>;

/// What the loop and those who watch it share.
pub(crate) struct Mover {
    log: Arc<dyn Log>,
    progress: Arc<Progress>,
    topology: CurrentTopology,
    crew: Arc<Crew>,
    connect: Connect,
    introduce: OnceLock<Introduce>,
    plan: Mutex<Option<Plan>>,
    /// Whoever changes the plan for operators has this.
    turn: tokio::sync::Mutex<()>,
    /// Whoever makes a new map, or a new plan, of the one that there is.
    map_turn: tokio::sync::Mutex<()>,
    map_in_doubt: AtomicBool,
    plan_turn: tokio::sync::Mutex<()>,
    /// Counts the changes of direction: what was begun before one is given up.
    generation: AtomicU64,
    kept_tasks: Mutex<BTreeMap<String, store::EndedTask>>,
    /// What it does now, and what went wrong last.
    doing: Mutex<(String, Option<String>)>,
    /// Topologies before the present one, as long as somebody reads by them.
    old: Mutex<Vec<Weak<Topology>>>,
    wake: Notify,
    /// Whether copies are to be compared, and whether they are mended then.
    scan_wanted: Mutex<Option<bool>>,
    report: Mutex<Report>,
}

/// What a look at the map has led to.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Something was done.
    Done,
    /// There is nothing to do.
    Nothing,
}

// === impl Mover ===

impl Mover {
    /// Goes on until the log is closed.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut round = Instant::now() + ROUND;
        loop {
            self.keep_known_tasks().await;
            match self.step().await {
                Ok(Step::Done) => {
                    self.doing.lock().1 = None;
                    continue;
                }
                Ok(Step::Nothing) => {
                    self.say(String::new());
                    let wanted = self.scan_wanted.lock().take();
                    let due = Instant::now() >= round;
                    if wanted.is_some() || due {
                        let is_whole = self.scan(wanted.unwrap_or(true)).await;
                        round = Instant::now() + if is_whole { ROUND } else { BROKEN_OFF };
                        continue;
                    }
                }
                Err(MoveError::Changed) => continue,
                Err(error) => {
                    tracing::warn!(%error, "not moved, trying again");
                    self.doing.lock().1 = Some(error.to_string());
                }
            }
            // A wake that comes before the wait is not lost.
            let _ = timeout(LOOK_AGAIN, self.wake.notified()).await;
        }
    }

    async fn step(&self) -> Result<Step, MoveError> {
        if let Some(node) = self.lost_node() {
            self.take_out(&node).await?;
            return Ok(Step::Done);
        }
        if self.is_map_in_doubt() {
            // After a crash the one that is kept would count.
            self.change_map(|map| Ok(map.clone())).await?;
        }
        // The map alone: whoever keeps a topology counts as a reader.
        let map = self.topology.load().map.clone();
        if self.let_go(&map).await? == Step::Done {
            return Ok(Step::Done);
        }
        // Before the plan: what is begun by one that has been turned around since is given up.
        let generation = self.generation();
        let Some(plan) = self.plan.lock().clone().filter(Plan::is_open) else {
            return match self.clear_up(&map, &map).await? {
                Step::Nothing => match self.outsider() {
                    Some(node) => self.admit(&node).await.map(|()| Step::Done),
                    None => self.make_equal_what_failed().await,
                },
                Step::Done => Ok(Step::Done),
            };
        };
        if self.lacks_members(&map, &plan) {
            self.take_in(&plan).await?;
            return Ok(Step::Done);
        }
        if plan.state == PlanState::Paused {
            return self.clear_up(&map, plan.goal()).await;
        }
        let moves = diff(&map, plan.goal());
        let waves = self.waves(&moves).await;
        if !waves.is_empty() {
            self.fill(&waves, generation).await?;
            return Ok(Step::Done);
        }
        // Old copies go in the end, all at once: a node does such a deletion by itself, and all that waits behind it waits.
        match self.clear_up(&map, plan.goal()).await? {
            Step::Done => Ok(Step::Done),
            Step::Nothing => self.without_filling(&map, &plan, &moves).await,
        }
    }

    /// What is left where nothing can be filled: copies too many are given up, and then all is as it should be.
    async fn without_filling(&self, map: &ShardMap, plan: &Plan, moves: &[Move]) -> Result<Step, MoveError> {
        if let Some(step) = moves.iter().find(|step| step.to.is_some()) {
            let node = step.to.as_deref().unwrap_or_default();
            self.say(format!("waiting for {node}"));
            return Ok(Step::Nothing);
        }
        if !moves.is_empty() {
            self.change_map(|map| Ok(given_up(map, moves))).await?;
            return Ok(Step::Done);
        }
        self.conclude(map, plan).await?;
        Ok(Step::Done)
    }

    /// Takes a node that has lost its data out of all reads, and has it filled anew.
    async fn take_out(&self, node: &Node) -> Result<(), MoveError> {
        tracing::warn!(node = node.name(), "node is filled anew from other copies");
        self.refill(node.name()).await?;
        self.crew.stop(node.name());
        self.log.forget_node(node.name()).await?;
        self.readers_gone().await;
        self.admit(node).await
    }

    /// The end of a plan: what leaves has gone. Whoever takes it back at this moment comes too late, or before.
    async fn conclude(&self, map: &ShardMap, plan: &Plan) -> Result<(), MoveError> {
        let _turn = self.turn.lock().await;
        if self.plan.lock().as_ref().is_none_or(|now| now.state != plan.state) {
            return Err(MoveError::Changed);
        }
        let goal = with_leftovers(plan.goal(), map);
        // An earlier try may have come to the map and no further.
        let leaving = map.nodes().iter().chain(plan.left().nodes()).map(|node| &node.name);
        let leaving: BTreeSet<String> =
            leaving.filter(|name| goal.node_id(name).is_none()).cloned().collect();
        // A node that is to join, but without any shard, has to be a member all the same.
        for node in goal.nodes().iter().filter(|node| !self.is_member(&node.name)) {
            let client = self.topology.load().fleet.get(&node.name).cloned().ok_or(MoveError::Changed)?;
            self.admit(&client).await?;
        }
        // A configuration that still names them must not bring them back, wherever the gateway dies from here on.
        for node in &leaving {
            self.keep_away(node).await?;
        }
        let is_same = |now: &ShardMap| now.epoch() == map.epoch();
        self.change_map(|now| if is_same(now) { Ok(goal) } else { Err(MoveError::Changed) }).await?;
        for node in &leaving {
            self.crew.stop(node);
            self.progress.leave(node);
            self.log.forget_node(node).await?;
            self.forget(node).await?;
        }
        self.change_plan(Plan::end).await?;
        tracing::info!(change = plan.what, "the fleet is as it should be");
        Ok(())
    }

    fn tasks_of(&self, node: &Node) -> NodeTasks {
        NodeTasks::new(node.clone(), self.log.id().to_owned())
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn copied(&self, documents: u64, bytes: u64) {
        if let Some(plan) = &mut *self.plan.lock() {
            plan.documents += documents;
            plan.bytes += bytes;
        }
    }

    fn say(&self, doing: String) {
        self.doing.lock().0 = doing;
    }
}

impl From<LogError> for MoveError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::StorageFull => Self::Full,
            other => Self::Stored(other.to_string()),
        }
    }
}

impl From<StoredMapError> for MoveError {
    fn from(error: StoredMapError) -> Self {
        Self::Stored(error.to_string())
    }
}
