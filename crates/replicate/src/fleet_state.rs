//! What the sequencer has to ask of the nodes themselves.

use std::time::Duration;

use http::Uri;
use miroir_nodes::{Call, NodeRequest, fan_out};
use serde::Deserialize;

use crate::topology::CurrentTopology;

const TIMEOUT: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(500);

/// Asks the fleet, for as long as it takes to get an answer.
#[derive(Debug)]
pub(crate) struct FleetState {
    topology: CurrentTopology,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    number_of_documents: u64,
}

impl FleetState {
    pub(crate) fn new(topology: CurrentTopology) -> Self {
        Self { topology }
    }

    /// How many documents an index has over all nodes; copies count as often as they are held.
    pub(crate) async fn documents(&self, index: &str) -> u64 {
        let Ok(path) = format!("/indexes/{index}/stats").parse::<Uri>() else { return 0 };
        loop {
            let topology = self.topology.load();
            let request = NodeRequest::get(path.clone());
            let calls: Vec<Call> = topology
                .fleet
                .iter()
                .map(|node| Call { node: node.clone(), request: request.clone() })
                .collect();
            let counts: Option<Vec<u64>> = fan_out(&calls, TIMEOUT)
                .await
                .into_iter()
                .map(|outcome| {
                    let answer = outcome.result.ok()?;
                    match serde_json::from_slice::<Stats>(&answer.body) {
                        Ok(stats) => Some(stats.number_of_documents),
                        Err(_) => (answer.status == http::StatusCode::NOT_FOUND).then_some(0),
                    }
                })
                .collect();
            match counts {
                Some(counts) => return counts.into_iter().sum(),
                None => tokio::time::sleep(RETRY).await,
            }
        }
    }
}
