//! Rows of the tables and what they mean.

use bytes::Bytes;
use miroir_protocol::{
    ResponseError,
    tasks::{Kind, TaskStatus, TaskView},
};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    entry::{Entry, LoggedEntry},
    error::{LogError, Result},
    operation::Operation,
    payload_ref::PayloadContent,
};

/// The columns [`task`] reads.
pub(super) const TASK: &str = "uid, index_uid, kind, status, batch_uid, canceled_by, details, error, \
    custom_metadata, enqueued_at, started_at, finished_at";

/// The columns [`logged`] reads, of `entries` with `payloads` joined.
pub(super) const LOGGED: &str = "entries.uid, coalesce(target, index_uid), operation, custom_metadata, enqueued_at, status, \
    prepared, batch_uid, started_at, payloads.uid, file, bytes, canceled_by";

/// The status of tasks that a client has deleted: they are shown no more, while a node may yet need their entries.
pub(super) const DELETED: &str = "deleted";

/// A time as it is stored.
pub(super) fn to_nanos(time: OffsetDateTime) -> i64 {
    let nanos = time.unix_timestamp_nanos();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// A stored time.
pub(super) fn from_nanos(nanos: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(nanos)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}

pub(super) fn from_json<T: DeserializeOwned>(text: Option<String>) -> Result<Option<T>> {
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

/// The task with this uid.
pub(super) fn find_task(connection: &Connection, uid: u32) -> Result<Option<TaskView>> {
    let sql = format!("SELECT {TASK} FROM entries WHERE uid = ?1 AND status != '{DELETED}'");
    let mut find = connection.prepare_cached(&sql)?;
    find.query_row([uid], |row| Ok(task(row))).optional()?.transpose()
}

/// Reads a row of [`TASK`].
pub(super) fn task(row: &Row<'_>) -> Result<TaskView> {
    let mut task = TaskView {
        uid: row.get(0)?,
        index_uid: row.get(1)?,
        kind: kind(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?,
        status: status(row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?)?,
        batch_uid: row.get(4)?,
        canceled_by: row.get(5)?,
        details: from_json::<Value>(row.get(6)?)?,
        error: from_json(row.get(7)?)?.map(with_status),
        duration: None,
        custom_metadata: row.get(8)?,
        enqueued_at: from_nanos(row.get(9)?),
        started_at: None,
        finished_at: None,
    };
    let time = |column| Ok::<_, LogError>(row.get::<_, Option<i64>>(column)?.map(from_nanos));
    task.set_times(time(10)?, time(11)?);
    Ok(task)
}

/// Reads a row of [`LOGGED`].
pub(super) fn logged(row: &Row<'_>) -> Result<LoggedEntry> {
    let mut operation: Operation =
        serde_json::from_str(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?;
    if let Some(payload) = operation.payload_mut() {
        payload.content = content(row)?;
    }
    Ok(LoggedEntry {
        entry: Entry {
            uid: row.get(0)?,
            index_uid: row.get(1)?,
            operation,
            custom_metadata: row.get(3)?,
            enqueued_at: from_nanos(row.get(4)?),
        },
        status: match row.get_ref(5)?.as_str().map_err(rusqlite::Error::from)? {
            // Only what has ended is deleted. What was canceled is not done by nodes that come to it later either; how
            // else it ended matters to nobody.
            DELETED if row.get::<_, Option<u32>>(12)?.is_some() => TaskStatus::Canceled,
            DELETED => TaskStatus::Succeeded,
            name => status(name)?,
        },
        prepared: from_json(row.get(6)?)?,
        batch_uid: row.get(7)?,
        started_at: row.get::<_, Option<i64>>(8)?.map(from_nanos),
    })
}

fn content(row: &Row<'_>) -> Result<PayloadContent> {
    if row.get::<_, Option<u32>>(9)?.is_none() {
        return Ok(PayloadContent::Removed);
    }
    Ok(match row.get::<_, Option<String>>(10)? {
        Some(name) => PayloadContent::File { name },
        None => PayloadContent::Inline {
            bytes: Bytes::from(row.get::<_, Option<Vec<u8>>>(11)?.unwrap_or_default()),
        },
    })
}

/// An error's status is that of its code; it is not stored.
fn with_status(error: ResponseError) -> ResponseError {
    match error.code() {
        Some(code) => error.with_status(code.status()),
        None => error,
    }
}

fn kind(name: &str) -> Result<Kind> {
    name.parse().map_err(|_| LogError::Damaged(format!("unknown task type {name}")))
}

fn status(name: &str) -> Result<TaskStatus> {
    name.parse().map_err(|_| LogError::Damaged(format!("unknown task status {name}")))
}
