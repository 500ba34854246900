//! Decides entries in log order, ahead of every node: whether they are applied, and what that does to their index.

mod prepare;

use std::{sync::Arc, time::Duration};

use miroir_log::{Entry, Log, LogError, LoggedEntry};

use self::prepare::Preparer;
use crate::{
    fleet_state::FleetState, head::Head, payloads::Payloads, prepared::Prepared, progress::Progress,
    topology::CurrentTopology, work::Work,
};

/// How many entries are decided before the decisions are recorded together.
const BATCH: usize = 256;
/// After so many bytes of payloads they are recorded as they are: no node waits for the next gigabyte to be looked through.
const BATCH_BYTES: u64 = 16 << 20;
/// How long after a failure of the log it is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// The one task that decides entries.
pub(crate) struct Sequencer {
    log: Arc<dyn Log>,
    progress: Arc<Progress>,
    preparer: Preparer,
    head: Head,
    next: u32,
}

impl Sequencer {
    /// Takes up where the log says decisions end: the catalog holds the effect of everything finished, the decisions
    /// since are taken in again.
    pub(crate) async fn resume(
        log: Arc<dyn Log>,
        progress: Arc<Progress>,
        payloads: Arc<Payloads>,
        topology: CurrentTopology,
    ) -> Result<Self, LogError> {
        let mut head = Head::from_catalog(&log.catalog());
        let mut next = *progress.finished().borrow();
        loop {
            let decided = Work::read(&*log, next, BATCH).await?;
            if decided.is_empty() {
                break;
            }
            for work in decided {
                head.apply(&work.entry, &work.prepared);
                next = work.uid() + 1;
            }
        }
        progress.set_prepared(next);
        let preparer = Preparer::new(payloads, FleetState::new(topology, progress.clone()), progress.clone());
        Ok(Self { log, progress, preparer, head, next })
    }

    /// Decides until the log is closed.
    pub(crate) async fn run(mut self) {
        let mut appended = self.log.appended();
        loop {
            match self.decide_some().await {
                Ok(true) => {}
                Ok(false) => {
                    if appended.wait_for(|next| *next > self.next).await.is_err() {
                        return;
                    }
                }
                Err(LogError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, next = self.next, "decision not recorded, trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Decides the next few entries; false where there is none. What cannot be decided now keeps back nothing before it,
    /// and nothing has changed where this fails.
    async fn decide_some(&mut self) -> Result<bool, LogError> {
        let entries = self.log.entries(self.next, BATCH).await?;
        if entries.is_empty() {
            return Ok(false);
        }
        let mut head = self.head.clone();
        let mut decisions = Vec::with_capacity(entries.len());
        let mut bytes = 0;
        for LoggedEntry { entry, .. } in &entries {
            // A decision that needs to see the nodes after all before it cannot wait for its own batch.
            if !decisions.is_empty() && (bytes > BATCH_BYTES || Preparer::needs_quiet(&head, entry)) {
                break;
            }
            let prepared = match self.preparer.prepare(&head, entry).await {
                Ok(prepared) => prepared,
                Err(error) if decisions.is_empty() => return Err(error),
                Err(_) => break,
            };
            head.apply(entry, &prepared);
            bytes += entry.operation.payload().map_or(0, |payload| payload.bytes);
            decisions.push((entry.uid, as_value(&prepared, entry)?));
        }
        let uids: Vec<u32> = decisions.iter().map(|(uid, _)| *uid).collect();
        let next = self.next + u32::try_from(decisions.len()).map_err(|_| LogError::Exhausted)?;
        self.log.record_prepared(decisions).await?;
        self.log.start(&uids).await?;
        self.head = head;
        self.next = next;
        self.progress.set_prepared(next);
        Ok(true)
    }
}

fn as_value(prepared: &Prepared, entry: &Entry) -> Result<serde_json::Value, LogError> {
    serde_json::to_value(prepared)
        .map_err(|error| LogError::Damaged(format!("decision on {}: {error}", entry.uid)))
}
