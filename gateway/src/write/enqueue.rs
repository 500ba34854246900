//! A write into the log.

use http::StatusCode;
use miroir_filters::auth::Access;
use miroir_log::{Entry, LogError, NewEntry, Once, Operation};
use miroir_protocol::{
    error::{Code, ResponseError},
    index_uid::IndexUid,
    tasks::{SummarizedTaskView, TaskStatus},
};

use crate::{
    answer::{Answer, json},
    state::Gateway,
};

/// A write, as its handler gets it.
pub(crate) struct Writing<'a> {
    /// Where it goes.
    pub gateway: &'a Gateway,
    /// The query string.
    pub query: &'a str,
    /// By what it is recognised when it comes again.
    pub once: Option<Once>,
    /// What its sender may see and create.
    pub access: Access,
}

// === impl Writing ===

impl Writing<'_> {
    /// Appends a write for one index and answers 202 with its task. It is durable by then.
    pub(crate) async fn enqueue(
        self,
        index: &IndexUid,
        operation: Operation,
        custom_metadata: Option<String>,
    ) -> Answer {
        let index_uid = Some(index.as_str().to_owned());
        let view = self.append(NewEntry { index_uid, operation, custom_metadata }).await?;
        Ok(json(StatusCode::ACCEPTED, &view))
    }

    /// Appends a write that is not tied to one index, and gives its task.
    pub(crate) async fn enqueue_global(
        self,
        operation: Operation,
    ) -> Result<SummarizedTaskView, ResponseError> {
        self.append(NewEntry { index_uid: None, operation, custom_metadata: None }).await
    }

    /// Appends a write and gives its task. What has begun is brought to its end when the client leaves in the middle, so
    /// that the bytes that wait are counted off again and the payload of a refused write is removed.
    pub(crate) async fn append(self, entry: NewEntry) -> Result<SummarizedTaskView, ResponseError> {
        let appended = tokio::spawn(append(self.gateway.clone(), entry, self.once)).await;
        let entry = appended.unwrap_or(Err(LogError::Closed)).map_err(|error| log_error(&error))?;
        Ok(SummarizedTaskView {
            task_uid: entry.uid,
            kind: entry.operation.kind(),
            index_uid: entry.index_uid,
            status: TaskStatus::Enqueued,
            enqueued_at: entry.enqueued_at,
            custom_metadata: entry.custom_metadata,
        })
    }
}

async fn append(gateway: Gateway, entry: NewEntry, once: Option<Once>) -> Result<Entry, LogError> {
    // Counted before the tracker can count it off again.
    let bytes = entry.operation.payload().map_or(0, |payload| payload.bytes);
    gateway.progress.waits(bytes);
    let appended = match once {
        Some(once) => gateway.log.append_once(entry, once).await,
        None => gateway.log.append(entry).await.map(|entry| (entry, false)),
    };
    if !matches!(appended, Ok((_, false))) {
        gateway.progress.waited(bytes);
    }
    appended.map(|(entry, _)| entry)
}

/// Refuses a write while too much waits for the nodes already.
pub(crate) fn check_backlog(gateway: &Gateway) -> Result<(), ResponseError> {
    let (waiting, most) = (gateway.progress.backlog(), gateway.write.max_backlog);
    if waiting >= most {
        let message = format!(
            "{waiting} bytes of documents wait for the nodes, more than the {most} allowed. Try again later."
        );
        return Err(ResponseError::new(Code::MiroirOverloaded, message));
    }
    let finished = *gateway.progress.finished().borrow();
    let (waiting, most) = (gateway.log.positions().next.saturating_sub(finished), gateway.write.max_tasks);
    if waiting >= most {
        let message =
            format!("{waiting} tasks wait for the nodes, more than the {most} allowed. Try again later.");
        return Err(ResponseError::new(Code::MiroirOverloaded, message));
    }
    Ok(())
}

/// The log's failure as clients see it.
pub(crate) fn log_error(error: &LogError) -> ResponseError {
    if matches!(error, LogError::KeyReused) {
        let message = "The `Idempotency-Key` of this write was used for another one: with the same key, the route and \
                       the body have to be the same.";
        return ResponseError::new(Code::MiroirIdempotencyKeyReused, message);
    }
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
