//! Tasks about tasks.

use http::StatusCode;
use miroir_log::Operation;
use miroir_protocol::tasks::{FilterAction, TaskFilter};

use super::enqueue::{Writing, log_error};
use crate::answer::{Answer, json};

/// `POST /tasks/cancel`. Which tasks are meant is decided now, which of these can be canceled later.
pub(crate) async fn cancel(write: Writing<'_>) -> Answer {
    let filter = TaskFilter::from_query_string(write.query, FilterAction::Cancel)?;
    let tasks = write.gateway.log.matching(&filter).await.map_err(|error| log_error(&error))?;
    let query = format!("?{}", write.query);
    answer(write, Operation::TaskCancelation { query, tasks }).await
}

/// `DELETE /tasks`.
pub(crate) async fn delete(write: Writing<'_>) -> Answer {
    let filter = TaskFilter::from_query_string(write.query, FilterAction::Delete)?;
    let tasks = write.gateway.log.matching(&filter).await.map_err(|error| log_error(&error))?;
    let query = format!("?{}", write.query);
    answer(write, Operation::TaskDeletion { query, tasks }).await
}

/// Unlike other writes, these are answered with 200.
async fn answer(write: Writing<'_>, operation: Operation) -> Answer {
    Ok(json(StatusCode::OK, &write.enqueue_global(operation).await?))
}
