//! Tasks as they are shown.

use miroir_protocol::tasks::{TaskFilter, TaskPage, TaskView, TasksQuery};

use crate::error::EngineError;
use crate::state::State;
use crate::store::{Page, Task};

/// A task as it is shown.
pub(crate) fn task_view(task: Task) -> TaskView {
    let mut view = TaskView {
        uid: task.uid,
        batch_uid: task.batch_uid,
        index_uid: task.index_uid,
        status: task.status,
        kind: task.operation.kind(),
        canceled_by: task.canceled_by,
        details: Some(task.details),
        error: task.error.and_then(|error| serde_json::from_value(error).ok()),
        duration: None,
        enqueued_at: task.enqueued_at,
        started_at: None,
        finished_at: None,
        custom_metadata: task.custom_metadata,
    };
    view.set_times(task.started_at, task.finished_at);
    view
}

/// One page of tasks.
pub(crate) fn task_page(state: &State, query: &TasksQuery) -> Result<TaskPage, EngineError> {
    // One more than asked for tells where the next page begins.
    let page = Page { limit: query.limit.saturating_add(1), from: query.from, reverse: query.reverse };
    let (mut tasks, total) = state.store.find_tasks(&query.filter, page)?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let next = tasks.get(limit).map(|task| task.uid);
    tasks.truncate(limit);
    let results: Vec<_> = tasks.into_iter().map(task_view).collect();
    let from = results.first().map(|task| task.uid);
    Ok(TaskPage { results, total, limit: query.limit, from, next })
}

/// The uids of all tasks that match.
pub(crate) fn matching_tasks(state: &State, filter: &TaskFilter) -> Result<Vec<u32>, EngineError> {
    let all = Page { limit: u32::MAX, from: None, reverse: true };
    let (tasks, _) = state.store.find_tasks(filter, all)?;
    Ok(tasks.into_iter().map(|task| task.uid).collect())
}
