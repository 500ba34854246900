//! A write into the log.

use http::StatusCode;
use miroir_log::{LogError, NewEntry, Operation};
use miroir_protocol::{
    error::{Code, ResponseError},
    index_uid::IndexUid,
    tasks::{SummarizedTaskView, TaskStatus},
};

use crate::{
    answer::{Answer, json},
    state::Gateway,
};

/// Appends a write and answers 202 with its task. It is durable by then.
pub(super) async fn enqueue(
    gateway: &Gateway,
    index: &IndexUid,
    operation: Operation,
    custom_metadata: Option<String>,
) -> Answer {
    let kind = operation.kind();
    let entry = NewEntry { index_uid: Some(index.as_str().to_owned()), operation, custom_metadata };
    // Counted before the tracker can count it off again.
    let bytes = entry.operation.payload().map_or(0, |payload| payload.bytes);
    gateway.progress.waits(bytes);
    let entry = gateway.log.append(entry).await.map_err(|error| {
        gateway.progress.waited(bytes);
        log_error(&error)
    })?;
    let view = SummarizedTaskView {
        task_uid: entry.uid,
        index_uid: entry.index_uid,
        status: TaskStatus::Enqueued,
        kind,
        enqueued_at: entry.enqueued_at,
        custom_metadata: entry.custom_metadata,
    };
    Ok(json(StatusCode::ACCEPTED, &view))
}

/// Refuses a write while too much waits for the nodes already.
pub(super) fn check_backlog(gateway: &Gateway) -> Result<(), ResponseError> {
    let (waiting, most) = (gateway.progress.backlog(), gateway.write.max_backlog);
    if waiting < most {
        return Ok(());
    }
    Err(ResponseError::new(
        Code::MiroirOverloaded,
        format!(
            "{waiting} bytes of documents wait for the nodes, more than the {most} allowed. Try again later."
        ),
    ))
}

/// The log's failure as clients see it.
pub(crate) fn log_error(error: &LogError) -> ResponseError {
    tracing::error!(%error, "the write log failed");
    match error {
        LogError::StorageFull => ResponseError::new(
            Code::MiroirStorageFull,
            "The disk is full: the write was not taken. Reads go on.",
        ),
        LogError::Closed => ResponseError::new(
            Code::MiroirShuttingDown,
            "The gateway is shutting down: the write was not taken.",
        ),
        _ => ResponseError::new(Code::Internal, "The write log failed: the write was not taken."),
    }
}
