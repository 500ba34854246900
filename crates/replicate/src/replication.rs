//! Everything that carries the log to the nodes, started together.

use std::{collections::BTreeMap, sync::Arc};

use miroir_log::{Log, LogError};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    chores::{Chore, Chores},
    crew::Crew,
    mover::{Connect, Rebalancer},
    payloads::Payloads,
    progress::Progress,
    sequencer::Sequencer,
    settings_check::SettingsCheck,
    topology::{CurrentTopology, Topology},
    tracker::Tracker,
};

/// The running sequencer, appliers and tracker. Dropping it stops them where they are; the log knows how to go on.
pub struct Replication {
    log: Arc<dyn Log>,
    topology: CurrentTopology,
    progress: Arc<Progress>,
    crew: Arc<Crew>,
    chores: Option<mpsc::Receiver<Chore>>,
    tasks: JoinSet<()>,
}

impl Replication {
    /// Starts from where the log says everything stood. Runs on the current tokio runtime, with connections of its own.
    pub async fn start(log: Arc<dyn Log>, topology: CurrentTopology) -> Result<Self, LogError> {
        let watermarks = log.watermarks().await?;
        let fleet = topology.load();
        let nodes: BTreeMap<String, u32> = fleet
            .fleet
            .iter()
            .map(|node| (node.name().to_owned(), watermarks.get(node.name()).map_or(0, |uid| uid + 1)))
            .collect();
        let finished = first_unfinished(&*log).await?;
        let progress = Progress::new(nodes, finished, finished);
        progress.waits(waiting_bytes(&*log, finished).await?);
        let payloads = Arc::new(Payloads::new(log.clone()));
        let (giver, chores) = Chores::new();
        let (log_of_it, its_progress) = (log.clone(), progress.clone());
        let sequencer =
            Sequencer::resume(log_of_it, its_progress, payloads.clone(), topology.clone(), giver).await?;
        let release = sequencer.release();
        let parts = (release.clone(), payloads);
        let crew = Arc::new(Crew::new(log.clone(), progress.clone(), parts, topology.clone()));
        let mut tasks = JoinSet::new();
        for node in fleet.fleet.iter().filter(|node| is_member(&fleet, &watermarks, finished, node.name())) {
            crew.start(node);
        }
        let settings = SettingsCheck::new(log.clone(), progress.clone(), topology.clone(), crew.clone());
        tasks.spawn(settings.run());
        tasks.spawn(Tracker::new(log.clone(), progress.clone(), release, topology.clone()).run());
        tasks.spawn(sequencer.run());
        Ok(Self { log, topology, progress, crew, chores: Some(chores), tasks })
    }

    /// Starts what changes the fleet, and goes on with a change that was under way. `connect` makes the clients of nodes
    /// that join.
    pub async fn start_moving(&mut self, connect: Connect) -> Result<Rebalancer, LogError> {
        let (log, progress) = (self.log.clone(), self.progress.clone());
        let (topology, crew) = (self.topology.clone(), self.crew.clone());
        let rebalancer = Rebalancer::new(log, progress, topology, crew, connect).await?;
        self.tasks.spawn(rebalancer.mover().run());
        Ok(rebalancer)
    }

    /// How far everything is.
    pub fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// What entries ask of the gateway itself, for who does it: once. Where nobody takes them, such tasks wait.
    pub fn chores(&mut self) -> Option<mpsc::Receiver<Chore>> {
        self.chores.take()
    }

    /// Stops everything and waits until it has stopped.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Whether a node gets its part of the log from where it is, or from the beginning. One that has joined since and is not
/// known to have started is prepared first.
fn is_member(topology: &Topology, watermarks: &BTreeMap<String, u32>, finished: u32, node: &str) -> bool {
    let map = &topology.map;
    let is_read = |id| map.shards_of(id).any(|(_, state)| state.is_read());
    finished == 0 || watermarks.contains_key(node) || map.node_id(node).is_some_and(is_read)
}

/// How many bytes of payloads the log holds for unfinished tasks.
async fn waiting_bytes(log: &dyn Log, mut from: u32) -> Result<u64, LogError> {
    const AT_ONCE: usize = 256;
    let mut bytes = 0;
    loop {
        let waiting = log.unfinished(from, AT_ONCE).await?;
        let Some(last) = waiting.last() else { return Ok(bytes) };
        from = last.entry.uid + 1;
        bytes += waiting
            .iter()
            .filter_map(|logged| logged.entry.operation.payload())
            .map(|p| p.bytes)
            .sum::<u64>();
    }
}

async fn first_unfinished(log: &dyn Log) -> Result<u32, LogError> {
    let first = log.unfinished(0, 1).await?;
    Ok(first.first().map_or_else(|| log.positions().next, |logged| logged.entry.uid))
}
