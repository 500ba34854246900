//! Doing one command inside the group's transaction.
//!
//! Every function here checks all there is to check before it writes anything, so a command that is
//! refused has left nothing in the transaction that the others of its group commit.

use std::{collections::HashMap, sync::atomic::Ordering};

use miroir_protocol::tasks::{Kind, TaskView};
use rusqlite::Connection;
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    command::{Command, Reply},
    ledger::Ledger,
    rows::{find_task, to_json, to_nanos},
    shared::{Recent, Shared},
};
use crate::{
    catalog::CatalogChange,
    entry::{Entry, Finished, NewEntry},
    error::{LogError, Result},
    payload_ref::PayloadContent,
    record,
};

/// A group's changes, before they are committed.
#[derive(Debug)]
pub(super) struct Staged<'a> {
    pub(super) ledger: Ledger,
    /// The tasks that changed, as they are now.
    pub(super) tasks: HashMap<u32, TaskView>,
    pub(super) catalog: Vec<CatalogChange>,
    /// Tasks that are shown no more.
    pub(super) deleted: Vec<u32>,
    /// Index names that have changed places in the tasks before the one with this uid.
    pub(super) renames: Vec<(u32, String, String)>,
    pub(super) connection: &'a Connection,
    recent: &'a Recent,
    pub(super) keeps_ends: bool,
    pub(super) now: OffsetDateTime,
}

// === impl Staged ===

