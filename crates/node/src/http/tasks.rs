//! Tasks and batches: shown, listed, canceled, deleted.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use http::StatusCode;
use miroir_protocol::error::ResponseError;
use miroir_protocol::tasks::{
    FilterAction, SummarizedTaskView, TaskFilter, TasksQuery, batch_uid_from_path, task_uid_from_path,
};

use super::api::Api;
use super::reply::{Reply, json, ok};
use crate::error::EngineError;
use crate::read;
use crate::scheduler::Operation;

/// The text that a request wants its task to carry, wherever its route looks at no other parameter.
pub(super) fn custom_metadata(query: Option<&str>) -> Option<String> {
    let uri = format!("/?{}", query?).parse().ok()?;
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok()?;
    pairs.0.into_iter().find(|(name, _)| name == "customMetadata").map(|(_, value)| value)
}

pub(super) async fn get(State(api): State<Arc<Api>>, Path(uid): Path<String>) -> Reply {
    let uid = task_uid_from_path(&uid)?;
    match api.state().store.task(uid).map_err(EngineError::from)? {
        Some(task) => ok(&read::task_view(task)),
        None => Err(ResponseError::task_not_found(uid).into()),
    }
}

pub(super) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Reply {
    let query = TasksQuery::from_query_string(query.as_deref().unwrap_or_default())?;
    ok(&api.read(move |state| read::task_page(state, &query)).await?)
}

pub(super) async fn get_batch(State(api): State<Arc<Api>>, Path(uid): Path<String>) -> Reply {
    let uid = batch_uid_from_path(&uid)?;
    match api.read(move |state| read::batch(state, uid)).await? {
        Some(batch) => ok(&batch),
        None => Err(ResponseError::batch_not_found(uid).into()),
    }
}

pub(super) async fn list_batches(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Reply {
    let query = TasksQuery::from_query_string(query.as_deref().unwrap_or_default())?;
    ok(&api.read(move |state| read::batch_page(state, &query)).await?)
}

pub(super) async fn cancel(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Reply {
    let query = query.unwrap_or_default();
    let filter = TaskFilter::from_query_string(&query, FilterAction::Cancel)?;
    let tasks = api.read(move |state| read::matching_tasks(state, &filter)).await?;
    act(&api, Operation::TaskCancelation { query: format!("?{query}"), tasks }).await
}

pub(super) async fn delete(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Reply {
    let query = query.unwrap_or_default();
    let filter = TaskFilter::from_query_string(&query, FilterAction::Delete)?;
    let tasks = api.read(move |state| read::matching_tasks(state, &filter)).await?;
    act(&api, Operation::TaskDeletion { query: format!("?{query}"), tasks }).await
}

/// Unlike other writes, these are answered with status 200.
async fn act(api: &Api, operation: Operation) -> Reply {
    let task = api.enqueue(None, operation, None).await?;
    let view = SummarizedTaskView {
        task_uid: task.uid,
        index_uid: None,
        status: task.status,
        kind: task.operation.kind(),
        enqueued_at: task.enqueued_at,
        custom_metadata: None,
    };
    json(StatusCode::OK, &view)
}

#[cfg(test)]
mod tests {
    use super::custom_metadata;

    #[test]
    fn metadata_are_found_and_decoded() {
        assert_eq!(custom_metadata(Some("a=b&customMetadata=x%3A1%20y")).as_deref(), Some("x:1 y"));
        assert_eq!(custom_metadata(Some("a=b")), None);
        assert_eq!(custom_metadata(None), None);
    }
}
