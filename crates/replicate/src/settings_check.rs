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

use http::{StatusCode, Uri};
use miroir_log::{IndexRecord, Log};
use miroir_nodes::{Answer, Node, NodeRequest};
use miroir_protocol::settings::Settings;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout};

use crate::{
    applier::{Errand, ErrandError, NodeTasks},
    crew::Crew,
    mover::Remote,
    physical::{Difference, differences},
    progress::Progress,
    topology::CurrentTopology,
};

/// How often the settings of all indexes are looked at.
const ROUND: Duration = Duration::from_secs(60);
/// How soon an index is looked at again that could not be looked at, or is not mended.
const AGAIN: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a node may take over the settings it is sent.
const MENDING: Duration = Duration::from_secs(120);

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
    crew: Arc<Crew>,
    /// Clients with connections of this task's own, by name and authority.
    clients: BTreeMap<(String, String), Node>,
}

/// What came of sending a node the settings it should have.
enum Sent {
    Taken,
    NotTaken,
    /// Its settings are changing anyway.
    Changing,
}

impl SettingsCheck {
    pub(crate) fn new(
        log: Arc<dyn Log>,
        progress: Arc<Progress>,
        topology: CurrentTopology,
        crew: Arc<Crew>,
    ) -> Self {
        Self { log, progress, topology, crew, clients: BTreeMap::new() }
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
                if !self.check(&index).await {
                    left.insert(index);
                }
            }
            due = left;
        }
    }

    /// Looks at one index on every node; false where it has to be looked at again soon.
    async fn check(&mut self, index: &str) -> bool {
        let mut done = true;
        for node in self.nodes() {
            done &= self.check_node(&node, index).await;
        }
        done
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

    async fn check_node(&self, node: &Node, index: &str) -> bool {
        // Before the record is read: what has changed it since is behind this, if anything is.
        let finished = *self.progress.finished().borrow();
        let Some(record) = self.log.catalog().indexes.get(index).cloned() else {
            self.progress.aside().set(node.name(), index, None);
            return true;
        };
        // A node that is behind is looked at when the next round comes, or the next change.
        if self.progress.applied(node.name()) < finished || !node.health().is_up() {
            return true;
        }
        match self.look(node, &record).await {
            Found::Same => self.progress.aside().set(node.name(), index, None),
            Found::Unclear => return false,
            Found::Differs(differing) => return self.mend(node, &record, finished, &differing).await,
        }
        true
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

    /// Sends a node what it should have; false where it has not got it.
    async fn mend(&self, node: &Node, record: &IndexRecord, since: u32, differing: &[Difference]) -> bool {
        let names: Vec<&str> = differing.iter().map(|difference| difference.name.as_str()).collect();
        let settings = names.join(", ");
        let (name, index) = (node.name(), &record.uid);
        let patch: Map<String, Value> =
            differing.iter().map(|difference| (difference.name.clone(), difference.patch.clone())).collect();
        match self.send(node, index, Value::Object(patch), since).await {
            // They are looked at once the change is done.
            Sent::Changing => return true,
            Sent::Taken if matches!(self.look(node, record).await, Found::Same) => {
                self.progress.aside().set(name, index, None);
                tracing::warn!(node = name, index, settings, "node had other settings than it should have");
                return true;
            }
            Sent::Taken | Sent::NotTaken => {}
        }
        let reason = format!("its settings are not those of the index: {settings}");
        self.progress.aside().set(name, index, Some(&reason));
        tracing::error!(node = name, index, settings, "node is not read for the index: other settings");
        false
    }

    /// Has a node's applier send settings, and waits until the node has taken them.
    async fn send(&self, node: &Node, index: &str, patch: Value, since: u32) -> Sent {
        let errand = Errand::Settings { index: index.to_owned(), patch, since };
        let sending = async {
            let done = self.crew.order(node.name(), errand).await?;
            let tasks = NodeTasks::new(node.clone(), self.log.id().to_owned());
            let taken = Remote(node).done(&tasks, &done.tasks).await;
            taken.map_err(|error| ErrandError::Failed(error.to_string()))
        };
        let late = || Err(ErrandError::Failed("it takes too long".to_owned()));
        match timeout(MENDING, sending).await.unwrap_or_else(|_| late()) {
            Ok(()) => Sent::Taken,
            Err(ErrandError::Written) => Sent::Changing,
            Err(error) => {
                tracing::warn!(node = node.name(), index, %error, "node does not take the settings");
                Sent::NotTaken
            }
        }
    }
}

async fn get(node: &Node, path: &str) -> Option<Answer> {
    let path: Uri = path.parse().ok()?;
    let answer = node.ask(&NodeRequest::get(path), TIMEOUT).await.ok()?;
    (answer.status == StatusCode::OK).then_some(answer)
}
