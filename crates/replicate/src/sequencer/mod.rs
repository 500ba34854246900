//! Decides entries in log order, ahead of every node: whether they are applied, and what that does to their index.

mod heads;
mod in_place;
mod prepare;
mod rehearsal;
mod swap;

use std::{sync::Arc, time::Duration};

use miroir_log::{Log, LogError};
use tokio::sync::watch;

use self::{heads::Heads, in_place::is_chore, prepare::Preparer};
use crate::{
    chores::Chores,
    head::{Head, HeadChange},
    payloads::Payloads,
    prepared::Prepared,
    progress::Progress,
    release::Release,
    topology::CurrentTopology,
    work::Work,
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
    release: Arc<Release>,
    chores: Chores,
    preparer: Preparer,
    heads: Heads,
    next: u32,
    /// Entries before it have been looked at for what cannot wait for its turn.
    seen: u32,
}

/// How deciding went.
enum Decided {
    /// There was something to decide, or to be done again.
    Some,
    /// Nothing is left to decide.
    All,
}

impl Sequencer {
    /// Takes up where the log says that entries were released: the catalog holds the effect of everything finished, the
    /// decisions since are taken in again. What nobody was sent is decided anew, as decisions on what is canceled
    /// before it may be missing.
    pub(crate) async fn resume(
        log: Arc<dyn Log>,
        progress: Arc<Progress>,
        payloads: Arc<Payloads>,
        topology: CurrentTopology,
        chores: Chores,
    ) -> Result<Self, LogError> {
        let mut head = Head::from_catalog(&log.catalog());
        // What has ended without a decision, as it was canceled, has none to be taken in but is yet to be given one.
        let mut next = log.positions().head.min(*progress.finished().borrow());
        'log: loop {
            let decided = Work::read(&*log, next, BATCH).await?;
            if decided.is_empty() {
                break;
            }
            for work in decided {
                if !work.started && !work.finished {
                    break 'log;
                }
                head.apply(&work.entry, &work.prepared);
                next = work.uid() + 1;
            }
        }
        progress.set_prepared(next);
        let preparer = Preparer::new(log.clone(), payloads, topology, progress.clone());
        let release = Arc::new(Release::new(log.clone(), progress.clone(), next));
        Ok(Self { log, progress, release, chores, preparer, heads: Heads::new(head), next, seen: next })
    }

    /// Says which entries may be sent.
    pub(crate) fn release(&self) -> Arc<Release> {
        self.release.clone()
    }

    /// Decides until the log is closed.
    pub(crate) async fn run(mut self) {
        let mut appended = self.log.appended();
        loop {
            match self.decide_some(&mut appended).await {
                Ok(Decided::Some) => {}
                Ok(Decided::All) => {
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

    /// Decides the next few entries. What cannot be decided now keeps back nothing before it, and nothing has changed
    /// where this fails.
    async fn decide_some(&mut self, appended: &mut watch::Receiver<u32>) -> Result<Decided, LogError> {
        let entries = self.log.entries(self.next, BATCH).await?;
        if entries.is_empty() {
            return Ok(Decided::All);
        }
        let mut head = self.heads.latest().clone();
        let mut decisions = Vec::with_capacity(entries.len());
        let mut bytes = 0;
        for logged in &entries {
            let entry = &logged.entry;
            if is_chore(logged) && !self.waits_for_others(entry).await? {
                if decisions.is_empty() {
                    return self.do_chore(entry).await;
                }
                break;
            }
            if entry.operation.is_of_the_gateway() && !logged.status.is_finished() {
                if decisions.is_empty() {
                    return self.do_in_place(entry, &entries, appended).await;
                }
                break;
            }
            if bytes > BATCH_BYTES {
                break;
            }
            let prepared = if logged.status.is_finished() {
                Ok(Some(Prepared::Settled))
            } else {
                self.preparer.prepare(&head, entry).await
            };
            let prepared = match prepared {
                Ok(Some(prepared)) => prepared,
                Ok(None) if decisions.is_empty() => {
                    self.wait_for_all_before(entry.uid, &entries, appended).await?;
                    return Ok(Decided::Some);
                }
                Err(error) if decisions.is_empty() => return Err(error),
                // It is decided once those before it are recorded.
                Ok(None) | Err(_) => break,
            };
            let changes = head.apply(entry, &prepared);
            bytes += entry.operation.payload().map_or(0, |payload| payload.bytes);
            decisions.push(Decision {
                uid: entry.uid,
                changes,
                finished: logged.status.is_finished(),
                prepared,
            });
        }
        self.record(decisions).await?;
        Ok(Decided::Some)
    }

    /// Records decisions and lets the appliers have them.
    async fn record(&mut self, decisions: Vec<Decision>) -> Result<(), LogError> {
        let _held = self.release.hold().await;
        let decided = self.log.positions().head;
        let position = self.release.position();
        let next = self.next + u32::try_from(decisions.len()).map_err(|_| LogError::Exhausted)?;
        let mut values = Vec::with_capacity(decisions.len());
        // What is over keeps the decision it has.
        for decision in decisions.iter().filter(|decision| !decision.finished || decision.uid >= decided) {
            values.push((decision.uid, decision.to_value()?));
        }
        let wanted = position == self.next && self.release.is_wanted();
        let sent = |decision: &&Decision| !wanted && decision.prepared.is_sent();
        let free = decisions.iter().take_while(|decision| position == self.next && !sent(decision)).count();
        let uids: Vec<u32> = decisions.iter().take(free).map(|decision| decision.uid).collect();
        if self.next < decided {
            self.release.take_back();
        }
        self.log.prepare_and_start(values, &uids).await?;
        for decision in decisions {
            self.heads.push(decision.uid, decision.changes);
        }
        if let Some(last) = uids.last() {
            self.release.set_position(last + 1, wanted);
        }
        self.heads.settle(self.release.position());
        self.next = next;
        self.seen = self.seen.max(next);
        self.progress.set_prepared(next);
        Ok(())
    }
}

/// What is decided on one entry, before it is recorded.
struct Decision {
    uid: u32,
    prepared: Prepared,
    changes: Vec<HeadChange>,
    finished: bool,
}

impl Decision {
    fn to_value(&self) -> Result<serde_json::Value, LogError> {
        serde_json::to_value(&self.prepared)
            .map_err(|error| LogError::Damaged(format!("decision on {}: {error}", self.uid)))
    }
}
