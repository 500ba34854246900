//! Refuses bodies of requests that are too large: at once where the length is declared, else while they come in.
//!
//! Stands behind `decompression`, so that it counts what a small compressed body unfolds to.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http::{HeaderMap, Request, header::CONTENT_LENGTH};
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_layer::Layer;
use tower_service::Service;

use crate::{BoxError, Deps, Filter, FilterLayer, Phase, RejectFuture, erase, params::ByteSize};

/// Parameters of the filter `body_limit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BodyLimitConfig {
    /// The largest body that is accepted.
    pub max: ByteSize,
}

/// Counts down what may still come.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    limit: u64,
    left: u64,
}

/// Refuses bodies of requests that are too large.
#[derive(Clone, Debug)]
pub struct BodyLimitLayer {
    limit: u64,
}

/// See [`BodyLimitLayer`].
#[derive(Clone, Debug)]
pub struct BodyLimitService<S> {
    inner: S,
    limit: u64,
}

pin_project! {
    /// A body that fails with [`PayloadTooLarge`] where it goes over the limit.
    #[derive(Debug)]
    pub struct BodyLimitBody<B> {
        #[pin]
        inner: B,
        allowance: Allowance,
    }
}

/// The body of a request is larger than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body of the request is larger than the limit of {limit} bytes")]
pub struct PayloadTooLarge {
    limit: u64,
}

// === impl BodyLimitConfig ===

impl Default for BodyLimitConfig {
    fn default() -> Self {
        // What Meilisearch accepts by default.
        Self { max: ByteSize(100_000_000) }
    }
}

impl Filter for BodyLimitConfig {
    const NAME: &'static str = "body_limit";
    const PHASE: Phase = Phase::Policy;

    fn after(&self) -> &'static [&'static str] {
        &["decompression"]
    }

    fn validate(&self) -> Vec<String> {
        if self.max.0 == 0 { vec!["`max` must be more than 0".to_owned()] } else { Vec::new() }
    }

    fn layer(&self, _: &Deps) -> FilterLayer {
        erase::request_body(BodyLimitLayer::new(self))
    }
}

// === impl Allowance ===

impl Allowance {
    /// All of `limit` is left; none of it if the declared length is over.
    pub fn new(limit: u64, headers: &HeaderMap) -> Result<Self, PayloadTooLarge> {
        let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        match declared {
            Some(length) if length > limit => Err(PayloadTooLarge { limit }),
            _ => Ok(Self { limit, left: limit }),
        }
    }

    /// So many more bytes have come.
    pub fn take(&mut self, bytes: usize) -> Result<(), PayloadTooLarge> {
        let left = u64::try_from(bytes).ok().and_then(|bytes| self.left.checked_sub(bytes));
        self.left = left.ok_or(PayloadTooLarge { limit: self.limit })?;
        Ok(())
    }
}

// === impl PayloadTooLarge ===

impl PayloadTooLarge {
    /// The limit, in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }
}

// === impl BodyLimitLayer ===

impl BodyLimitLayer {
    /// A layer with these parameters.
    pub fn new(config: &BodyLimitConfig) -> Self {
        Self { limit: config.max.0 }
    }
}

impl<S> Layer<S> for BodyLimitLayer {
    type Service = BodyLimitService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BodyLimitService { inner, limit: self.limit }
    }
}

// === impl BodyLimitService ===

impl<S, B> Service<Request<B>> for BodyLimitService<S>
where
    S: Service<Request<BodyLimitBody<B>>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = RejectFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match Allowance::new(self.limit, request.headers()) {
            Ok(allowance) => {
                let request = request.map(|inner| BodyLimitBody { inner, allowance });
                RejectFuture::forward(self.inner.call(request))
            }
            Err(error) => RejectFuture::reject(error),
        }
    }
}

// === impl BodyLimitBody ===

impl<B> HttpBody for BodyLimitBody<B>
where
    B: HttpBody,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let frame = match ready!(this.inner.poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            other => return Poll::Ready(other.map(|frame| frame.map_err(Into::into))),
        };
        let length = frame.data_ref().map_or(0, Buf::remaining);
        Poll::Ready(Some(this.allowance.take(length).map(|()| frame).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use futures_util::stream;
    use http::Response;
    use http_body_util::{BodyExt, StreamBody};
    use tower::{ServiceExt, service_fn};

    use super::*;

    async fn send(
        limit: u64,
        chunks: &'static [&'static str],
        length: Option<&str>,
    ) -> Result<usize, BoxError> {
        let layer = BodyLimitLayer::new(&BodyLimitConfig { max: ByteSize(limit) });
        let service = layer.layer(service_fn(async |request: Request<BodyLimitBody<_>>| {
            let body = request.into_body().collect().await?.to_bytes();
            Ok::<_, BoxError>(Response::new(body.len()))
        }));
        let frames =
            chunks.iter().map(|chunk| Ok::<_, Infallible>(Frame::data(Bytes::from_static(chunk.as_bytes()))));
        let mut request = Request::post("/").body(StreamBody::new(stream::iter(frames)))?;
        if let Some(length) = length {
            request.headers_mut().insert(CONTENT_LENGTH, length.parse()?);
        }
        Ok(service.oneshot(request).await?.into_body())
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_passes() {
        assert_eq!(send(6, &["abc", "def"], Some("6")).await.ok(), Some(6));
        assert_eq!(send(6, &["abc", "def"], None).await.ok(), Some(6));
    }

    #[tokio::test]
    async fn a_declared_length_over_the_limit_is_refused_at_once() {
        let error = send(6, &[], Some("7")).await.expect_err("too large");
        assert_eq!(error.downcast_ref(), Some(&PayloadTooLarge { limit: 6 }));
    }

    #[tokio::test]
    async fn a_stream_is_cut_where_it_goes_over() {
        let error = send(6, &["abc", "def", "g"], None).await.expect_err("too large");
        assert_eq!(error.downcast_ref(), Some(&PayloadTooLarge { limit: 6 }));
    }

    #[tokio::test]
    async fn a_length_that_lies_does_not_help() {
        assert!(send(3, &["abc", "def"], Some("3")).await.is_err());
    }
}
