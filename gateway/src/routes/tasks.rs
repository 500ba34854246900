//! Requests about tasks and batches.

use http::StatusCode;
use miroir_protocol::{
    error::ResponseError,
    operation::{Matched, Operation},
    tasks::{TasksQuery, task_uid_from_path},
};

use super::call::{Call, Served};
use crate::{answer::json, write::log_error};

pub(super) async fn serve(operation: Matched<'_>, call: Call) -> Served {
    let log = &call.gateway.log;
    match operation.operation() {
        Operation::ListTasks => {
            let query = TasksQuery::from_query_string(call.query())?;
            let page = log.tasks(&query).await.map_err(|error| log_error(&error))?;
            Ok(json(StatusCode::OK, &page))
        }
        Operation::GetTask => {
            let uid = task_uid_from_path(&operation.name())?;
            let task = log.task(uid).await.map_err(|error| log_error(&error))?;
            Ok(json(StatusCode::OK, &task.ok_or_else(|| ResponseError::task_not_found(uid))?))
        }
        _ => call.not_served().await,
    }
}
