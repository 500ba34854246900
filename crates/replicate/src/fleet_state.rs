//! What the sequencer has to ask of the nodes themselves.

use std::{sync::Arc, time::Duration};

use http::{StatusCode, Uri};
use miroir_nodes::{Answer, Call, NodeRequest, fan_out};
use serde::Deserialize;

use crate::{
    progress::Progress,
    topology::{CurrentTopology, Topology},
};

const TIMEOUT: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(500);

/// Asks the fleet, for as long as it takes to get an answer.
#[derive(Debug)]
pub(crate) struct FleetState {
    topology: CurrentTopology,
    progress: Arc<Progress>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    number_of_documents: u64,
}

impl FleetState {
    pub(crate) fn new(topology: CurrentTopology, progress: Arc<Progress>) -> Self {
        Self { topology, progress }
    }

    /// Whether an index has no documents once everything before the entry `uid` is applied. Any group that has come so
    /// far knows: a node that is down holds nobody up while there is another group.
    pub(crate) async fn is_empty_at(&self, uid: u32, index: &str) -> bool {
        let path = format!("/indexes/{index}/stats").parse::<Uri>();
        // An index uid has only characters that a path takes as they are.
        let Ok(path) = path else { return true };
        loop {
            let topology = self.topology.load();
            for group in 0..topology.map.groups().len() {
                if let Some(documents) = self.documents_in(&topology, group, uid, &path).await {
                    return documents == 0;
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn documents_in(&self, topology: &Topology, group: usize, uid: u32, path: &Uri) -> Option<u64> {
        let nodes = topology.map.nodes().iter().filter(|node| usize::from(node.group) == group);
        let call = |node: &miroir_shard::Node| {
            let is_there = self.progress.applied(&node.name) >= uid;
            let node = topology.fleet.get(&node.name).filter(|_| is_there)?.clone();
            Some(Call { node, request: NodeRequest::get(path.clone()) })
        };
        let calls: Vec<Call> = nodes.map(call).collect::<Option<_>>()?;
        fan_out(&calls, TIMEOUT).await.into_iter().map(|outcome| documents(&outcome.result.ok()?)).sum()
    }
}

fn documents(answer: &Answer) -> Option<u64> {
    match serde_json::from_slice::<Stats>(&answer.body) {
        Ok(stats) => Some(stats.number_of_documents),
        Err(_) => (answer.status == StatusCode::NOT_FOUND).then_some(0),
    }
}
