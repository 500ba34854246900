//! What operators do with the mover.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::try_join_all;
use miroir_log::LogError;
use miroir_nodes::{Node, check_version};
use miroir_shard::{OwnerState, ShardMap};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    Connect, Introduce, Mover,
    change::{Change, ChangeError, NewNode},
    plan::{Plan, PlanState, to_fill},
    remote::{MoveError, Remote},
    store::{EndedTask, Kept, stored},
};
use crate::{crew::Crew, progress::Progress, topology::CurrentTopology};
use miroir_log::Log;

/// How long a node that is to join may take to say what it has.
const FIT: Duration = Duration::from_secs(5);

/// Changes the fleet and says how far that is. Clones are of the same.
#[derive(Clone)]
pub struct Rebalancer {
    mover: Arc<Mover>,
}

impl Rebalancer {
    /// Takes up where the log says a change stood.
    pub(crate) async fn new(
        log: Arc<dyn Log>,
        progress: Arc<Progress>,
        topology: CurrentTopology,
        crew: Arc<Crew>,
        connect: Connect,
    ) -> Result<Self, LogError> {
        let kept = Kept::read(&*log).await?;
        let fleet = topology.load();
        for (name, ended) in kept.tasks {
            let Some(node) = fleet.fleet.get(&name) else { continue };
            match ended {
                EndedTask::Newest(newest) => node.health().has_ended(newest),
                EndedTask::Known { newest, witness } => {
                    node.health().has_ended(newest);
                    node.health().is_known_by(witness);
                }
            }
        }
        let mover = Mover {
            log,
            progress,
            topology,
            crew,
            connect,
            introduce: Default::default(),
            plan: parking_lot::Mutex::new(kept.plan),
            turn: tokio::sync::Mutex::default(),
            map_turn: tokio::sync::Mutex::default(),
            map_in_doubt: Default::default(),
            plan_turn: tokio::sync::Mutex::default(),
            generation: Default::default(),
            doing: Default::default(),
            old: Default::default(),
            kept_tasks: parking_lot::Mutex::new(BTreeMap::new()),
            wake: tokio::sync::Notify::new(),
            scan_wanted: Default::default(),
            report: Default::default(),
        };
        Ok(Self { mover: Arc::new(mover) })
    }

    pub(crate) fn mover(&self) -> Arc<Mover> {
        self.mover.clone()
    }

    /// Has every node that joins or begins anew be introduced before it is read. Once.
    pub fn introduce_with(&self, introduce: Introduce) {
        // Whoever came first stays.
        let _ = self.mover.introduce.set(introduce);
    }

    /// What a change would move, without doing it.
    pub fn preview(&self, change: &Change) -> Result<Value, ChangeError> {
        let map = &self.mover.topology.load().map;
        let target = change.target(map)?;
        let moves = to_fill(map, &target);
        let mut by_node = BTreeMap::<String, usize>::new();
        moves
            .iter()
            .filter_map(|step| step.to.clone())
            .for_each(|node| *by_node.entry(node).or_default() += 1);
        let nodes = target.nodes().iter().map(|node| {
            let shards = target.node_id(&node.name).map_or(0, |id| target.shards_of(id).count());
            json!({ "name": node.name, "shards": shards, "gets": by_node.get(&node.name).unwrap_or(&0) })
        });
        Ok(json!({
            "change": change.words(),
            "shardsToMove": moves.len(),
            "copies": map.shards().count() * map.groups().len(),
            "nodes": nodes.collect::<Vec<_>>(),
            "shardsLost": change.given_up().map(|node| self.mover.held_alone_by(node)),
        }))
    }

    /// Starts a change. It goes on by itself, over restarts too.
    pub async fn start(&self, change: &Change) -> Result<Value, ChangeError> {
        let mover = &self.mover;
        let _turn = mover.turn.lock().await;
        mover.nothing_under_way()?;
        // What cannot be is refused before anything is asked of anybody.
        let target = change.target(&mover.topology.load().map)?;
        let joining = try_join_all(change.joining().iter().map(|node| self.fit(node, &target))).await?;
        for (place, (node, client)) in change.joining().iter().zip(&joining).enumerate() {
            let others = &mut joining[..place].iter();
            if let Some(other) = others.find(|other| other.authority() == client.authority()) {
                return Err(taken(node, other));
            }
        }
        for node in change.joining() {
            mover.remember(node).await?;
        }
        mover.begin(change, joining).await?;
        tracing::info!(change = change.words(), "the fleet changes");
        mover.wake.notify_one();
        Ok(self.status())
    }

