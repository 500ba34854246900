//! Tasks about tasks.

use std::time::Duration;

use http::StatusCode;
use miroir_log::{Operation, Uids};
use miroir_protocol::{
    error::ResponseError,
    tasks::{FilterAction, TaskFilter},
};

use super::enqueue::{Writing, log_error};
use crate::{
    access::sees_task,
    answer::{Answer, json},
};

/// A deletion that can be done at once is done when it is answered: who lists tasks or batches next does not meet what is
/// about to go. One that waits for a task is not waited for any longer than this.
const SOON: Duration = Duration::from_millis(100);
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// `POST /tasks/cancel`. Which tasks are meant is decided now, which of these can be canceled later.
pub(crate) async fn cancel(write: Writing<'_>) -> Answer {
    let filter = TaskFilter::from_query_string(write.query, FilterAction::Cancel)?;
    let tasks = visible(&write, &filter).await?;
    let query = format!("?{}", write.query);
    answer(write, Operation::TaskCancelation { query, tasks }).await
}

/// `DELETE /tasks`.
pub(crate) async fn delete(write: Writing<'_>) -> Answer {
    let filter = TaskFilter::from_query_string(write.query, FilterAction::Delete)?;
    let tasks = visible(&write, &filter).await?;
    let query = format!("?{}", write.query);
    let gateway = write.gateway;
    let deletion = write.enqueue_global(Operation::TaskDeletion { query, tasks }).await?;
    let done = async {
        while let Ok(Some(task)) = gateway.log.task(deletion.task_uid).await
            && !task.status.is_finished()
        {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    // It is answered the same either way.
    let _ = tokio::time::timeout(SOON, done).await;
    Ok(json(StatusCode::OK, &deletion))
}

/// The tasks a filter means, of those the sender may see.
async fn visible(write: &Writing<'_>, filter: &TaskFilter) -> Result<Uids, ResponseError> {
    let log = &write.gateway.log;
    let tasks = log.matching(filter).await.map_err(|error| log_error(&error))?;
    if write.access.allows_all() {
        return Ok(tasks);
    }
    let mut seen = Vec::new();
    for uid in tasks.iter() {
        let task = log.task(uid).await.map_err(|error| log_error(&error))?;
        if task.is_some_and(|task| sees_task(&write.access, &task)) {
            seen.push(uid);
        }
    }
    Ok(seen.into_iter().collect())
}

/// Unlike other writes, these are answered with 200.
async fn answer(write: Writing<'_>, operation: Operation) -> Answer {
    Ok(json(StatusCode::OK, &write.enqueue_global(operation).await?))
}
