//! Requests about the instance as a whole.

use http::StatusCode;
use miroir_protocol::operation::{Matched, Operation};

use super::call::{Call, Served};
use crate::{answer::json_bytes, read, version};

pub(super) async fn serve(operation: Matched<'_>, call: Call) -> Served {
    match operation.operation() {
        Operation::Health => Ok(json_bytes(StatusCode::OK, r#"{"status":"available"}"#)),
        Operation::Version => Ok(json_bytes(StatusCode::OK, version::json())),
        Operation::Stats => Ok(read::stats::of_instance(&call.gateway, &call.access(), call.terms()).await?),
        _ => call.not_served().await,
    }
}
