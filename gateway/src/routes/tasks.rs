//! Requests about tasks and batches.

use http::StatusCode;
use miroir_protocol::{
    error::ResponseError,
    features::TASK_DOCUMENTS,
    operation::{Matched, Operation},
    tasks::{TasksQuery, batch_uid_from_path, task_uid_from_path},
};

use super::call::{Call, Served};
use crate::{
    access::{sees_batch, sees_task},
    answer::json,
    instance::features::check,
    read, write,
    write::log_error,
};

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    let failed = |error| log_error(&error);
    match operation.operation() {
        Operation::ListTasks => {
            let query = TasksQuery::from_query_string(call.query())?;
            let mut page = call.gateway.log.tasks(&query).await.map_err(failed)?;
            page.results.retain(|task| sees_task(&call.access(), task));
            Ok(json(StatusCode::OK, &page))
        }
        Operation::GetTask => {
            let uid = task_uid_from_path(&operation.name())?;
            let task = call.gateway.log.task(uid).await.map_err(failed)?;
            let task = task.filter(|task| sees_task(&call.access(), task));
            Ok(json(StatusCode::OK, &task.ok_or_else(|| ResponseError::task_not_found(uid))?))
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
            Ok(json(StatusCode::OK, &page))
        }
        Operation::GetBatch => {
            let uid = batch_uid_from_path(&operation.name())?;
            let batch = call.gateway.log.batch(uid).await.map_err(failed)?;
            let batch = batch.filter(|batch| sees_batch(&call.access(), batch));
            Ok(json(StatusCode::OK, &batch.ok_or_else(|| ResponseError::batch_not_found(uid))?))
        }
        Operation::CancelTasks => {
            let body = call.bytes().await?;
            Ok(write::tasks::cancel(call.writing_anyway(&body)?).await?)
        }
        Operation::DeleteTasks => {
            let body = call.bytes().await?;
            Ok(write::tasks::delete(call.writing_anyway(&body)?).await?)
        }
        _ => call.not_served().await,
    }
}
