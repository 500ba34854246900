//! What the gateway does itself instead of sending it to nodes: tasks about tasks, and what is done once all before it is.

use miroir_log::{Entry, Finished, LogError, LoggedEntry, Operation};
use time::OffsetDateTime;
use tokio::sync::watch;

use super::{BATCH, Decided, Sequencer};
use crate::chores::ChoreEnd;

// === impl Sequencer ===

impl Sequencer {
    /// Looks for tasks about tasks among entries whose turn has not come, while the next one has to wait. True where
    /// there was one.
    pub(super) async fn do_what_cannot_wait(&mut self, next_ones: &[LoggedEntry]) -> Result<bool, LogError> {
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
    pub(super) async fn wait_for_all_before(
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
    pub(super) async fn waits_for_others(&self, entry: &Entry) -> Result<bool, LogError> {
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
    pub(super) async fn do_in_place(
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
    pub(super) async fn do_chore(&mut self, entry: &Entry) -> Result<Decided, LogError> {
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

/// Whether an entry is a task about tasks that is yet to be done.
pub(super) fn is_chore(logged: &LoggedEntry) -> bool {
    logged.entry.operation.is_about_tasks() && !logged.status.is_finished()
}
