//! Decides entries in log order, ahead of every node: whether they are applied, and what that does to their index.

mod heads;
mod prepare;
mod rehearsal;
mod swap;

use std::{sync::Arc, time::Duration};

use miroir_log::{Entry, Finished, Log, LogError, LoggedEntry, Operation};
use time::OffsetDateTime;
use tokio::sync::watch;

use self::{heads::Heads, prepare::Preparer};
use crate::{
    chores::{ChoreEnd, Chores},
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

    /// Looks for tasks about tasks among entries whose turn has not come, while the next one has to wait. True where
    /// there was one.
    async fn do_what_cannot_wait(&mut self, next_ones: &[LoggedEntry]) -> Result<bool, LogError> {
        let mut found = self.first_chore(next_ones).await?;
        while found.is_none() {
            let entries = self.log.entries(self.seen, BATCH).await?;
            let Some(last) = entries.last() else { return Ok(false) };
            found = self.first_chore(&entries).await?;
            self.seen = last.entry.uid + 1;
        }
        if let Some(entry) = found {
            self.do_chore(&entry).await?;
        }
        Ok(true)
    }

    /// Waits until everything before an entry is done, and does what cannot wait as long. False where tasks were canceled or
    /// deleted meanwhile, which may change what comes next.
    async fn wait_for_all_before(
        &mut self,
        uid: u32,
        next_ones: &[LoggedEntry],
        appended: &mut watch::Receiver<u32>,
    ) -> Result<bool, LogError> {
        let mut finished = self.progress.finished();
        loop {
            appended.mark_unchanged();
            if self.do_what_cannot_wait(next_ones).await? {
                return Ok(false);
            }
            tokio::select! {
                biased;
                // The sender lives as long as the progress that this holds.
                _ = finished.wait_for(|finished| *finished >= uid) => return Ok(true),
                changed = appended.changed() => changed.map_err(|_| LogError::Closed)?,
            }
        }
    }

    /// The first of these that is a task about tasks to be done now.
    async fn first_chore(&self, entries: &[LoggedEntry]) -> Result<Option<Entry>, LogError> {
        for logged in entries.iter().filter(|logged| is_chore(logged)) {
            if !self.waits_for_others(&logged.entry).await? {
                return Ok(Some(logged.entry.clone()));
            }
        }
        Ok(None)
    }

    /// Whether a deletion of tasks is about one that comes before it and has not ended. It is then done in its turn, when
    /// that has; any other one at once.
    async fn waits_for_others(&self, entry: &Entry) -> Result<bool, LogError> {
        let Operation::TaskDeletion { tasks, .. } = &entry.operation else { return Ok(false) };
        let mut from = *self.progress.finished().borrow();
        if tasks.ranges().last().is_none_or(|(_, last)| *last < from) {
            return Ok(false);
        }
        loop {
            let open = self.log.unfinished(from, BATCH).await?;
            let before = open.iter().map(|logged| logged.entry.uid).take_while(|uid| *uid < entry.uid);
            let before: Vec<u32> = before.collect();
            if before.iter().any(|uid| tasks.contains(*uid)) {
                return Ok(true);
            }
            match before.last() {
                Some(last) if before.len() == open.len() => from = last + 1,
                _ => return Ok(false),
            }
        }
    }

    /// Has the gateway do an entry once everything before it is done. Nothing behind it is decided meanwhile, but for what
    /// cannot wait while nothing has begun.
    async fn do_in_place(
        &mut self,
        entry: &Entry,
        next_ones: &[LoggedEntry],
        appended: &mut watch::Receiver<u32>,
    ) -> Result<Decided, LogError> {
        if !self.wait_for_all_before(entry.uid, next_ones, appended).await? {
            return Ok(Decided::Some);
        }
        self.log.start(&[entry.uid]).await?;
        let ChoreEnd { outcome, details } = self.chores.have_done(entry.clone()).await;
        let end = Finished {
            uid: entry.uid,
            outcome,
            details,
            started_at: None,
            finished_at: OffsetDateTime::now_utc(),
            catalog: Vec::new(),
            renames: Vec::new(),
        };
        self.log.finish(vec![end]).await?;
        Ok(Decided::Some)
    }

    /// Cancels or deletes tasks. Where some are canceled, everything that has not been released is decided again: it was
    /// decided for indexes as they would have been after them.
    async fn do_chore(&mut self, entry: &Entry) -> Result<Decided, LogError> {
        if !matches!(entry.operation, Operation::TaskCancelation { .. }) {
            self.log.delete_tasks(entry.uid).await?;
            return Ok(Decided::Some);
        }
        let _held = self.release.hold().await;
        let position = self.release.position();
        let canceled = self.log.cancel(entry.uid, position).await?;
        if canceled.iter().next().is_some_and(|first| first < self.next) {
            self.release.take_back();
            self.heads.go_back(position);
            self.next = position;
            self.progress.set_prepared(position);
        }
        Ok(Decided::Some)
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

/// Whether an entry is a task about tasks that is yet to be done.
fn is_chore(logged: &LoggedEntry) -> bool {
    logged.entry.operation.is_about_tasks() && !logged.status.is_finished()
}
