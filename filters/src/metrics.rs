//! Counts requests by class of route and status, how long they took, and how many are under way.
//!
//! A request is under way, and its time runs, until the body of its answer has ended. One whose client left before an
//! answer was there counts with the status `canceled`.

use std::{
    fmt::{self, Write},
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    Deps, Filter, FilterLayer, Phase,
    body::RetainBody,
    erase,
    metric_registry::{MetricRegistry, MetricSet},
    route_class::RouteClass,
};

/// The upper bounds of the histogram, in seconds.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Parameters of the filter `metrics`: there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {}

/// What is counted.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    in_flight: Gauge,
}

/// Counts requests.
#[derive(Clone, Debug)]
pub struct MetricsLayer {
    metrics: Arc<HttpMetrics>,
}

/// See [`MetricsLayer`].
#[derive(Clone, Debug)]
pub struct MetricsService<S> {
    inner: S,
    metrics: Arc<HttpMetrics>,
}

pin_project! {
    /// Waits for the status of the answer.
    #[derive(Debug)]
    pub struct MetricsFuture<F> {
        #[pin]
        inner: F,
        request: Option<InFlight>,
    }
}

/// The body of an answer that is counted when it ends.
pub type MetricsBody<B> = RetainBody<B, InFlight>;

/// A request under way: counted when dropped.
#[derive(Debug)]
pub struct InFlight {
    metrics: Arc<HttpMetrics>,
    route: RouteClass,
    started: Instant,
    status: Status,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: RouteClass,
    status: Status,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: RouteClass,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Status {
    Code(StatusCode),
    Error,
    Canceled,
}

// === impl MetricsConfig ===

impl Filter for MetricsConfig {
    const NAME: &'static str = "metrics";
    const PHASE: Phase = Phase::Edge;

    fn layer(&self, deps: &Deps) -> FilterLayer {
        erase::response_body(MetricsLayer::new(&deps.metrics))
    }
}

// === impl HttpMetrics ===

impl MetricSet for HttpMetrics {
    fn register(registry: &mut Registry) -> Self {
        let durations = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let metrics = Self { requests: Family::default(), durations, in_flight: Gauge::default() };
        let requests = "Requests by class of route and status of the answer";
        registry.register("miroir_http_requests", requests, metrics.requests.clone());
        registry.register_with_unit(
            "miroir_http_request_duration",
            "Time from a request to the end of its answer",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        let in_flight = "Requests whose answer has not ended";
        registry.register("miroir_http_requests_in_flight", in_flight, metrics.in_flight.clone());
        metrics
    }
}

// === impl InFlight ===

impl InFlight {
    fn new(metrics: &Arc<HttpMetrics>, path: &str) -> Self {
        metrics.in_flight.inc();
        Self {
            metrics: Arc::clone(metrics),
            route: RouteClass::of(path),
            started: Instant::now(),
            status: Status::Canceled,
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let HttpMetrics { requests, durations, in_flight } = &*self.metrics;
        in_flight.dec();
        requests.get_or_create(&RequestLabels { route: self.route, status: self.status }).inc();
        let elapsed = self.started.elapsed().as_secs_f64();
        durations.get_or_create(&RouteLabels { route: self.route }).observe(elapsed);
    }
}

// === impl Status ===

impl EncodeLabelValue for Status {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.write_str(match self {
            Self::Code(code) => code.as_str(),
            Self::Error => "error",
            Self::Canceled => "canceled",
        })
    }
}

impl EncodeLabelValue for RouteClass {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.write_str(self.as_str())
    }
}

// === impl MetricsLayer ===

impl MetricsLayer {
    /// A layer that counts in this registry.
    pub fn new(registry: &MetricRegistry) -> Self {
        Self { metrics: Arc::new(registry.set()) }
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = MetricsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        MetricsService { inner, metrics: Arc::clone(&self.metrics) }
    }
}

// === impl MetricsService ===

impl<S, B, R> Service<Request<B>> for MetricsService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<MetricsBody<R>>;
    type Error = S::Error;
    type Future = MetricsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let in_flight = InFlight::new(&self.metrics, request.uri().path());
        MetricsFuture { inner: self.inner.call(request), request: Some(in_flight) }
    }
}

// === impl MetricsFuture ===

impl<F, R, E> Future for MetricsFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<MetricsBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(cx));
        let mut request = this.request.take().expect("polled after it was ready");
        request.status = result.as_ref().map_or(Status::Error, |response| Status::Code(response.status()));
        Poll::Ready(result.map(|response| response.map(|body| RetainBody::new(body, request))))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use tower::ServiceExt;
    use tower_test::mock;

    use super::*;

    type Inner = mock::Mock<Request<()>, Response<Full<Bytes>>>;
    type Handle = mock::Handle<Request<()>, Response<Full<Bytes>>>;

    fn service() -> (MetricsService<Inner>, Handle, MetricRegistry) {
        let (inner, handle) = mock::pair();
        let registry = MetricRegistry::default();
        (MetricsLayer::new(&registry).layer(inner), handle, registry)
    }

    fn request(path: &str) -> Request<()> {
        Request::get(path).body(()).expect("a request")
    }

    #[track_caller]
    fn assert_line(registry: &MetricRegistry, line: &str) {
        let text = registry.text();
        assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
    }

    #[tokio::test]
    async fn a_request_is_in_flight_until_its_body_ends() {
        let (service, mut handle, registry) = service();
        let answer = tokio::spawn(service.oneshot(request("/indexes/movies/search")));
        let (_, send) = handle.next_request().await.expect("a request");
        assert_line(&registry, "miroir_http_requests_in_flight 1");

        send.send_response(Response::new(Full::new(Bytes::from_static(b"answer"))));
        let mut body = answer.await.expect("no panic").expect("an answer").into_body();
        assert!(body.frame().await.is_some());
        assert_line(&registry, "miroir_http_requests_in_flight 1");
        assert!(body.frame().await.is_none());
        assert_line(&registry, "miroir_http_requests_in_flight 0");
        assert_line(&registry, "miroir_http_requests_total{route=\"search\",status=\"200\"} 1");
        assert_line(&registry, "miroir_http_request_duration_seconds_count{route=\"search\"} 1");
    }

    #[tokio::test]
    async fn a_client_that_leaves_is_counted_as_canceled() {
        let (service, mut handle, registry) = service();
        let answer = tokio::spawn(service.oneshot(request("/health")));
        let _request = handle.next_request().await.expect("a request");
        answer.abort();
        assert!(answer.await.is_err());
        assert_line(&registry, "miroir_http_requests_in_flight 0");
        assert_line(&registry, "miroir_http_requests_total{route=\"instance\",status=\"canceled\"} 1");
    }

    #[tokio::test]
    async fn an_error_that_nobody_turned_into_an_answer_is_counted() {
        let (service, mut handle, registry) = service();
        let answer = tokio::spawn(service.oneshot(request("/nonsense")));
        let (_, send) = handle.next_request().await.expect("a request");
        send.send_error("broken");
        assert!(answer.await.expect("no panic").is_err());
        assert_line(&registry, "miroir_http_requests_total{route=\"other\",status=\"error\"} 1");
    }
}
