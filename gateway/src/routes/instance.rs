//! Requests about the instance as a whole.

use http::StatusCode;
use miroir_protocol::{
    features::RENDER_ROUTE,
    operation::{Matched, Operation},
};

use super::call::{Call, Served};
use crate::{
    answer::json_bytes,
    instance::{logs, metrics, not_supported},
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
