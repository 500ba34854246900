//! Writes one structured line per request, when the body of its answer has ended.
//!
//! The line is a `tracing` event of the target `miroir::access`. It never holds queries, headers or bodies, so no key
//! and no search can come into a log by it.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Buf;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    Deps, Filter, FilterLayer, Phase, erase,
    extensions::{ErrorCode, PeerAddr, RequestId},
};

/// The target of the events.
pub const TARGET: &str = "miroir::access";

/// Parameters of the filter `access_log`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessLogConfig {
    /// Paths that are not logged, such as that of health checks.
    pub skip: Vec<String>,
}

/// Writes a line per request.
#[derive(Clone, Debug)]
pub struct AccessLogLayer {
    skip: Arc<[String]>,
}

/// See [`AccessLogLayer`].
#[derive(Clone, Debug)]
pub struct AccessLogService<S> {
    inner: S,
    layer: AccessLogLayer,
}

pin_project! {
    /// Waits for the status of the answer.
    #[derive(Debug)]
    pub struct AccessLogFuture<F> {
        #[pin]
        inner: F,
        record: Option<Record>,
    }
}

pin_project! {
    /// Counts the bytes of an answer, and has the line written at its end.
    #[derive(Debug)]
    pub struct AccessLogBody<B> {
        #[pin]
        inner: B,
        record: Option<Record>,
    }
}

/// One line in the making: written when dropped, so that a request whose client leaves is logged too.
#[derive(Debug)]
struct Record {
    method: Method,
    uri: Uri,
    request_id: Option<RequestId>,
    peer: Option<SocketAddr>,
    started: Instant,
    status: Option<StatusCode>,
    /// The code of the error that was answered.
    code: Option<ErrorCode>,
    bytes: u64,
    /// Whether the answer came to its end.
    complete: bool,
}

// === impl AccessLogConfig ===

impl Filter for AccessLogConfig {
    const NAME: &'static str = "access_log";
    const PHASE: Phase = Phase::Edge;

    fn after(&self) -> &'static [&'static str] {
        &["request_id"]
    }

    fn layer(&self, _: &Deps) -> FilterLayer {
        erase::response_body(AccessLogLayer::new(self))
    }
}

// === impl AccessLogLayer ===

impl AccessLogLayer {
    /// A layer with these parameters.
    pub fn new(config: &AccessLogConfig) -> Self {
        Self { skip: config.skip.clone().into() }
    }

    fn wants(&self, path: &str) -> bool {
        tracing::enabled!(target: TARGET, tracing::Level::INFO) && !self.skip.iter().any(|skip| skip == path)
    }
}

impl<S> Layer<S> for AccessLogLayer {
    type Service = AccessLogService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AccessLogService { inner, layer: self.clone() }
    }
}

// === impl AccessLogService ===

impl<S, B, R> Service<Request<B>> for AccessLogService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: HttpBody,
{
    type Response = Response<AccessLogBody<R>>;
    type Error = S::Error;
    type Future = AccessLogFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let record = self.layer.wants(request.uri().path()).then(|| Record::new(&request));
        AccessLogFuture { inner: self.inner.call(request), record }
    }
}

// === impl AccessLogFuture ===

impl<F, R, E> Future for AccessLogFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: HttpBody,
{
    type Output = Result<Response<AccessLogBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        let mut record = this.record.take();
        if let Some(record) = &mut record {
            record.status = Some(response.status());
            record.code = response.extensions().get().cloned();
            record.complete = response.body().is_end_stream();
        }
        Poll::Ready(Ok(response.map(|inner| AccessLogBody { inner, record })))
    }
}

// === impl AccessLogBody ===

impl<B: HttpBody> HttpBody for AccessLogBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        if let Some(record) = this.record {
            match &frame {
                Some(Ok(frame)) => {
                    record.bytes += frame.data_ref().map_or(0, |data| data.remaining() as u64);
                    // Servers stop reading a body that says it has ended, so its end may never be asked for.
                    record.complete |= this.inner.is_end_stream();
                }
                Some(Err(_)) => record.complete = false,
                None => record.complete = true,
            }
        }
        if !matches!(frame, Some(Ok(_))) {
            this.record.take();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

// === impl Record ===

impl Record {
    fn new<B>(request: &Request<B>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            request_id: request.extensions().get::<RequestId>().cloned(),
            peer: request.extensions().get::<PeerAddr>().map(|peer| peer.0),
            started: Instant::now(),
            status: None,
            code: None,
            bytes: 0,
            complete: false,
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        tracing::info!(
            target: TARGET,
            method = self.method.as_str(),
            path = self.uri.path(),
            status = self.status.map(|status| status.as_u16()),
            code = self.code.as_ref().map(|code| code.0.as_str()),
            bytes = self.bytes,
            duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            request_id = self.request_id.as_ref().map(RequestId::as_str),
            peer = self.peer.map(tracing::field::display),
            complete = self.complete,
            "request"
        );
    }
}

#[cfg(test)]
mod tests;
