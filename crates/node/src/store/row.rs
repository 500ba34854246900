//! Rows to tasks.

use miroir_protocol::tasks::TaskStatus;
use rusqlite::Row;
use time::OffsetDateTime;

use super::Result;
use super::tasks::Task;

/// The columns that [`task_of`] reads.
pub(super) const TASK_COLUMNS: &str = "uid, batch_uid, index_uid, status, operation, details, error, canceled_by, \
     custom_metadata, enqueued_at, started_at, finished_at";

/// Nanoseconds since 1970; SQLite's integers hold them until the year 2262.
pub(super) fn nanos(moment: OffsetDateTime) -> i64 {
    i64::try_from(moment.unix_timestamp_nanos()).unwrap_or(i64::MAX)
}

fn moment(nanos: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(nanos)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The task in a row of [`TASK_COLUMNS`].
pub(super) fn task_of(row: &Row<'_>) -> Result<Task> {
    let status: String = row.get("status")?;
    let operation: String = row.get("operation")?;
    let details: Option<String> = row.get("details")?;
    let error: Option<String> = row.get("error")?;
    Ok(Task {
        uid: row.get("uid")?,
        batch_uid: row.get("batch_uid")?,
        index_uid: row.get("index_uid")?,
        // Only names of statuses are ever written.
        status: status.parse().unwrap_or(TaskStatus::Enqueued),
        operation: serde_json::from_str(&operation)?,
        details: details.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default(),
        error: error.as_deref().map(serde_json::from_str).transpose()?,
        canceled_by: row.get("canceled_by")?,
        custom_metadata: row.get("custom_metadata")?,
        enqueued_at: moment(row.get("enqueued_at")?),
        started_at: row.get::<_, Option<i64>>("started_at")?.map(moment),
        finished_at: row.get::<_, Option<i64>>("finished_at")?.map(moment),
    })
}
