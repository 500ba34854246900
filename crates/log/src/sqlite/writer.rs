//! What writes: many calls, one transaction.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use miroir_protocol::tasks::TaskView;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::mpsc;

use super::{
    apply::Staged,
    checkpoints::Checkpoints,
    command::{Command, Job, Reply},
    ledger::Ledger,
    options::Clock,
    place::Place,
    shared::Shared,
};
use crate::{
    catalog::{Catalog, CatalogChange},
    error::{LogError, Result},
    failpoints::Failpoints,
    log::Compaction,
};

/// How many calls are committed together at most.
const GROUP: usize = 1_024;

/// How many bytes are committed together, about.
const GROUP_BYTES: usize = 8 << 20;

/// A commit that the disk takes longer over is told of: nothing else keeps writes waiting.
const LONG: Duration = Duration::from_millis(500);

/// The writer's state.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) ledger: Ledger,
    pub(super) shared: Arc<Shared>,
    pub(super) place: Place,
    pub(super) clock: Clock,
    /// Whether a commit waits for the disk.
    pub(super) syncs: bool,
    /// Where there is none, commits bring the database up to date.
    pub(super) checkpoints: Option<Checkpoints>,
    pub(super) failpoints: Failpoints,
}

/// What a commit makes visible.
struct Commit {
    ledger: Ledger,
    tasks: Vec<TaskView>,
    deleted: Vec<u32>,
    renames: Vec<(u32, String, String)>,
    catalog: Vec<CatalogChange>,
    replies: Vec<Result<Reply>>,
}

// === impl Writer ===

impl Writer {
    /// Writes until nobody can ask for it any more.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut weight = first.command.weight();
            let mut group = vec![first];
            while group.len() < GROUP && weight < GROUP_BYTES {
                let Ok(job) = jobs.try_recv() else { break };
                weight += job.command.weight();
                group.push(job);
            }
            let (compactions, group): (Vec<_>, Vec<_>) =
                group.into_iter().partition(|job| matches!(job.command, Command::Compact));
            if !group.is_empty() && self.serve(group).is_err() {
                // Only a failpoint gets here: nobody is answered, as if the process had died.
                return;
            }
            if let Some(checkpoints) = &mut self.checkpoints {
                checkpoints.committed(weight);
            }
            for job in compactions {
                let _ = job.reply.send(self.compact().map(Reply::Compacted));
            }
        }
    }

    /// Commits the group as one; if that fails, each call on its own, so that one that is too big
    /// for the room left does not take the others with it.
    pub(super) fn serve(&mut self, mut group: Vec<Job>) -> Result<()> {
        match self.commit(&group) {
            Ok(replies) => {
                for (job, reply) in group.into_iter().zip(replies) {
                    // Whoever does not wait any more does not want to know.
                    let _ = job.reply.send(reply);
                }
            }
            Err(LogError::Closed) => return Err(LogError::Closed),
            Err(error) if group.len() == 1 => {
                tracing::warn!(%error, cause = ?std::error::Error::source(&error), "the write log could not commit");
                if let Some(job) = group.pop() {
                    let _ = job.reply.send(Err(error));
                }
            }
            Err(_) => group.into_iter().try_for_each(|job| self.serve(vec![job]))?,
        }
        Ok(())
    }

    /// Writes the database anew without what is free in it.
    fn compact(&self) -> Result<Compaction> {
        let size = || -> Result<u64> {
            let number = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
            Ok(number("page_count")? * number("page_size")?)
        };
        let before = size()?;
        // The new pages are in the write-ahead log; the file is cut once they are in their places.
        self.connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")?;
        Ok(Compaction { before, after: size()? })
    }

    fn commit(&mut self, group: &[Job]) -> Result<Vec<Result<Reply>>> {
        let hints = group.iter().all(|job| job.command.is_hint());
        let commit = self.write(group, hints)?;
        self.ledger = commit.ledger.clone();
        self.shared.has_hints.store(hints, Ordering::Release);
        let replies = self.publish(commit);
        self.failpoints.hit("write.published")?;
        Ok(replies)
    }

    fn write(&mut self, group: &[Job], hints: bool) -> Result<Commit> {
        self.place.check()?;
        // Without the sync the order is kept: the next full commit makes this one durable as well.
        let synchronous = match (self.syncs, hints) {
            (false, _) => "OFF",
            (true, true) => "NORMAL",
            (true, false) => "FULL",
        };
        self.connection.pragma_update(None, "synchronous", synchronous)?;
        self.failpoints.hit("write.begin")?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut staged = Staged::new(self.ledger.clone(), &transaction, &self.shared, (self.clock)());
        let mut replies = Vec::with_capacity(group.len());
        for job in group {
            replies.push(match staged.apply(&job.command) {
                Err(error) if error.is_of_the_store() => return Err(error),
                reply => reply,
            });
            self.failpoints.hit("write.applied")?;
        }
        staged.ledger.save(&self.ledger, &transaction)?;
        let Staged { ledger, tasks, deleted, renames, catalog, .. } = staged;
        self.failpoints.hit("write.commit")?;
        let began = Instant::now();
        transaction.commit()?;
        let took = began.elapsed();
        if took > LONG {
            tracing::warn!(?took, calls = group.len(), "the disk kept writes waiting");
        }
        self.failpoints.hit("write.committed")?;
        Ok(Commit { ledger, tasks: tasks.into_values().collect(), deleted, renames, catalog, replies })
    }

    /// Shows readers what was committed: the catalog before the tasks, so that whoever sees a task
    /// succeeded sees what it did.
    fn publish(&self, commit: Commit) -> Vec<Result<Reply>> {
        if !commit.catalog.is_empty() {
            let mut indexes = Catalog::clone(&self.shared.catalog.load());
            commit.catalog.iter().for_each(|change| indexes.apply(change));
            self.shared.catalog.store(Arc::new(indexes));
            self.shared.catalog_changes.fetch_add(1, Ordering::AcqRel);
        }
        self.shared.recent.rename(&commit.renames);
        self.shared.recent.put(commit.tasks);
        self.shared.recent.remove(&commit.deleted);
        *self.shared.positions.write() = self.ledger.positions;
        let next = self.ledger.positions.next;
        self.shared.appended.send_if_modified(|seen| std::mem::replace(seen, next) != next);
        commit.replies
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}
