//! A look at every node from time to time, so that one nobody talks to is known to be down, or back.

use std::{future::Future, sync::Arc, time::Duration};

use futures_util::future::join_all;
use http::Uri;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::{
    fleet::Fleet,
    node::Node,
    request::{Answer, NodeRequest},
    witness::Witness,
};

/// How soon a node is looked at whose connection broke, and no sooner again.
const SOON: Duration = Duration::from_millis(50);

/// Asks each node for its newest task at an interval. The outcome goes into the node's `Health`, as any request's does,
/// and so does what it says of the node's data.
pub struct Prober {
    fleet: Box<dyn Fn() -> Arc<Fleet> + Send + Sync>,
    interval: Duration,
    timeout: Duration,
}

#[derive(Deserialize)]
struct Page {
    results: Vec<Task>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    uid: u32,
    enqueued_at: Option<String>,
}

impl Prober {
    /// A prober that asks the nodes that there are every `interval` and waits `timeout` for each answer. Nodes come and
    /// go: `fleet` gives the same value as long as they are the same. They should have connections of their own.
    pub fn new(
        fleet: impl Fn() -> Arc<Fleet> + Send + Sync + 'static,
        interval: Duration,
        timeout: Duration,
    ) -> Self {
        Self { fleet: Box::new(fleet), interval, timeout }
    }

    /// Probes until dropped. Nodes are looked at independently: one that hangs keeps nobody from looking at the others.
    pub async fn run(self) {
        loop {
            let fleet = (self.fleet)();
            let looking = fleet.iter().map(|node| self.watch(node));
            tokio::select! {
                biased;
                _ = join_all(looking), if !fleet.is_empty() => {}
                () = self.changed(&fleet) => {}
            }
        }
    }

    async fn watch(&self, node: &Node) {
        loop {
            probe(node, self.timeout).await;
            try_again(node, self.timeout).await;
            tokio::select! {
                biased;
                () = sleep(self.interval) => {}
                () = node.health().wanted() => sleep(SOON).await,
            }
        }
    }

    /// Waits until the nodes are others.
    async fn changed(&self, fleet: &Arc<Fleet>) {
        while Arc::ptr_eq(&(self.fleet)(), fleet) {
            sleep(self.interval).await;
        }
    }
}

/// Asks a node that reads leave alone for being slow what it was slow with, as nobody else does.
async fn try_again(node: &Node, timeout: Duration) {
    let slowness = node.health().slowness();
    let Some(kept) = slowness.to_try() else { return };
    let start = Instant::now();
    if node.ask(&kept.read, timeout).await.is_ok() {
        slowness.tried(&kept, start.elapsed());
    }
}

/// Where a node says which task has ended on it last.
pub const NEWEST_ENDED: &str = "/tasks?limit=1&statuses=succeeded,failed,canceled";

/// The newest ended task of an answer to [`NEWEST_ENDED`], where it lists any; `None` where it is no list.
pub(crate) fn newest_ended(answer: &Answer) -> Option<Option<u32>> {
    let page = serde_json::from_slice::<Page>(&answer.body).ok().filter(|_| answer.status.is_success())?;
    Some(page.results.first().map(|task| task.uid))
}

/// By what a node with this answer to [`NEWEST_ENDED`] is known again.
fn witness(answer: &Answer) -> Option<Witness> {
    let newest = serde_json::from_slice::<Page>(&answer.body).ok()?.results.into_iter().next()?;
    Some(Witness { task: newest.uid, enqueued_at: newest.enqueued_at? })
}

/// Looks at one node. False where it does not answer, or its data are not what it was given.
pub fn probe(node: &Node, timeout: Duration) -> impl Future<Output = bool> + Send {
    let node = node.clone();
    async move {
        let request = NodeRequest::get(Uri::from_static(NEWEST_ENDED));
        let was_up = node.health().is_up();
        let known = node.health().newest_ended();
        let Ok(answer) = node.ask(&request, timeout).await else { return false };
        let Some(newest) = newest_ended(&answer) else {
            tracing::debug!(node = node.name(), status = %answer.status, "node does not list its tasks");
            return false;
        };
        if node.health().verify(known, newest) {
            tracing::error!(
                node = node.name(),
                "node has lost data that it was given, it is not read any more"
            );
        }
        let known_by = |task| node.health().witness().is_some_and(|witness| witness.task == task);
        if node.health().is_trusted() && newest.is_some_and(|newest| !known_by(newest)) {
            witness(&answer).into_iter().for_each(|witness| node.health().is_known_by(witness));
        }
        if !was_up && node.health().is_up() {
            tracing::info!(node = node.name(), "node is back");
        }
        node.health().is_trusted()
    }
}

impl std::fmt::Debug for Prober {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prober").field("interval", &self.interval).finish_non_exhaustive()
    }
}
