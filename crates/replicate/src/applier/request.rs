//! What a node is sent, and what it says to that.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use miroir_log::LogError;
use miroir_nodes::{Body, full};
use miroir_protocol::error::{Code, ResponseError};
use miroir_shard::SLOT_FIELD;
use serde::Deserialize;
use serde_json::Value;

use super::error::ApplyError;
use crate::payloads::Piece;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    task_uid: u32,
}

/// What a node said to a request.
pub(super) enum Reply {
    Accepted(u32),
    /// It will never take it: the write's own fault.
    Refused(ResponseError),
}

/// What is sent, as often as it has to be.
pub(super) enum Payload<'a> {
    Json(Option<&'a Value>),
    Documents(Piece),
    Copies(Bytes),
}

// === impl Payload ===

impl Payload<'_> {
    /// The body of a request.
    pub(super) fn body(&self) -> Result<Body, LogError> {
        match self {
            Self::Json(body) => Ok(full(body.map(Value::to_string).unwrap_or_default())),
            Self::Documents(piece) => piece.body(),
            Self::Copies(documents) => Ok(full(documents.clone())),
        }
    }

    /// Its content type.
    pub(super) fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json(_) => "application/json",
            Self::Documents(_) | Self::Copies(_) => "application/x-ndjson",
        })
    }
}

/// Reads the answer to a write.
pub(super) fn reply(status: StatusCode, body: &[u8]) -> Result<Reply, ApplyError> {
    let unwilling = || ApplyError::Unwilling {
        status,
        message: String::from_utf8_lossy(body).chars().take(500).collect(),
    };
    if status.is_success() {
        let accepted: Accepted = serde_json::from_slice(body).map_err(|_| unwilling())?;
        return Ok(Reply::Accepted(accepted.task_uid));
    }
    // Keys, overload and the node's own trouble pass; what it says of the write itself stays.
    let about_the_write = matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) && body.is_empty() {
        return Ok(Reply::Refused(ResponseError::new(
            Code::MiroirNotSupported,
            "A node does not know this operation: its version of Meilisearch is too old.",
        )));
    }
    let error: ResponseError = serde_json::from_slice(body).map_err(|_| unwilling())?;
    if !about_the_write {
        return Err(unwilling());
    }
    Ok(Reply::Refused(error.without_attribute(SLOT_FIELD)))
}

/// Whether the node does not take the tag of the write.
pub(super) fn is_about_the_tag(error: &ResponseError) -> bool {
    error.message().contains("customMetadata")
}
