//! Requests about tasks and batches.

use http::{Response, StatusCode};
use miroir_filters::Body;
use miroir_log::Compaction;
use miroir_protocol::{
    error::ResponseError,
    features::{TASK_COMPACTION, TASK_DOCUMENTS},
    operation::{Matched, Operation},
    stats::{Size, SizeFormat},
    tasks::{TasksQuery, batch_uid_from_path, task_uid_from_path},
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
            let mut page = call.gateway.log.tasks(&query).await.map_err(failed)?;
            page.results.retain(|task| sees_task(&call.access(), task));
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
            let mut page = call.gateway.log.batches(&query).await.map_err(failed)?;
            page.results.retain(|batch| sees_batch(&call.access(), batch));
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
