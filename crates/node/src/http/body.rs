//! Bodies of requests.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use miroir_protocol::error::{Code, ResponseError};

/// The content type of everything but documents.
const JSON: &str = "application/json";

/// The media type of a request, without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim)
}

/// The body of a request that must be JSON.
pub(super) async fn json_body(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, ResponseError> {
    match media_type(headers) {
        Some(JSON) => read(body, limit).await,
        Some(other) => Err(ResponseError::invalid_content_type(other, &[JSON])),
        None => Err(ResponseError::missing_content_type(&[JSON])),
    }
}

/// The whole body, up to `limit` bytes.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, ResponseError> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ResponseError::payload_too_large(limit as u64)),
        Err(error) => Err(ResponseError::new(Code::BadRequest, format!("error reading the body: {error}"))),
    }
}
