//! One request, as its handler gets it.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, request::Parts};
use miroir_config::Partial;
use miroir_filters::{Body, BoxError, auth::Access, extensions::Deadline};
use miroir_protocol::{
    content_type::require_json,
    error::{Code, ResponseError},
};
use tokio::time::Instant;

use crate::{
    intake::{collect, content_type},
    read::scatter::Terms,
    room::Held,
    state::Gateway,
    write::{WriteKey, Writing, check_backlog},
};

/// The header by which a request allows a partial answer, with the value `allow`, or refuses one with `deny`.
const PARTIAL: &str = "miroir-partial";
/// The header by which a client wants answers to say which search they are to.
const INCLUDE_METADATA: &str = "meili-include-metadata";

/// What becomes of a request: an answer; a [`ResponseError`], which the rescue layer makes into one; or an error of the
/// filters or the connection, met while the body is read.
pub(crate) type Served = Result<Response<Body>, BoxError>;

/// A request and what answers it.
pub(crate) struct Call {
    /// What answers.
    pub gateway: Gateway,
    parts: Parts,
    body: Body,
    held: Held,
}

impl Call {
    /// This request, answered from this state.
    pub(crate) fn new(gateway: Gateway, request: Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        let held = gateway.room.held();
        Self { gateway, parts, body, held }
    }

    /// The query string, empty if there is none.
    pub(crate) fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    /// The write that this request is, with this body.
    pub(crate) fn writing(&self, body: &[u8]) -> Result<Writing<'_>, ResponseError> {
        check_backlog(&self.gateway)?;
        self.writing_anyway(body)
    }

    /// A write that is taken however much waits, as it makes that less.
    pub(crate) fn writing_anyway(&self, body: &[u8]) -> Result<Writing<'_>, ResponseError> {
        let key = WriteKey::of(&self.parts)?.map(|mut key| {
            key.update(body);
            key.once()
        });
        Ok(Writing { gateway: &self.gateway, query: self.query(), once: key, access: self.access() })
    }

    /// The headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// What the sender may see. Where the filter `auth` is not configured, that is everything.
    pub(crate) fn access(&self) -> Access {
        self.parts.extensions.get().cloned().unwrap_or_default()
    }

    /// Takes the body away to be streamed.
    pub(crate) fn into_parts(self) -> (Gateway, Parts, Body) {
        (self.gateway, self.parts, self.body)
    }

    /// Reads a body that has to be said to be JSON.
    pub(crate) async fn json(&mut self) -> Result<Bytes, BoxError> {
        require_json(content_type(&self.parts.headers))?;
        self.bytes().await
    }

    /// Reads the body, whatever it is said to be. A second time, there is nothing left.
    pub(crate) async fn bytes(&mut self) -> Result<Bytes, BoxError> {
        collect(&mut self.body, &mut self.held).await
    }

    /// The terms of a read: the configured ones, unless the request says otherwise.
    pub(crate) fn terms(&self) -> Terms {
        let limits = self.gateway.search;
        let partial = match self.headers().get(PARTIAL).map(http::HeaderValue::as_bytes) {
            Some(b"allow") => Partial::Allow,
            Some(b"deny") => Partial::Deny,
            _ => limits.partial,
        };
        let timeout = match self.parts.extensions.get::<Deadline>() {
            Some(deadline) => limits.timeout.min(deadline.remaining()),
            None => limits.timeout,
        };
        let include_metadata = self.headers().get(INCLUDE_METADATA).and_then(|value| value.to_str().ok());
        let include_metadata =
            include_metadata.is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"));
        Terms { deadline: Instant::now() + timeout, partial, include_metadata }
    }

    /// What is answered to an operation of Meilisearch that is not there yet. The body is read first, so that the
    /// connection can be used again.
    pub(crate) async fn not_served(mut self) -> Served {
        self.bytes().await?;
        let path = self.parts.uri.path();
        let message = format!("`{path}` is not served by this version of Miroir.");
        Err(ResponseError::new(Code::MiroirNotSupported, message).into())
    }
}
