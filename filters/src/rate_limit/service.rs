//! The tower layer.

use std::{
    fmt::Write,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header::RETRY_AFTER};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    RateLimitConfig,
    bucket::{Clock, Decision, Monotonic, Quota, nanoseconds},
    buckets::Buckets,
    client::{Client, FindClient},
};
use crate::{BoxError, WithHeaders};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Limits how often clients may ask. All services made by one layer share its buckets.
#[derive(Clone, Debug)]
pub struct RateLimitLayer<C = Monotonic> {
    shared: Arc<Shared<C>>,
}

#[derive(Debug)]
struct Shared<C> {
    clock: C,
    quota: Quota,
    buckets: Buckets<Client>,
    find: FindClient,
    policy: HeaderValue,
}

/// See [`RateLimitLayer`].
#[derive(Clone, Debug)]
pub struct RateLimitService<S, C = Monotonic> {
    inner: S,
    shared: Arc<Shared<C>>,
}

pin_project! {
    /// Says on the answer what is left.
    #[derive(Debug)]
    pub struct RateLimitFuture<F> {
        #[pin]
        inner: Option<F>,
        policy: HeaderValue,
        decision: Decision,
    }
}

/// A client has asked too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests: retry after {} seconds", seconds(*retry_after))]
pub struct RateLimited {
    retry_after: Duration,
}

// === impl RateLimited ===

impl RateLimited {
    /// When the client may ask again, from now.
    pub fn retry_after(&self) -> Duration {
        self.retry_after
    }
}

/// Whole seconds, rounded up, so that nobody comes too early.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

// === impl RateLimitLayer ===

impl RateLimitLayer {
    /// A layer with these parameters.
    pub fn new(config: &RateLimitConfig) -> Self {
        Self::with_clock(config, Monotonic::default())
    }
}

impl<C: Clock> RateLimitLayer<C> {
    /// A layer that reads the time from this clock.
    pub fn with_clock(config: &RateLimitConfig, clock: C) -> Self {
        let policy = format!("\"default\";q={};w={}", config.requests, config.per.0.as_secs());
        let max_clients = usize::try_from(config.max_clients.get()).unwrap_or(usize::MAX);
        Self {
            shared: Arc::new(Shared {
                clock,
                quota: Quota::new(config.requests.get(), config.per.0),
                buckets: Buckets::new(max_clients),
                find: FindClient::new(config),
                policy: HeaderValue::from_str(&policy).expect("digits and punctuation"),
            }),
        }
    }
}

impl<S, C> Layer<S> for RateLimitLayer<C> {
    type Service = RateLimitService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimitService { inner, shared: Arc::clone(&self.shared) }
    }
}

// === impl Shared ===

impl<C: Clock> Shared<C> {
    fn decide<B>(&self, request: &Request<B>) -> Decision {
        let client = self.find.find(request.headers(), request.extensions());
        let now = self.clock.now();
        self.buckets.with(client, nanoseconds(now), |bucket| self.quota.take(bucket, now))
    }
}

// === impl RateLimitService ===

impl<S, B, R, C> Service<Request<B>> for RateLimitService<S, C>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    C: Clock,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = RateLimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let decision = self.shared.decide(&request);
        let inner = decision.allowed.then(|| self.inner.call(request));
        RateLimitFuture { inner, policy: self.shared.policy.clone(), decision }
    }
}

// === impl RateLimitFuture ===

impl<F, R, E> Future for RateLimitFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let decision = *this.decision;
        let policy = this.policy.clone();
        let Some(inner) = this.inner.as_pin_mut() else {
            let mut headers = HeaderMap::new();
            describe(&mut headers, policy, decision);
            headers.insert(RETRY_AFTER, seconds(decision.retry_after).into());
            let error = RateLimited { retry_after: decision.retry_after };
            return Poll::Ready(Err(WithHeaders::new(error, headers).into()));
        };
        Poll::Ready(match ready!(inner.poll(cx)) {
            Ok(mut response) => {
                describe(response.headers_mut(), policy, decision);
                Ok(response)
            }
            Err(error) => {
                let mut headers = HeaderMap::new();
                describe(&mut headers, policy, decision);
                Err(WithHeaders::new(error, headers).into())
            }
        })
    }
}

