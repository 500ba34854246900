//! The task queue's records.

use miroir_protocol::tasks::TaskStatus;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::row::{TASK_COLUMNS, nanos, task_of};
use super::{Result, Store};
use crate::scheduler::Operation;

/// A task.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Task {
    pub(crate) uid: u32,
    pub(crate) batch_uid: Option<u32>,
    pub(crate) index_uid: Option<String>,
    pub(crate) status: TaskStatus,
    pub(crate) operation: Operation,
    pub(crate) details: Value,
    pub(crate) error: Option<Value>,
    pub(crate) canceled_by: Option<u32>,
    pub(crate) custom_metadata: Option<String>,
    pub(crate) enqueued_at: OffsetDateTime,
    pub(crate) started_at: Option<OffsetDateTime>,
    pub(crate) finished_at: Option<OffsetDateTime>,
}

/// A task that is not in the queue yet.
#[derive(Debug, Clone)]
pub(crate) struct NewTask {
    pub(crate) index_uid: Option<String>,
    pub(crate) operation: Operation,
    pub(crate) custom_metadata: Option<String>,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) uid: u32,
    pub(crate) status: TaskStatus,
    pub(crate) details: Value,
    pub(crate) error: Option<Value>,
    pub(crate) canceled_by: Option<u32>,
}

impl Outcome {
    /// Records the end of the task within the caller's transaction.
    pub(super) fn record(&self, connection: &Connection) -> Result<()> {
        let mut statement = connection.prepare_cached(
            "UPDATE tasks SET status = ?2, details = ?3, error = ?4, canceled_by = ?5, finished_at = ?6
             WHERE uid = ?1",
        )?;
        statement.execute(params![
            self.uid,
            self.status.name(),
            self.details.to_string(),
            self.error.as_ref().map(Value::to_string),
            self.canceled_by,
            nanos(OffsetDateTime::now_utc()),
        ])?;
        Ok(())
    }
}

impl Store {
    /// Puts a task at the end of the queue.
    pub(crate) fn enqueue(&self, new: NewTask) -> Result<Task> {
        let details = new.operation.pending_details(new.index_uid.as_deref());
        let enqueued_at = OffsetDateTime::now_utc();
        let mut connection = self.connection.lock();
        let transaction = connection.transaction()?;
        // Uids start at 0 and are never used twice, even once the newest task is deleted.
        let uid: u32 = transaction.query_row(
            "INSERT INTO meta VALUES ('next_task', '1')
             ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1
             RETURNING CAST(value AS INTEGER) - 1",
            [],
            |row| row.get(0),
        )?;
        transaction.execute(
            "INSERT INTO tasks (uid, index_uid, status, kind, operation, details, custom_metadata, enqueued_at)
             VALUES (?1, ?2, 'enqueued', ?3, ?4, ?5, ?6, ?7)",
            params![
                uid,
                new.index_uid,
                new.operation.kind().name(),
                serde_json::to_string(&new.operation)?,
                details.to_string(),
                new.custom_metadata,
                nanos(enqueued_at),
            ],
        )?;
        transaction.commit()?;
        Ok(Task {
            uid,
            batch_uid: None,
            index_uid: new.index_uid,
            status: TaskStatus::Enqueued,
            operation: new.operation,
            details,
            error: None,
            canceled_by: None,
            custom_metadata: new.custom_metadata,
            enqueued_at,
            started_at: None,
            finished_at: None,
        })
    }

    /// One task.
    pub(crate) fn task(&self, uid: u32) -> Result<Option<Task>> {
        let connection = self.connection.lock();
        let mut statement =
            connection.prepare_cached(&format!("SELECT {TASK_COLUMNS} FROM tasks WHERE uid = ?1"))?;
        let found = statement.query_row([uid], |row| Ok(task_of(row))).optional()?;
        found.transpose()
    }

    /// The oldest tasks that wait, those that concern other tasks first.
    pub(crate) fn waiting(&self, max: usize) -> Result<Vec<Task>> {
        let connection = self.connection.lock();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {TASK_COLUMNS} FROM tasks WHERE status = 'enqueued'
             ORDER BY kind NOT IN ('taskCancelation', 'taskDeletion'), uid LIMIT ?1"
        ))?;
        let rows = statement.query_map([max as i64], |row| Ok(task_of(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Marks tasks as being processed together; returns their batch's uid.
    pub(crate) fn start(&self, uids: &[u32]) -> Result<u32> {
        let mut connection = self.connection.lock();
        let transaction = connection.transaction()?;
        let batch: u32 =
            transaction
                .query_row("SELECT COALESCE(MAX(batch_uid) + 1, 0) FROM tasks", [], |row| row.get(0))?;
        let now = nanos(OffsetDateTime::now_utc());
        for uid in uids {
            transaction.execute(
                "UPDATE tasks SET status = 'processing', batch_uid = ?2, started_at = ?3 WHERE uid = ?1",
                params![uid, batch, now],
            )?;
        }
        transaction.commit()?;
        Ok(batch)
    }

    /// Puts tasks that were being processed back into the queue.
    pub(crate) fn restart_unfinished(&self) -> Result<usize> {
        Ok(self.connection.lock().execute(
            "UPDATE tasks SET status = 'enqueued', batch_uid = NULL, started_at = NULL
             WHERE status = 'processing'",
            [],
        )?)
    }

    /// Removes finished tasks; returns how many there were.
    pub(crate) fn delete_tasks(&self, uids: &[u32]) -> Result<usize> {
        let mut connection = self.connection.lock();
        let transaction = connection.transaction()?;
        let mut deleted = 0;
        for uid in uids {
            deleted += transaction.execute(
                "DELETE FROM tasks WHERE uid = ?1 AND status NOT IN ('enqueued', 'processing')",
                [uid],
            )?;
        }
        transaction.commit()?;
        Ok(deleted)
    }
}
