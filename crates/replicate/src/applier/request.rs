//! What a node is sent, and what it says to that.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use miroir_log::LogError;
use miroir_nodes::{Body, Node, full};
use miroir_protocol::error::{Code, ResponseError};
use miroir_shard::SLOT_FIELD;
use serde::Deserialize;
use serde_json::Value;

use super::{error::ApplyError, lacking::Lacking};
use crate::{
    payloads::Piece,
    steps::Step,
    tag::{Tag, TagText},
};

/// How long a node may take over a request, whose body is at most a piece of a payload.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How long it may take over a question.
pub(super) const LOOK: Duration = Duration::from_secs(10);

/// Sends one node steps as its version takes them.
pub(super) struct Requests {
    node: Node,
    log: String,
    /// Whether the node's version takes `customMetadata`.
    tags: bool,
    /// The settings that the node's version does not have.
    lacking: Lacking,
}

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

// === impl Requests ===

impl Requests {
    /// Requests that are tagged with the log's id.
    pub(super) fn new(node: Node, log: String) -> Self {
        Self { node, log, tags: true, lacking: Lacking::default() }
    }

    /// Sends a step; where the node has to be told first that it may edit documents, that too.
    pub(super) async fn send(
        &mut self,
        tag: Tag,
        step: &Step,
        payload: &Payload<'_>,
    ) -> Result<Reply, ApplyError> {
        match self.request(tag, step, payload).await? {
            Reply::Refused(error)
                if error.code() == Some(Code::FeatureNotEnabled)
                    && step.path.ends_with("/documents/edit") =>
            {
                self.enable_editing().await?;
                self.request(tag, step, payload).await
            }
            reply => Ok(reply),
        }
    }

    /// Whether clients may edit documents by functions is the gateway's own setting; its nodes have to know how.
    async fn enable_editing(&self) -> Result<(), ApplyError> {
        let mut request = Request::new(full(r#"{"editDocumentsByFunction":true}"#));
        *request.method_mut() = Method::PATCH;
        *request.uri_mut() = Uri::from_static("/experimental-features");
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.node.ask_once(request, LOOK).await?;
        Ok(())
    }

    async fn request(&mut self, tag: Tag, step: &Step, payload: &Payload<'_>) -> Result<Reply, ApplyError> {
        if self.tags && step.is_tagged() {
            let text = TagText { log: &self.log, tag };
            let separator = if step.path.contains('?') { '&' } else { '?' };
            let tagged = format!("{}{separator}customMetadata={text}", step.path);
            match self.request_once(step, &tagged, payload).await? {
                Reply::Refused(error) if is_about_the_tag(&error) => {
                    tracing::info!(
                        node = self.node.name(),
                        "node takes no tags, it is told the same twice after a crash"
                    );
                    self.tags = false;
                }
                reply => return Ok(reply),
            }
        }
        match payload {
            Payload::Json(Some(settings)) if step.path.ends_with("/settings") => {
                self.request_settings(step, settings).await
            }
            payload => self.request_once(step, &step.path, payload).await,
        }
    }

    /// Sends settings, without those that the node turns out not to have.
    async fn request_settings(&mut self, step: &Step, settings: &Value) -> Result<Reply, ApplyError> {
        loop {
            let reduced = self.lacking.without(settings);
            let payload = Payload::Json(Some(reduced.as_ref().unwrap_or(settings)));
            match self.request_once(step, &step.path, &payload).await? {
                Reply::Refused(error) => match self.lacking.learn(&error) {
                    Some(setting) => {
                        tracing::warn!(node = self.node.name(), setting, "node's version lacks a setting");
                    }
                    None => return Ok(Reply::Refused(error)),
                },
                reply => return Ok(reply),
            }
        }
    }

    async fn request_once(
        &self,
        step: &Step,
        path: &str,
        payload: &Payload<'_>,
    ) -> Result<Reply, ApplyError> {
        let uri: Uri = path.parse().map_err(|_| ApplyError::Unwilling {
            status: StatusCode::BAD_REQUEST,
            message: format!("`{path}` is no path"),
        })?;
        let mut request = Request::new(payload.body()?);
        *request.method_mut() = step.method.clone();
        *request.uri_mut() = uri;
        request.headers_mut().insert(header::CONTENT_TYPE, payload.content_type());
        let answer = self.node.ask_once(request, TIMEOUT).await?;
        reply(answer.status, &answer.body)
    }
}

/// Reads the answer to a write.
pub(super) fn reply(status: StatusCode, body: &[u8]) -> Result<Reply, ApplyError> {
    let unwilling = || ApplyError::unwilling(status, body);
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