impl<'a> Staged<'a> {
    pub(super) fn new(
        ledger: Ledger,
        connection: &'a Connection,
        shared: &'a Shared,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            ledger,
            tasks: HashMap::new(),
            catalog: Vec::new(),
            deleted: Vec::new(),
            renames: Vec::new(),
            connection,
            recent: &shared.recent,
            keeps_ends: shared.keeps_ends.load(Ordering::Acquire),
            now,
        }
    }

    pub(super) fn apply(&mut self, command: &Command) -> Result<Reply> {
        match command {
            Command::Append(entry, None) => self.append(entry),
            Command::Append(entry, Some(once)) => self.append_once(entry, once),
            Command::ForgetEnds { place } => self.forget_ends(*place),
            Command::Prepare(decisions, started) => self.prepare(decisions, started),
            Command::Cancel { by, from } => self.cancel(*by, *from),
            Command::DeleteTasks { by } => self.delete_tasks(*by),
            Command::Finish(finished) => self.finish(finished),
            Command::Advance { node, uid, ended } => self.advance(node, *uid, *ended),
            Command::Settle => self.settle(),
            Command::ForgetNode { node } => self.forget_node(node),
            Command::SaveMap(map) => self.save_map(map),
            Command::PutRecord { kind, id, json } => self.put_record(*kind, id, json),
            Command::DeleteRecord { kind, id } => self.delete_record(*kind, id),
            Command::Trim { below } => self.trim(*below),
            // The writer does it outside of any transaction.
            Command::Compact => Err(LogError::Closed),
        }
    }

    pub(super) fn append(&mut self, new: &NewEntry) -> Result<Reply> {
        let uid = self.ledger.positions.next;
        let next = uid.checked_add(1).ok_or(LogError::Exhausted)?;
        let entry = Entry {
            uid,
            index_uid: new.index_uid.clone(),
            operation: new.operation.clone(),
            custom_metadata: new.custom_metadata.clone(),
            enqueued_at: self.ledger.tick(self.now),
        };
        let task = record::enqueued(&entry);
        self.insert_entry(&entry, &task)?;
        self.insert_payload(&entry)?;
        self.ledger.positions.next = next;
        self.tasks.insert(uid, task);
        Ok(Reply::Entry(Box::new(entry)))
    }

    fn insert_entry(&self, entry: &Entry, task: &TaskView) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO entries (uid, index_uid, kind, operation, custom_metadata, enqueued_at, status, \
                 details) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute((
                entry.uid,
                &entry.index_uid,
                task.kind.name(),
                to_json(&entry.operation)?,
                &entry.custom_metadata,
                to_nanos(entry.enqueued_at),
                task.status.name(),
                task.details.as_ref().map(to_json).transpose()?,
            ))?;
        for index in entry.operation.further_indexes() {
            let sql = "INSERT OR IGNORE INTO further_indexes (index_uid, uid) VALUES (?1, ?2)";
            self.connection.prepare_cached(sql)?.execute((index, entry.uid))?;
        }
        Ok(())
    }

    fn insert_payload(&self, entry: &Entry) -> Result<()> {
        let Some(payload) = entry.operation.payload() else { return Ok(()) };
        let (file, bytes) = match &payload.content {
            PayloadContent::File { name } => (Some(name), None),
            PayloadContent::Inline { bytes } => (None, Some(bytes.as_ref())),
            PayloadContent::Removed => return Ok(()),
        };
        let sql = "INSERT INTO payloads (uid, file, bytes) VALUES (?1, ?2, ?3)";
        self.connection.prepare_cached(sql)?.execute((entry.uid, file, bytes))?;
        Ok(())
    }

    fn prepare(&mut self, decisions: &[(u32, Value)], started: &[u32]) -> Result<Reply> {
        let mut expected = self.ledger.positions.head;
        for (uid, _) in decisions {
            if *uid >= self.ledger.positions.next {
                return Err(LogError::UnknownEntry(*uid));
            }
            if *uid > expected {
                return Err(LogError::OutOfOrder { expected, found: *uid });
            }
            if *uid == expected {
                expected += 1;
            } else {
                self.unfinished(*uid)?;
            }
        }
        let started = started.iter().map(|uid| self.task(*uid));
        // What is over and deleted is not started any more.
        let started = started.filter(|task| !matches!(task, Err(LogError::AlreadyFinished(_))));
        let tasks = started.collect::<Result<Vec<_>>>()?;
        let mut update = self.connection.prepare_cached("UPDATE entries SET prepared = ?2 WHERE uid = ?1")?;
        for (uid, decision) in decisions {
            update.execute((uid, to_json(decision)?))?;
        }
        self.ledger.positions.head = expected;
        self.start(tasks)?;
        Ok(Reply::Done)
    }

    fn start(&mut self, tasks: Vec<TaskView>) -> Result<()> {
        let mut update = self.connection.prepare_cached(
            "UPDATE entries SET status = ?2, batch_uid = ?3, started_at = ?4 WHERE uid = ?1",
        )?;
        let mut together: Option<(Option<String>, Kind, u32)> = None;
        for mut task in tasks {
            if task.started_at.is_some() || task.status.is_finished() {
                continue;
            }
            let batch = match &together {
                Some((index, kind, batch)) if *index == task.index_uid && *kind == task.kind => *batch,
                _ => self.ledger.new_batch(),
            };
            together = Some((task.index_uid.clone(), task.kind, batch));
            record::start(&mut task, batch, self.now);
            update.execute((task.uid, task.status.name(), batch, to_nanos(self.now)))?;
            self.tasks.insert(task.uid, task);
        }
        Ok(())
    }

    fn finish(&mut self, finished: &[Finished]) -> Result<Reply> {
        let mut tasks = HashMap::with_capacity(finished.len());
        for end in finished {
            if tasks.insert(end.uid, self.unfinished(end.uid)?).is_some() {
                return Err(LogError::AlreadyFinished(end.uid));
            }
        }
        for end in finished {
            let Some(mut task) = tasks.remove(&end.uid) else { continue };
            record::finish(&mut task, end);
            if task.batch_uid.is_none() {
                task.batch_uid = Some(self.ledger.new_batch());
            }
            self.update_finished(&task)?;
            for change in &end.catalog {
                self.change_catalog(change)?;
            }
            self.tasks.insert(end.uid, task);
            for (left, right) in &end.renames {
                self.rename(end.uid, left, right)?;
            }
        }
        Ok(Reply::Done)
    }

    pub(super) fn update_finished(&self, task: &TaskView) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE entries SET status = ?2, batch_uid = ?3, canceled_by = ?4, details = ?5, error = ?6, \
                 started_at = ?7, finished_at = ?8 WHERE uid = ?1",
            )?
            .execute((
                task.uid,
                task.status.name(),
                task.batch_uid,
                task.canceled_by,
                task.details.as_ref().map(to_json).transpose()?,
                task.error.as_ref().map(to_json).transpose()?,
                task.started_at.map(to_nanos),
                task.finished_at.map(to_nanos),
            ))?;
        self.note_end(task.uid)
    }

    fn change_catalog(&mut self, change: &CatalogChange) -> Result<()> {
        match change {
            CatalogChange::Put(record) => {
                let sql = "INSERT OR REPLACE INTO indexes (uid, record) VALUES (?1, ?2)";
                self.connection.prepare_cached(sql)?.execute((&record.uid, to_json(record)?))?;
            }
            CatalogChange::Remove { uid } => {
                self.connection.prepare_cached("DELETE FROM indexes WHERE uid = ?1")?.execute([uid])?;
            }
        }
        self.catalog.push(change.clone());
        Ok(())
    }

    /// The task as it is within this transaction.
    pub(super) fn task(&self, uid: u32) -> Result<TaskView> {
        if let Some(task) = self.tasks.get(&uid) {
            return Ok(task.clone());
        }
        if let Some(task) = self.recent.get(uid) {
            return Ok(TaskView::clone(&task));
        }
        // One that is not there any more has been deleted, which only finished ones are.
        let is_known = uid < self.ledger.positions.next;
        let missing = if is_known { LogError::AlreadyFinished(uid) } else { LogError::UnknownEntry(uid) };
        find_task(self.connection, uid)?.ok_or(missing)
    }

    pub(super) fn unfinished(&self, uid: u32) -> Result<TaskView> {
        let task = self.task(uid)?;
        if task.status.is_finished() { Err(LogError::AlreadyFinished(uid)) } else { Ok(task) }
    }
}
