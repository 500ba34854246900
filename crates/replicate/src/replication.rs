//! Everything that carries the log to the nodes, started together.

use std::{collections::BTreeMap, sync::Arc};

use miroir_log::{Log, LogError};
use miroir_nodes::Node;
use tokio::task::JoinSet;

use crate::{
    applier::{Applier, Shared},
    failures::Failures,
    payloads::Payloads,
    progress::Progress,
    sequencer::Sequencer,
    settings_check::SettingsCheck,
    topology::CurrentTopology,
    tracker::Tracker,
};

/// The running sequencer, appliers and tracker. Dropping it stops them where they are; the log knows how to go on.
#[derive(Debug)]
pub struct Replication {
    progress: Arc<Progress>,
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
        let failures = Arc::new(Failures::new(log.clone()));
        let sequencer =
            Sequencer::resume(log.clone(), progress.clone(), payloads.clone(), topology.clone()).await?;
        let release = sequencer.release();
        let mut tasks = JoinSet::new();
        for node in fleet.fleet.iter().map(Node::with_own_connections) {
            let shared = Shared {
                log: log.clone(),
                progress: progress.clone(),
                release: release.clone(),
                payloads: payloads.clone(),
                failures: failures.clone(),
                topology: topology.clone(),
            };
            let applier = Applier::new(shared, node);
            tasks.spawn(applier.run());
        }
        let settings = SettingsCheck::new(log.clone(), progress.clone(), topology.clone());
        tasks.spawn(settings.run());
        tasks.spawn(Tracker::new(log, progress.clone(), release, topology).run());
        tasks.spawn(sequencer.run());
        Ok(Self { progress, tasks })
    }

    /// How far everything is.
    pub fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Stops everything and waits until it has stopped.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
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