    /// The client of a node that joins the others of a map, if it is none of them, answers and holds nothing.
    async fn fit(&self, node: &NewNode, target: &ShardMap) -> Result<Node, ChangeError> {
        let unfit = |reason: String| ChangeError::Unfit { node: node.name.clone(), reason };
        let client = (self.mover.connect)(node)
            .ok_or_else(|| unfit("its address or key cannot be used".to_owned()))?;
        self.is_free(node, &client, target)?;
        let silent = |reason: String| ChangeError::Silent { node: node.name.clone(), reason };
        let asked = timeout(FIT, Remote(&client).indexes()).await;
        let asked = asked.map_err(|_| silent("it does not answer".to_owned()))?;
        let indexes = asked.map_err(|error| match error {
            MoveError::Node { reason, .. } => silent(reason),
            error => silent(error.to_string()),
        })?;
        check_version(&client).await.map_err(|error| unfit(error.to_string()))?;
        if !indexes.is_empty() {
            return Err(unfit(format!("it holds {} indexes; a node joins empty", indexes.len())));
        }
        Ok(client)
    }

    /// Nobody who stays is at the address of a node that joins.
    fn is_free(&self, node: &NewNode, client: &Node, target: &ShardMap) -> Result<(), ChangeError> {
        let topology = self.mover.topology.load();
        let stays = |other: &&Node| target.node_id(other.name()).is_some() && other.name() != node.name;
        let at_its_address = |other: &&Node| other.authority() == client.authority();
        match topology.fleet.iter().filter(stays).find(at_its_address) {
            Some(other) => Err(taken(node, other)),
            None => Ok(()),
        }
    }

    /// Leaves the rest of a change undone until it is resumed. Shards that are on their way arrive.
    pub async fn pause(&self) -> Result<Value, ChangeError> {
        self.turn_to(PlanState::Paused).await
    }

    /// Goes on with a change that was paused.
    pub async fn resume(&self) -> Result<Value, ChangeError> {
        self.turn_to(PlanState::Running).await
    }

    /// Takes a change back: what has moved moves back.
    pub async fn abort(&self) -> Result<Value, ChangeError> {
        self.turn_to(PlanState::Aborting).await
    }

    async fn turn_to(&self, state: PlanState) -> Result<Value, ChangeError> {
        let mover = &self.mover;
        let _turn = mover.turn.lock().await;
        let Some(plan) = mover.plan.lock().clone().filter(Plan::is_open) else {
            return Err(ChangeError::Nothing);
        };
        if plan.state == PlanState::Aborting && state != PlanState::Aborting {
            return Err(ChangeError::UnderWay(format!("taking back: {}", plan.what)));
        }
        if state == PlanState::Aborting && plan.origin == plan.target {
            return Err(ChangeError::NotReversible);
        }
        if state == PlanState::Aborting && !plan.is_reversible(&mover.topology.load().map) {
            return Err(ChangeError::Nothing);
        }
        mover.change_plan(|plan| plan.state = state).await.map_err(stored)?;
        if state == PlanState::Aborting {
            mover.generation.fetch_add(1, Ordering::AcqRel);
        }
        mover.wake.notify_one();
        Ok(self.status())
    }

    /// How far the change is that is under way, or how the last one ended.
    pub fn status(&self) -> Value {
        let map = &self.mover.topology.load().map;
        let mut status = match &*self.mover.plan.lock() {
            Some(plan) => plan.view(map),
            None => json!({ "state": "none" }),
        };
        let (doing, error) = self.mover.doing.lock().clone();
        status["epoch"] = json!(map.epoch());
        status["doing"] = json!(Some(doing).filter(|doing| !doing.is_empty()));
        status["lastError"] = json!(error);
        status
    }

    /// Compares all copies, as soon as no change of the fleet is under way, and with `mend` makes equal what differs.
    pub fn verify(&self, mend: bool) -> Value {
        *self.mover.scan_wanted.lock() = Some(mend);
        self.mover.report.lock().state = "waiting";
        self.mover.wake.notify_one();
        self.verified()
    }

    /// What the last comparison found, or has found so far.
    pub fn verified(&self) -> Value {
        self.mover.report.lock().view()
    }

    /// Whether a node is being filled anew, or will be, or its log part is not sent yet.
    pub fn is_filling(&self, node: &str) -> bool {
        !self.mover.is_member(node) || self.has_any(node, OwnerState::Filling)
    }

    /// Whether a node gives shards away, or has given some that it still holds.
    pub fn is_giving(&self, node: &str) -> bool {
        [OwnerState::Parting, OwnerState::Draining].into_iter().any(|state| self.has_any(node, state))
    }

    fn has_any(&self, node: &str, wanted: OwnerState) -> bool {
        let map = &self.mover.topology.load().map;
        map.node_id(node).is_some_and(|id| map.shards_of(id).any(|(_, state)| state == wanted))
    }
}

impl std::fmt::Debug for Rebalancer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rebalancer").finish_non_exhaustive()
    }
}

/// One server counts as one node: as two it would give each of its documents twice.
fn taken(node: &NewNode, other: &Node) -> ChangeError {
    let reason = format!("node `{}` is at its address", other.name());
    ChangeError::Unfit { node: node.name.clone(), reason }
}
