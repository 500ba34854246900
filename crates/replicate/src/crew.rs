//! The appliers, one for each node, and what they are ordered to do beside the log.

use std::{collections::BTreeMap, sync::Arc};

use miroir_log::Log;
use miroir_nodes::Node;
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
};

use crate::{
    applier::{Applier, Done, Errand, ErrandError, Ordered, Shared},
    failures::Failures,
    payloads::Payloads,
    progress::Progress,
    release::Release,
    topology::CurrentTopology,
};

/// Errands that wait for one node.
const WAITING: usize = 16;

/// Starts and stops appliers.
pub(crate) struct Crew {
    log: Arc<dyn Log>,
    progress: Arc<Progress>,
    release: Arc<Release>,
    payloads: Arc<Payloads>,
    failures: Arc<Failures>,
    topology: CurrentTopology,
    members: Mutex<BTreeMap<String, Member>>,
}

/// A running applier; it ends when this is dropped.
struct Member {
    orders: mpsc::Sender<Ordered>,
    task: AbortHandle,
}

impl Crew {
    pub(crate) fn new(
        log: Arc<dyn Log>,
        progress: Arc<Progress>,
        (release, payloads): (Arc<Release>, Arc<Payloads>),
        topology: CurrentTopology,
    ) -> Self {
        let failures = Arc::new(Failures::new(log.clone(), progress.clone(), payloads.clone()));
        Self { log, progress, release, payloads, failures, topology, members: Mutex::default() }
    }

    /// What gives access to payloads.
    pub(crate) fn payloads(&self) -> &Arc<Payloads> {
        &self.payloads
    }

    /// Starts sending a node its part of the log, from where it is known to be, on connections of its own.
    pub(crate) fn start(&self, node: &Node) {
        let (orders, ordered) = mpsc::channel(WAITING);
        let shared = Shared {
            log: self.log.clone(),
            progress: self.progress.clone(),
            release: self.release.clone(),
            payloads: self.payloads.clone(),
            failures: self.failures.clone(),
            topology: self.topology.clone(),
        };
        let applier = Applier::new(shared, node.with_own_connections(), ordered);
        let task = tokio::spawn(applier.run()).abort_handle();
        self.members.lock().insert(node.name().to_owned(), Member { orders, task });
    }

    /// Whether it is sent its part.
    pub(crate) fn has(&self, node: &str) -> bool {
        self.members.lock().contains_key(node)
    }

    /// Stops sending it anything.
    pub(crate) fn stop(&self, node: &str) {
        self.members.lock().remove(node);
    }

    /// Has a node's applier do something, and waits until it is with the node. It is done when the node's tasks are.
    pub(crate) async fn order(&self, node: &str, errand: Errand) -> Result<Done, ErrandError> {
        let orders = self.members.lock().get(node).map(|member| member.orders.clone());
        let (reply, answer) = oneshot::channel();
        let orders = orders.ok_or(ErrandError::Gone)?;
        orders.send(Ordered { errand, reply }).await.map_err(|_| ErrandError::Gone)?;
        answer.await.map_err(|_| ErrandError::Gone)?
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.task.abort();
    }
}
