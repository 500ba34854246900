//! Opens a `tracing` span per request, in which everything behind it runs: the work on the answer and its body.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_layer::Layer;
use tower_service::Service;
use tracing::{Span, field::Empty};

use crate::{Deps, Filter, FilterLayer, Phase, erase, extensions::RequestId};

/// The target of the spans.
pub const TARGET: &str = "miroir::request";

/// Parameters of the filter `trace`: there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TraceConfig {}

/// Opens a span per request.
#[derive(Clone, Copy, Debug, Default)]
pub struct TraceLayer(());

/// See [`TraceLayer`].
#[derive(Clone, Debug)]
pub struct TraceService<S> {
    inner: S,
}

pin_project! {
    /// Runs inside the request's span.
    #[derive(Debug)]
    pub struct TraceFuture<F> {
        #[pin]
        inner: F,
        span: Span,
    }
}

pin_project! {
    /// A body that is read inside its request's span.
    #[derive(Debug)]
    pub struct TraceBody<B> {
        #[pin]
        inner: B,
        span: Span,
    }
}

// === impl TraceConfig ===

impl Filter for TraceConfig {
    const NAME: &'static str = "trace";
    const PHASE: Phase = Phase::Edge;

    fn after(&self) -> &'static [&'static str] {
        &["request_id"]
    }

    fn layer(&self, _: &Deps) -> FilterLayer {
        erase::response_body(TraceLayer::default())
    }
}

// === impl TraceLayer ===

impl<S> Layer<S> for TraceLayer {
    type Service = TraceService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TraceService { inner }
    }
}

fn span<B>(request: &Request<B>) -> Span {
    tracing::info_span!(
        target: TARGET,
        "request",
        method = request.method().as_str(),
        path = request.uri().path(),
        request_id = request.extensions().get::<RequestId>().map(RequestId::as_str),
        status = Empty,
    )
}

// === impl TraceService ===

impl<S, B, R> Service<Request<B>> for TraceService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<TraceBody<R>>;
    type Error = S::Error;
    type Future = TraceFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let span = span(&request);
        let inner = span.in_scope(|| self.inner.call(request));
        TraceFuture { inner, span }
    }
}

// === impl TraceFuture ===

impl<F, R, E> Future for TraceFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<TraceBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = {
            let _entered = this.span.enter();
            ready!(this.inner.poll(cx))?
        };
        this.span.record("status", response.status().as_u16());
        let span = this.span.clone();
        Poll::Ready(Ok(response.map(|inner| TraceBody { inner, span })))
    }
}

// === impl TraceBody ===

impl<B: HttpBody> HttpBody for TraceBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let _entered = this.span.enter();
        this.inner.poll_frame(cx)
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
    use bytes::Bytes;
    use http::HeaderValue;
    use http_body_util::{BodyExt, StreamBody};
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::BoxError;

    fn current_span() -> Option<&'static str> {
        Span::current().metadata().map(|metadata| metadata.name())
    }

    #[tokio::test]
    async fn the_work_and_the_body_run_inside_the_span() {
        let subscriber = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let service = TraceLayer::default().layer(service_fn(async |_: Request<()>| {
            assert_eq!(current_span(), Some("request"));
            let body = futures_util::stream::poll_fn(|_| {
                assert_eq!(current_span(), Some("request"));
                Poll::Ready(None::<Result<Frame<Bytes>, BoxError>>)
            });
            Ok::<_, BoxError>(Response::new(StreamBody::new(body)))
        }));
        let response = service.oneshot(Request::new(())).await.expect("an answer");
        assert_eq!(current_span(), None);
        response.into_body().collect().await.expect("a body");
    }

    #[test]
    fn the_span_names_the_request_but_not_its_query() {
        let subscriber = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
        tracing::subscriber::with_default(subscriber, || {
            let mut request = Request::get("/indexes/movies/search?q=private").body(()).expect("a request");
            let id = RequestId::from_client(&HeaderValue::from_static("id-1")).expect("a safe id");
            request.extensions_mut().insert(id);
            let span = span(&request);
            let fields: Vec<_> =
                span.metadata().expect("enabled").fields().iter().map(|field| field.name()).collect();
            assert_eq!(fields, ["method", "path", "request_id", "status"]);
        });
    }
}
