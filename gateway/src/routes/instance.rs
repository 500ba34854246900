//! Requests about the instance as a whole.

use http::StatusCode;
use miroir_log::Operation as Task;
use miroir_protocol::{
    features::RENDER_ROUTE,
    operation::{Matched, Operation},
};

use super::call::{Call, Served};
use crate::{
    answer::{json, json_bytes},
    instance::{backup, export, logs, metrics, not_supported},
    read, version,
};

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    Ok(match operation.operation() {
        Operation::Health => json_bytes(StatusCode::OK, r#"{"status":"available"}"#),
        Operation::Version => json_bytes(StatusCode::OK, version::json()),
        Operation::Stats => read::stats::of_instance(&call.gateway, &call.access(), call.terms()).await?,
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
            call.json().await?;
            if !call.gateway.features.now().render_route {
                return Err(RENDER_ROUTE.needed_for("calling the /render-template route").into());
            }
            let message =
                "Templates are not rendered: a node would show them its own fields beside the client's.";
            return Err(not_supported(message).into());
        }
        _ => return call.not_served().await,
    })
}
