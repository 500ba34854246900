//! Answers.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use miroir_protocol::error::ResponseError;
use miroir_protocol::tasks::SummarizedTaskView;
use serde::Serialize;

use crate::error::EngineError;
use crate::store::Task;

/// What a route answers: a response, or an error in Meilisearch's shape.
pub(super) type Reply = Result<Response, Failure>;

/// A refused or failed request.
#[derive(Debug)]
pub(super) struct Failure(pub(super) ResponseError);

impl From<ResponseError> for Failure {
    fn from(error: ResponseError) -> Self {
        Self(error)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        if error.is_internal() {
            tracing::error!(%error, "request failed");
        }
        Self(error.into_response())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        json_response(self.0.status, self.0.body())
    }
}

fn json_response(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
}

/// An answer with this status and body.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Reply {
    let body = serde_json::to_vec(body)
        .map_err(|error| milli_core::Error::from(milli_core::InternalError::SerdeJson(error)))
        .map_err(EngineError::from)?;
    Ok(json_response(status, body))
}

/// The answer to a read.
pub(super) fn ok(body: &impl Serialize) -> Reply {
    json(StatusCode::OK, body)
}

/// The answer to a write: its task waits in the queue.
pub(super) fn accepted(task: Task) -> Reply {
    let view = SummarizedTaskView {
        task_uid: task.uid,
        index_uid: task.index_uid,
        status: task.status,
        kind: task.operation.kind(),
        enqueued_at: task.enqueued_at,
        custom_metadata: task.custom_metadata,
    };
    json(StatusCode::ACCEPTED, &view)
}
