//! Reads settings back from every node and mends those that differ.
//!
//! A node's settings are looked at after each task that changed them, and all of them from time to time, as somebody may
//! have changed them behind the gateway's back. A node that differs is sent what it should have; where that does not help,
//! it is not read for the index until it does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use http::{Method, StatusCode, Uri};
use miroir_log::{IndexRecord, Log, LogError, Operation};
use miroir_nodes::{Answer, Node, NodeRequest};
use miroir_protocol::settings::Settings;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::{
    physical::{Difference, differences},
    progress::Progress,
    topology::CurrentTopology,
};

/// How often the settings of all indexes are looked at.
const ROUND: Duration = Duration::from_secs(60);
/// How soon an index is looked at again that could not be looked at, or is not mended.
const AGAIN: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a node may take over the settings it is sent, and how often it is asked.
const MENDING: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(100);
/// Unfinished entries that are looked through at once.
const PAGE: usize = 256;

/// What was found of one index on one node.
enum Found {
    Same,
    Differs(Vec<Difference>),
    /// Nothing can be said now.
    Unclear,
}

/// The one task that looks at settings.
pub(crate) struct SettingsCheck {
    log: Arc<dyn Log>,
    progress: Arc<Progress>,
    topology: CurrentTopology,
    /// Clients with connections of this task's own, by name and authority.
    clients: BTreeMap<(String, String), Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    task_uid: u32,
}

#[derive(Deserialize)]
struct Task {
    status: String,
}

impl SettingsCheck {
    pub(crate) fn new(log: Arc<dyn Log>, progress: Arc<Progress>, topology: CurrentTopology) -> Self {
        Self { log, progress, topology, clients: BTreeMap::new() }
    }

    /// Looks until the log is closed.
    pub(crate) async fn run(mut self) {
        let mut due = BTreeSet::new();
        let mut round = Instant::now() + ROUND;
        loop {
            let wake = if due.is_empty() { round } else { Instant::now() + AGAIN };
            tokio::select! {
                biased;
                () = self.progress.changed_settings().wait() => {}
                () = tokio::time::sleep_until(wake) => {}
            }
            due.extend(self.progress.changed_settings().take());
            if Instant::now() >= round {
                due.extend(self.log.catalog().indexes.keys().cloned());
                round = Instant::now() + ROUND;
            }
            let mut left = BTreeSet::new();
            for index in due {
                match self.check(&index).await {
                    Ok(true) => {}
                    Ok(false) => _ = left.insert(index),
                    Err(LogError::Closed) => return,
                    Err(error) => tracing::error!(%error, index, "settings not looked at"),
                }
            }
            due = left;
        }
    }

    /// Looks at one index on every node; false where it has to be looked at again soon.
    async fn check(&mut self, index: &str) -> Result<bool, LogError> {
        let mut done = true;
        for node in self.nodes() {
            done &= self.check_node(&node, index).await?;
        }
        Ok(done)
    }

    fn nodes(&mut self) -> Vec<Node> {
        let topology = self.topology.load();
        let key = |node: &Node| (node.name().to_owned(), node.authority().to_owned());
        let now = topology.fleet.iter().map(|node| {
            let own = self.clients.get(&key(node)).cloned();
            (key(node), own.unwrap_or_else(|| node.with_own_connections()))
        });
        self.clients = now.collect();
        self.clients.values().cloned().collect()
    }

    async fn check_node(&self, node: &Node, index: &str) -> Result<bool, LogError> {
        let Some(record) = self.log.catalog().indexes.get(index).cloned() else {
            self.progress.aside().set(node.name(), index, None);
            return Ok(true);
        };
        let finished = *self.progress.finished().borrow();
        // A node that is behind is looked at when the next round comes, or the next change.
        if self.progress.applied(node.name()) < finished || !node.health().is_up() {
            return Ok(true);
        }
        match self.look(node, &record).await {
            Found::Same => self.progress.aside().set(node.name(), index, None),
            Found::Unclear => return Ok(false),
            // A change that is under way is looked at once it is done.
            Found::Differs(_) if self.is_changing(&record, finished).await? => {}
            Found::Differs(differing) => return Ok(self.mend(node, &record, &differing).await),
        }
        Ok(true)
    }

