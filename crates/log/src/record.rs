//! The steps of a task's life, on its view.

use miroir_protocol::tasks::{TaskStatus, TaskView};
use time::OffsetDateTime;

use crate::entry::{Entry, Finished, Outcome};

/// The task of an entry that was just appended.
pub(crate) fn enqueued(entry: &Entry) -> TaskView {
    TaskView {
        uid: entry.uid,
        batch_uid: None,
        index_uid: entry.index_uid.clone(),
        status: TaskStatus::Enqueued,
        kind: entry.operation.kind(),
        canceled_by: None,
        details: entry.operation.initial_details(entry.index_uid.as_deref()),
        error: None,
        duration: None,
        enqueued_at: entry.enqueued_at,
        started_at: None,
        finished_at: None,
        custom_metadata: entry.custom_metadata.clone(),
    }
}

/// The task is being done, in this batch.
pub(crate) fn start(task: &mut TaskView, batch_uid: u32, at: OffsetDateTime) {
    task.status = TaskStatus::Processing;
    task.batch_uid = Some(batch_uid);
    task.set_times(Some(at), None);
}

/// The task is over.
pub(crate) fn finish(task: &mut TaskView, finished: &Finished) {
    task.status = finished.outcome.status();
    match &finished.outcome {
        Outcome::Succeeded => {}
        Outcome::Failed(error) => task.error = Some(error.clone()),
        Outcome::Canceled { by } => task.canceled_by = Some(*by),
    }
    if let Some(details) = &finished.details {
        task.details = Some(details.clone());
    }
    task.set_times(finished.started_at.or(task.started_at), Some(finished.finished_at));
}
