//! One worker for each webhook.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use miroir_log::Log;
use miroir_protocol::webhooks::Webhook;
use miroir_replicate::Progress;
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;

use super::{All, Webhooks, delivery};

/// How many tasks are told of at once.
const AT_ONCE: usize = 1_000;
/// How often the list is looked at even where no task seems to have ended: a cancelation says nothing.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// After a failure of the log it is tried again so much later.
const RETRY: Duration = Duration::from_secs(1);

/// Keeps a worker for every webhook and takes off the list what all of them have told.
pub(crate) struct Sender {
    log: Arc<dyn Log>,
    progress: Arc<Progress>,
    changes: watch::Receiver<All>,
    workers: BTreeMap<Uuid, Worker>,
}

struct Worker {
    webhook: Webhook,
    /// The place in the list up to which it has told.
    told: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

// === impl Sender ===

impl Sender {
    pub(crate) fn new(webhooks: &Webhooks, progress: Arc<Progress>) -> Self {
        let (log, changes) = (webhooks.log.clone(), webhooks.subscribe());
        Self { log, progress, changes, workers: BTreeMap::new() }
    }

    /// Sends until it is stopped.
    pub(crate) async fn run(mut self) {
        let mut forgotten = 0;
        loop {
            self.adjust();
            let told = self.workers.values().map(|worker| worker.told.load(Ordering::Acquire)).min();
            // With nobody to tell, what is listed is of no use.
            let told = told.unwrap_or(u64::MAX >> 1);
            let wanted = !self.workers.is_empty() || forgotten != told;
            if told > forgotten && wanted {
                match self.log.forget_ends(told).await {
                    Ok(()) => forgotten = told,
                    Err(error) => tracing::warn!(%error, "ended tasks stay listed"),
                }
            }
            if self.workers.is_empty() {
                if self.changes.changed().await.is_err() {
                    return;
                }
                forgotten = 0;
            } else {
                tokio::select! {
                    changed = self.changes.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(RETRY) => {}
                }
            }
        }
    }

    /// A worker for each webhook as it is now. One that was changed goes on where it was.
    fn adjust(&mut self) {
        let all = self.changes.borrow_and_update().clone();
        self.workers.retain(|uuid, worker| {
            let stays = all.contains_key(uuid);
            if !stays {
                worker.task.abort();
            }
            stays
        });
        for (uuid, webhook) in all {
            let told = match self.workers.get(&uuid) {
                Some(worker) if worker.webhook == webhook => continue,
                Some(worker) => {
                    worker.task.abort();
                    worker.told.clone()
                }
                None => Arc::default(),
            };
            let work = tell(uuid, webhook.clone(), self.log.clone(), self.progress.clone(), told.clone());
            self.workers.insert(uuid, Worker { webhook, told, task: tokio::spawn(work) });
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.workers.values().for_each(|worker| worker.task.abort());
    }
}

/// Tells one webhook of every task on the list.
async fn tell(
    uuid: Uuid,
    webhook: Webhook,
    log: Arc<dyn Log>,
    progress: Arc<Progress>,
    told: Arc<AtomicU64>,
) {
    let mut finished = progress.finished();
    loop {
        finished.mark_unchanged();
        let ends = match log.ends(told.load(Ordering::Acquire), AT_ONCE).await {
            Ok(ends) => ends,
            Err(error) => {
                tracing::warn!(%error, "ended tasks cannot be read");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        let Some((last, _)) = ends.last().copied() else {
            tokio::select! {
                _ = finished.changed() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            continue;
        };
        let mut tasks = Vec::with_capacity(ends.len());
        for (_, uid) in ends {
            match log.task(uid).await {
                Ok(task) => tasks.extend(task),
                Err(error) => tracing::warn!(%error, uid, "an ended task cannot be read"),
            }
        }
        if !tasks.is_empty() {
            delivery::deliver(uuid, &webhook, &tasks).await;
        }
        told.store(last, Ordering::Release);
    }
}
