//! The steps of a task's life, on its view.

use miroir_protocol::tasks::{Kind, TaskStatus, TaskView};
use serde_json::Value;
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

/// Two index names have changed places.
pub(crate) fn rename(task: &mut TaskView, left: &str, right: &str) {
    if let Some(index) = &mut task.index_uid {
        exchange(index, left, right);
    }
    if task.kind == Kind::IndexSwap
        && let Some(details) = &mut task.details
    {
        rename_in_details(details, left, right);
    }
}

/// Two index names have changed places in the details of a swap.
pub(crate) fn rename_in_details(details: &mut Value, left: &str, right: &str) {
    let swaps = details["swaps"].as_array_mut().into_iter().flatten();
    for name in swaps.filter_map(|swap| swap["indexes"].as_array_mut()).flatten() {
        if let Value::String(name) = name {
            exchange(name, left, right);
        }
    }
}

fn exchange(name: &mut String, left: &str, right: &str) {
    if name == left {
        right.clone_into(name);
    } else if name == right {
        left.clone_into(name);
    }
}
