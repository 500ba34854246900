//! Requests about the instance as a whole.

use http::StatusCode;
use miroir_log::Operation as Task;
use miroir_protocol::{
    operation::{Matched, Operation},
    stats::StatsQuery,
};

use super::call::{Call, Served};
use crate::{
    answer::{json, json_bytes},
    instance::{backup, export, logs, metrics, render},
    read, version,
};

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    Ok(match operation.operation() {
        Operation::Health => json_bytes(StatusCode::OK, r#"{"status":"available"}"#),
        Operation::Version => json_bytes(StatusCode::OK, version::json()),
        Operation::Stats => {
            let query = StatsQuery::from_query_string(call.query())?;
            read::stats::of_instance(&call.gateway, &call.access(), query, call.terms()).await?
        }
        Operation::Metrics => metrics::metrics(&call.gateway, &call.access(), call.terms()).await?,
        Operation::StreamLogs => {
            let body = call.json().await?;
            logs::stream(&call.gateway, &body)?
        }
        Operation::StopLogs => logs::stop(&call.gateway)?,
        Operation::LogsToStderr => {
            let body = call.json().await?;
            logs::stderr(&call.gateway, &body)?
        }
        Operation::CreateDump | Operation::CreateSnapshot => {
            let body = call.bytes().await?;
            let task = match operation.operation() {
                Operation::CreateDump => Task::DumpCreation { dump_uid: backup::new_dump_uid() },
                _ => Task::SnapshotCreation,
            };
            json(StatusCode::ACCEPTED, &call.writing(&body)?.enqueue_global(task).await?)
        }
        Operation::Export => {
            let body = call.json().await?;
            export::enqueue(call.writing(&body)?, &body).await?
        }
        Operation::RenderTemplate => {
            let body = call.json().await?;
            render::render(&call.gateway, &call.access(), &body, call.terms()).await?
        }
        _ => return call.not_served().await,
    })
}