fn describe(headers: &mut HeaderMap, policy: HeaderValue, decision: Decision) {
    headers.insert(RATE_LIMIT_POLICY, policy);
    let mut limit = String::with_capacity(40);
    // Writing to a string cannot fail.
    let _ = write!(limit, "\"default\";r={};t={}", decision.remaining, seconds(decision.reset));
    if let Ok(limit) = HeaderValue::try_from(limit) {
        headers.insert(RATE_LIMIT, limit);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        num::NonZeroU32,
        sync::atomic::{AtomicU64, Ordering},
    };

    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::{extensions::PeerAddr, params::HumanDuration};

    /// A clock that stands still until it is moved.
    #[derive(Clone, Debug, Default)]
    struct Hands(Arc<AtomicU64>);

    impl Clock for Hands {
        fn now(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    type Answer = Result<Response<()>, BoxError>;

    struct Setup {
        clock: Hands,
        layer: RateLimitLayer<Hands>,
    }

    impl Setup {
        fn new(requests: u32, seconds: u64) -> Self {
            let config = RateLimitConfig {
                requests: NonZeroU32::new(requests).expect("not 0"),
                per: HumanDuration::from_secs(seconds),
                ..Default::default()
            };
            let clock = Hands::default();
            Self { layer: RateLimitLayer::with_clock(&config, clock.clone()), clock }
        }

        async fn send(&self, peer: [u8; 4]) -> Answer {
            let mut request = Request::new(());
            request.extensions_mut().insert(PeerAddr((peer, 4000).into()));
            let inner = service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(())));
            self.layer.layer(inner).oneshot(request).await
        }
    }

    const ALICE: [u8; 4] = [192, 0, 2, 1];
    const BOB: [u8; 4] = [192, 0, 2, 2];

    #[tokio::test]
    async fn answers_say_what_is_left() {
        let setup = Setup::new(10, 60);
        let response = setup.send(ALICE).await.expect("allowed");
        assert_eq!(response.headers()["ratelimit-policy"], "\"default\";q=10;w=60");
        assert_eq!(response.headers()["ratelimit"], "\"default\";r=9;t=6");
    }

    #[tokio::test]
    async fn who_asks_too_often_is_told_when_to_come_back() {
        let setup = Setup::new(2, 60);
        assert!(setup.send(ALICE).await.is_ok());
        assert!(setup.send(ALICE).await.is_ok());
        let error = setup.send(ALICE).await.expect_err("too often");
        let error = error.downcast_ref::<WithHeaders>().expect("headers");
        assert_eq!(error.headers()["retry-after"], "30");
        assert_eq!(error.headers()["ratelimit"], "\"default\";r=0;t=60");
        assert_eq!(error.headers()["ratelimit-policy"], "\"default\";q=2;w=60");
        assert_eq!(error.to_string(), "too many requests: retry after 30 seconds");

        setup.clock.0.store(30_000, Ordering::Relaxed);
        assert!(setup.send(ALICE).await.is_ok());
    }

    #[tokio::test]
    async fn clients_do_not_share_a_bucket() {
        let setup = Setup::new(1, 1);
        assert!(setup.send(ALICE).await.is_ok());
        assert!(setup.send(ALICE).await.is_err());
        assert!(setup.send(BOB).await.is_ok());
    }

    #[tokio::test]
    async fn errors_of_services_behind_say_what_is_left_too() {
        let setup = Setup::new(10, 1);
        let inner = service_fn(async |_: Request<()>| Err::<Response<()>, _>(BoxError::from("broken")));
        let error = setup.layer.layer(inner).oneshot(Request::new(())).await.expect_err("broken");
        assert_eq!(error.downcast_ref::<WithHeaders>().expect("headers").headers()["ratelimit"], "\"default\";r=9;t=1");
        assert_eq!(error.to_string(), "broken");
    }
}
