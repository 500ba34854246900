//! Requests' bodies.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;
use miroir_filters::{Body, BoxError};

use crate::room::{Held, weight};

/// Reads a body that is a request's parameters, and counts what they take. The filters' errors (too large, not decodable,
/// too late) and those of the connection pass through.
pub(crate) async fn collect(body: &mut Body, held: &mut Held) -> Result<Bytes, BoxError> {
    let Some(first) = next(body).await? else { return Ok(Bytes::new()) };
    let mut taken = weight(&first);
    held.set(taken)?;
    let Some(second) = next(body).await? else { return Ok(first) };
    let mut whole = BytesMut::with_capacity((first.len() + second.len()) * 2);
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    taken += weight(&second);
    held.set(taken)?;
    while let Some(data) = next(body).await? {
        taken += weight(&data);
        held.set(taken)?;
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// The next piece of a body.
pub(crate) async fn next(body: &mut Body) -> Result<Option<Bytes>, BoxError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// The content type of a request, as it was sent.
pub(crate) fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(http::header::CONTENT_TYPE)?.to_str().ok()
}
