//! Requests about tasks and batches.

use http::{Response, StatusCode};
use miroir_filters::{Body, auth::Access};
use miroir_log::Compaction;
use miroir_protocol::{
    error::ResponseError,
    features::{TASK_COMPACTION, TASK_DOCUMENTS},
    operation::{Matched, Operation},
    stats::{Size, SizeFormat},
    tasks::{TaskPage, TasksQuery, batch_uid_from_path, task_uid_from_path},
};
use serde_json::json;

use super::call::{Call, Served};
use crate::{
    access::{sees_batch, sees_task},
    answer::json as answer_json,
    instance::features::check,
    read,
    state::Gateway,
    write,
    write::log_error,
};

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    let failed = |error| log_error(&error);
    match operation.operation() {
        Operation::ListTasks => {
            let query = TasksQuery::from_query_string(call.query())?;
            let page = call.gateway.log.tasks(&one_more(&query, &call.access())).await.map_err(failed)?;
            let page = shown(page, &query, &call.access(), sees_task, |task| task.uid);
            Ok(answer_json(StatusCode::OK, &page))
        }
        Operation::GetTask => {
            let uid = task_uid_from_path(&operation.name())?;
            let task = call.gateway.log.task(uid).await.map_err(failed)?;
            let task = task.filter(|task| sees_task(&call.access(), task));
            Ok(answer_json(StatusCode::OK, &task.ok_or_else(|| ResponseError::task_not_found(uid))?))
        }
        Operation::TaskDocuments => {
            check(&call.gateway, TASK_DOCUMENTS, "Getting the documents of an enqueued task")?;
            let uid = task_uid_from_path(&operation.name())?;
            Ok(read::task_documents::documents(&call.gateway, uid, &call.access()).await?)
        }
        Operation::ListBatches => {
            let query = TasksQuery::from_query_string(call.query())?;
            let page = call.gateway.log.batches(&one_more(&query, &call.access())).await.map_err(failed)?;
            let page = shown(page, &query, &call.access(), sees_batch, |batch| batch.uid);
            Ok(answer_json(StatusCode::OK, &page))
        }
        Operation::GetBatch => {
            let uid = batch_uid_from_path(&operation.name())?;
            let batch = call.gateway.log.batch(uid).await.map_err(failed)?;
            let batch = batch.filter(|batch| sees_batch(&call.access(), batch));
            Ok(answer_json(StatusCode::OK, &batch.ok_or_else(|| ResponseError::batch_not_found(uid))?))
        }
        Operation::CancelTasks => {
            let body = call.bytes().await?;
            Ok(write::tasks::cancel(call.writing_anyway(&body)?).await?)
        }
        Operation::DeleteTasks => {
            let body = call.bytes().await?;
            Ok(write::tasks::delete(call.writing_anyway(&body)?).await?)
        }
        Operation::CompactTasks => {
            call.bytes().await?;
            check(&call.gateway, TASK_COMPACTION, "Using the /tasks/compact route")?;
            Ok(compact(&call.gateway).await)
        }
        _ => call.not_served().await,
    }
}

/// The query for a page that is yet to lose what the sender may not see: with the first one of the next page.
fn one_more(query: &TasksQuery, access: &Access) -> TasksQuery {
    let limit = if access.allows_all() { query.limit } else { query.limit.saturating_add(1) };
    TasksQuery { limit, ..query.clone() }
}

/// What the sender may see of a page. It begins with the first one shown, and a next page is only told of where nothing is
/// left out, as in Meilisearch: the uids of what may not be seen are nobody's business.
fn shown<T>(
    mut page: TaskPage<T>,
    query: &TasksQuery,
    access: &Access,
    sees: impl Fn(&Access, &T) -> bool,
    uid: impl Fn(&T) -> u32,
) -> TaskPage<T> {
    if access.allows_all() {
        return page;
    }
    page.results.retain(|one| sees(access, one));
    let is_full = page.results.len() > query.limit as usize;
    page.next = if is_full { page.results.pop().map(|next| uid(&next)) } else { None };
    page.from = page.results.first().map(uid);
    page.limit = query.limit;
    page
}

/// Makes the store of tasks as small as it can be. Other than a Meilisearch, the gateway needs no restart after it, so it
/// asks for none.
async fn compact(gateway: &Gateway) -> Response<Body> {
    match gateway.log.compact().await {
        Ok(Compaction { before, after }) => {
            let [before, after] = [before, after].map(|bytes| Size { bytes, format: SizeFormat::Human });
            answer_json(
                StatusCode::OK,
                &json!({ "preSize": before, "postSize": after, "status": "succeeded" }),
            )
        }
        Err(error) => {
            tracing::error!(%error, "store of tasks cannot be compacted");
            let failed = json!({ "status": "failed", "errorMessage": error.to_string() });
            answer_json(StatusCode::INTERNAL_SERVER_ERROR, &failed)
        }
    }
}
