//! Sheds load: past a number of requests under way at once, further ones are refused at once instead of queued.
//!
//! A request is under way until the body of its answer has ended. Searches are counted apart from everything else: where
//! they pile up, since the servers behind cannot keep up with them, writes are accepted all the same.

use std::{
    future::Future,
    num::NonZeroU32,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, HeaderValue, Request, Response, header::RETRY_AFTER};
use pin_project_lite::pin_project;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    BoxError, Deps, Filter, FilterLayer, Phase, WithHeaders, body::RetainBody, erase, params::HumanDuration,
    route_class::RouteClass,
};

/// Parameters of the filter `concurrency`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConcurrencyConfig {
    /// How many searches may be under way at once, and how many other requests.
    pub max: NonZeroU32,
    /// When clients that are turned away are told to come back: whole seconds.
    pub retry_after: HumanDuration,
}

/// Refuses requests while too many are under way. All services made by one layer share its places.
#[derive(Clone, Debug)]
pub struct ConcurrencyLayer {
    searches: Arc<Semaphore>,
    others: Arc<Semaphore>,
    retry_after: HeaderValue,
}

/// See [`ConcurrencyLayer`].
#[derive(Clone, Debug)]
pub struct ConcurrencyService<S> {
    inner: S,
    layer: ConcurrencyLayer,
}

pin_project! {
    /// Holds the place of a request until its answer is there, then hands it to the answer's body.
    #[derive(Debug)]
    pub struct ConcurrencyFuture<F> {
        #[pin]
        inner: Option<F>,
        place: Option<OwnedSemaphorePermit>,
        retry_after: HeaderValue,
    }
}

/// The body of an answer that holds the place of its request.
pub type ConcurrencyBody<B> = RetainBody<B, OwnedSemaphorePermit>;

/// Too many requests are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests are under way at once")]
pub struct Overloaded(());

// === impl ConcurrencyConfig ===

impl Default for ConcurrencyConfig {
    fn default() -> Self {
        Self { max: NonZeroU32::new(1024).expect("it is not 0"), retry_after: HumanDuration::from_secs(1) }
    }
}

impl Filter for ConcurrencyConfig {
    const NAME: &'static str = "concurrency";
    const PHASE: Phase = Phase::Policy;

    fn layer(&self, _: &Deps) -> FilterLayer {
        erase::response_body(ConcurrencyLayer::new(self))
    }
}

// === impl ConcurrencyLayer ===

impl ConcurrencyLayer {
    /// A layer with these parameters.
    pub fn new(config: &ConcurrencyConfig) -> Self {
        let places = usize::try_from(config.max.get()).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let places = || Arc::new(Semaphore::new(places));
        Self { searches: places(), others: places(), retry_after: config.retry_after.0.as_secs().into() }
    }

    /// The places for requests to this path.
    fn places(&self, path: &str) -> Arc<Semaphore> {
        match RouteClass::of(path) {
            RouteClass::Search | RouteClass::MultiSearch => self.searches.clone(),
            _ => self.others.clone(),
        }
    }
}

impl<S> Layer<S> for ConcurrencyLayer {
    type Service = ConcurrencyService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ConcurrencyService { inner, layer: self.clone() }
    }
}

// === impl ConcurrencyService ===

impl<S, B, R> Service<Request<B>> for ConcurrencyService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    type Response = Response<ConcurrencyBody<R>>;
    type Error = BoxError;
    type Future = ConcurrencyFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let place = self.layer.places(request.uri().path()).try_acquire_owned().ok();
        let inner = place.is_some().then(|| self.inner.call(request));
        ConcurrencyFuture { inner, place, retry_after: self.layer.retry_after.clone() }
    }
}

// === impl ConcurrencyFuture ===

impl<F, R, E> Future for ConcurrencyFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<ConcurrencyBody<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, this.retry_after.clone())]);
            return Poll::Ready(Err(WithHeaders::new(Overloaded(()), headers).into()));
        };
        let response = ready!(inner.poll(cx)).map_err(Into::into)?;
        let place = this.place.take().expect("a request under way has a place");
        Poll::Ready(Ok(response.map(|body| RetainBody::new(body, place))))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use tower::ServiceExt;
    use tower_test::mock;

    use super::*;

    type Inner = mock::Mock<Request<&'static str>, Response<Full<Bytes>>>;
    type Handle = mock::Handle<Request<&'static str>, Response<Full<Bytes>>>;

    fn service(max: u32) -> (ConcurrencyService<Inner>, Handle) {
        let (inner, handle) = mock::pair();
        let max = NonZeroU32::new(max).expect("not 0");
        (ConcurrencyLayer::new(&ConcurrencyConfig { max, ..Default::default() }).layer(inner), handle)
    }

    fn answer() -> Response<Full<Bytes>> {
        Response::new(Full::new(Bytes::from_static(b"answer")))
    }

    #[tokio::test]
    async fn the_place_is_held_until_the_body_ends() {
        let (service, mut handle) = service(1);
        let first = tokio::spawn(service.clone().oneshot(Request::new("first")));
        let (_, send) = handle.next_request().await.expect("a request");
        assert!(service.clone().oneshot(Request::new("while it waits")).await.is_err());

        send.send_response(answer());
        let mut body = first.await.expect("no panic").expect("an answer").into_body();
        assert!(body.frame().await.is_some());
        assert!(service.clone().oneshot(Request::new("while it streams")).await.is_err());
        assert!(body.frame().await.is_none());

        let next = tokio::spawn(service.oneshot(Request::new("after")));
        let (request, send) = handle.next_request().await.expect("a request");
        assert_eq!(request.into_body(), "after");
        send.send_response(answer());
        assert!(next.await.expect("no panic").is_ok());
    }

    #[tokio::test]
    async fn a_client_that_leaves_gives_its_place_back() {
        let (service, mut handle) = service(1);
        let first = tokio::spawn(service.clone().oneshot(Request::new("first")));
        let _request = handle.next_request().await.expect("a request");
        first.abort();
        assert!(first.await.is_err());

        let second = tokio::spawn(service.oneshot(Request::new("second")));
        let (_, send) = handle.next_request().await.expect("a request");
        send.send_response(answer());
        drop(second.await.expect("no panic").expect("an answer"));
    }

    #[tokio::test]
    async fn searches_that_pile_up_turn_no_writes_away() {
        let (service, mut handle) = service(1);
        let to = |path| {
            let mut request = Request::new(path);
            *request.uri_mut() = http::Uri::from_static(path);
            request
        };
        let _search = tokio::spawn(service.clone().oneshot(to("/indexes/movies/search")));
        let _waits = handle.next_request().await.expect("a request");
        assert!(service.clone().oneshot(to("/multi-search")).await.is_err());

        let write = tokio::spawn(service.oneshot(to("/indexes/movies/documents")));
        let (_, send) = handle.next_request().await.expect("a request");
        send.send_response(answer());
        assert!(write.await.expect("no panic").is_ok());
    }

    #[tokio::test]
    async fn those_turned_away_are_told_when_to_come_back() {
        let (service, mut handle) = service(1);
        let _first = tokio::spawn(service.clone().oneshot(Request::new("first")));
        let _request = handle.next_request().await.expect("a request");
        let error = service.oneshot(Request::new("second")).await.map(|_| ()).expect_err("too many");
        let error = error.downcast_ref::<WithHeaders>().expect("headers");
        assert_eq!(error.headers()[RETRY_AFTER], "1");
        assert!(error.source().is_some_and(|source| source.is::<Overloaded>()));
    }
}