    async fn look(&self, node: &Node, record: &IndexRecord) -> Found {
        let Some(answer) = get(node, &format!("/indexes/{}/settings", record.uid)).await else {
            return Found::Unclear;
        };
        let logical = Settings::from_value(record.settings.clone());
        let (Ok(logical), Ok(found)) = (logical, serde_json::from_slice::<Value>(&answer.body)) else {
            return Found::Unclear;
        };
        match differences(&logical, &found) {
            differing if differing.is_empty() => Found::Same,
            differing => Found::Differs(differing),
        }
    }

    /// Whether the settings of the index have changed since its record was read, or are going to.
    async fn is_changing(&self, record: &Arc<IndexRecord>, mut from: u32) -> Result<bool, LogError> {
        let now = self.log.catalog().indexes.get(&record.uid).cloned();
        if now.is_none_or(|now| now.settings != record.settings) {
            return Ok(true);
        }
        loop {
            let waiting = self.log.unfinished(from, PAGE).await?;
            let Some(last) = waiting.last() else { return Ok(false) };
            from = last.entry.uid + 1;
            let changes = |operation: &Operation| {
                !matches!(
                    operation,
                    Operation::DocumentAdditionOrUpdate { .. }
                        | Operation::DocumentDeletion { .. }
                        | Operation::DocumentEdition { .. }
                )
            };
            if waiting.iter().any(|logged| changes(&logged.entry.operation)) {
                return Ok(true);
            }
        }
    }

    /// Sends a node what it should have; false where it has not got it.
    async fn mend(&self, node: &Node, record: &IndexRecord, differing: &[Difference]) -> bool {
        let names: Vec<&str> = differing.iter().map(|difference| difference.name.as_str()).collect();
        let names = names.join(", ");
        let (name, index) = (node.name(), &record.uid);
        tracing::warn!(node = name, index, settings = names, "node has other settings, they are sent again");
        let patch: Map<String, Value> =
            differing.iter().map(|difference| (difference.name.clone(), difference.patch.clone())).collect();
        let sent = send(node, index, &Value::Object(patch)).await;
        if sent && matches!(self.look(node, record).await, Found::Same) {
            self.progress.aside().set(name, index, None);
            tracing::info!(node = name, index, "node has the settings it should have");
            return true;
        }
        let reason = format!("its settings are not those of the index: {names}");
        self.progress.aside().set(name, index, Some(&reason));
        tracing::error!(
            node = name,
            index,
            settings = names,
            "node is not read for the index: other settings"
        );
        false
    }
}

async fn get(node: &Node, path: &str) -> Option<Answer> {
    let path: Uri = path.parse().ok()?;
    let answer = node.ask(&NodeRequest::get(path), TIMEOUT).await.ok()?;
    (answer.status == StatusCode::OK).then_some(answer)
}

/// Sends settings and waits until the node has taken them.
async fn send(node: &Node, index: &str, patch: &Value) -> bool {
    let Ok(path) = format!("/indexes/{index}/settings").parse::<Uri>() else { return false };
    let request = NodeRequest::write(Method::PATCH, path, patch.to_string());
    let Ok(answer) = node.ask(&request, TIMEOUT).await else { return false };
    let Ok(Accepted { task_uid }) = serde_json::from_slice(&answer.body) else {
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        tracing::warn!(node = node.name(), index, body, "node refuses the settings");
        return false;
    };
    let give_up = Instant::now() + MENDING;
    while Instant::now() < give_up {
        let task = get(node, &format!("/tasks/{task_uid}")).await;
        let task = task.and_then(|answer| serde_json::from_slice::<Task>(&answer.body).ok());
        match task.as_ref().map(|task| task.status.as_str()) {
            Some("succeeded") => return true,
            Some("failed" | "canceled") => return false,
            _ => tokio::time::sleep(LOOK).await,
        }
    }
    false
}
