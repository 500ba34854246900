//! Turns errors into answers, in the one place where that happens.
//!
//! A [`RescueTable`] lists, in order, what becomes of which type of error. The layer is not chosen by the configuration:
//! the program puts it around the filters that may reject and inside those of the phase `edge`, so that these see every
//! answer with its status.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use http_body::Body as HttpBody;
use http_body_util::{Either, Full};
use miroir_protocol::error::{Code, ResponseError};
use pin_project_lite::pin_project;
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    BoxError, BoxService, RejectFuture, WithHeaders, auth::AuthError, body::box_body,
    body_limit::PayloadTooLarge, concurrency::Overloaded, deadline::DeadlineError,
    decompression::DecompressionError, extensions::ErrorCode, rate_limit::RateLimited,
};

type Rule = Box<dyn Fn(&(dyn Error + 'static)) -> Option<ResponseError> + Send + Sync>;

/// What becomes of which error. The first rule that knows an error, or one of its causes, answers it.
#[derive(Default)]
pub struct RescueTable {
    rules: Vec<Rule>,
}

/// Turns errors into answers.
#[derive(Clone, Debug)]
pub struct RescueLayer {
    table: Arc<RescueTable>,
}

/// See [`RescueLayer`].
#[derive(Debug)]
pub struct RescueService<S> {
    inner: S,
    table: Arc<RescueTable>,
    /// Why the inner service will not take the next request.
    unready: Option<BoxError>,
}

pin_project! {
    /// Waits for an answer or an error.
    #[derive(Debug)]
    pub struct RescueFuture<F> {
        #[pin]
        inner: RejectFuture<F>,
        table: Arc<RescueTable>,
    }
}

/// The body of an answer, or of an error made into one.
pub type RescueBody<B> = Either<B, Full<Bytes>>;

// === impl RescueTable ===

impl RescueTable {
    /// No rules: every error is an internal one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule, after those that are there.
    #[must_use]
    pub fn rule<E: Error + 'static>(
        mut self,
        answer: impl Fn(&E) -> ResponseError + Send + Sync + 'static,
    ) -> Self {
        self.rules
            .push(Box::new(move |error| causes(error).find_map(|cause| cause.downcast_ref()).map(&answer)));
        self
    }

    /// Adds the rules for errors that are answers already, and for those of the filters.
    #[must_use]
    pub fn filters(self) -> Self {
        self.rule(ResponseError::clone)
            .rule(auth)
            .rule(|error: &PayloadTooLarge| ResponseError::payload_too_large(error.limit()))
            .rule(decompression)
            .rule(deadline)
            .rule(|error: &RateLimited| {
                let seconds = error.retry_after().as_secs_f64().ceil();
                let message = format!("Too many requests. Retry after {seconds}s.");
                ResponseError::new(Code::MiroirTooManyRequests, message)
            })
            .rule(|_: &Overloaded| {
                let message = "Too many requests are running at the same time. Retry later.";
                ResponseError::new(Code::MiroirOverloaded, message)
            })
    }

    /// What becomes of an error, and the headers that go with it.
    pub fn rescue(&self, error: &(dyn Error + 'static)) -> (ResponseError, HeaderMap) {
        let answer = self.rules.iter().find_map(|rule| rule(error)).unwrap_or_else(|| {
            tracing::error!(error = %Chain(error), "a request failed");
            ResponseError::new(Code::Internal, "An internal error has occurred.")
        });
        // Several layers may have added headers; the innermost is the last one, and the outer ones win.
        let mut headers = HeaderMap::new();
        for with in causes(error).filter_map(|cause| cause.downcast_ref::<WithHeaders>()) {
            for (name, value) in with.headers() {
                headers.entry(name).or_insert_with(|| value.clone());
            }
        }
        if matches!(answer.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.entry(RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
        }
        (answer, headers)
    }

    fn answer(&self, error: &(dyn Error + 'static)) -> Response<Full<Bytes>> {
        let (error, mut headers) = self.rescue(error);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut response = Response::new(Full::from(error.body()));
        *response.status_mut() = error.status;
        *response.headers_mut() = headers;
        response.extensions_mut().insert(ErrorCode(error.code_name().to_owned()));
        response
    }
}

impl fmt::Debug for RescueTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RescueTable").field("rules", &self.rules.len()).finish()
    }
}

/// An error and its causes.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn auth(error: &AuthError) -> ResponseError {
    match error {
        AuthError::MissingHeader => ResponseError::missing_authorization_header(),
        AuthError::MissingMasterKey => ResponseError::missing_master_key(),
        refused => ResponseError::new(Code::InvalidApiKey, refused.to_string()),
    }
}

fn decompression(error: &DecompressionError) -> ResponseError {
    match error {
        DecompressionError::Unsupported(_) => {
            ResponseError::new(Code::UnsupportedMediaType, error.to_string())
        }
        DecompressionError::Corrupt(_) => {
            // Meilisearch's words for a body that ends too early or cannot be unpacked.
            let message = "The provided payload is incomplete and cannot be parsed";
            ResponseError::new(Code::BadRequest, message)
        }
    }
}

fn deadline(error: &DeadlineError) -> ResponseError {
    match error {
        DeadlineError::Elapsed { .. } => {
            ResponseError::new(Code::MiroirTimeout, format!("The request timed out: {error}."))
        }
        DeadlineError::InvalidHeader { .. } => {
            ResponseError::new(Code::InvalidHeaderValue, error.to_string())
        }
    }
}

/// An error with its causes, for the log.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = String::new();
        for cause in causes(self.0) {
            let text = cause.to_string();
            // A transparent wrapper says what its cause says.
            if text != said {
                write!(f, "{}{text}", if said.is_empty() { "" } else { ": " })?;
                said = text;
            }
        }
        Ok(())
    }
}

// === impl RescueLayer ===

impl RescueLayer {
    /// A layer that answers as this table says.
    pub fn new(table: RescueTable) -> Self {
        Self { table: Arc::new(table) }
    }

    /// Puts it between two seams of boxed services. What comes out never fails.
    pub fn seam(&self, inner: BoxService) -> BoxService {
        let rescued = self.layer(inner).map_response(|response| response.map(box_body));
        BoxService::new(rescued.map_err(|never: Infallible| match never {}))
    }
}

impl<S> Layer<S> for RescueLayer {
    type Service = RescueService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RescueService { inner, table: Arc::clone(&self.table), unready: None }
    }
}

// === impl RescueService ===

impl<S: Clone> Clone for RescueService<S> {
    fn clone(&self) -> Self {
        // What one service found when it asked whether it is ready is not the clone's.
        Self { inner: self.inner.clone(), table: Arc::clone(&self.table), unready: None }
    }
}

impl<S, B, R> Service<Request<B>> for RescueService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: HttpBody<Data = Bytes>,
{
    type Response = Response<RescueBody<R>>;
    type Error = Infallible;
    type Future = RescueFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.unready = ready!(self.inner.poll_ready(cx)).err().map(Into::into);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let table = Arc::clone(&self.table);
        match self.unready.take() {
            None => RescueFuture { inner: RejectFuture::forward(self.inner.call(request)), table },
            Some(error) => RescueFuture { inner: RejectFuture::reject(error), table },
        }
    }
}

// === impl RescueFuture ===

impl<F, R, E> Future for RescueFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
    R: HttpBody<Data = Bytes>,
{
    type Output = Result<Response<RescueBody<R>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(Ok(match ready!(this.inner.poll(cx)) {
            Ok(response) => response.map(Either::Left),
            Err(error) => this.table.answer(&*error).map(Either::Right),
        }))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Empty};
    use tower::service_fn;

    use super::*;
    use crate::body_limit::{BodyLimitConfig, BodyLimitLayer};
    use crate::params::ByteSize;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] BoxError);

    #[derive(Debug, thiserror::Error)]
    #[error("inner")]
    struct Inner;

    async fn answer(table: RescueTable, error: impl Into<BoxError>) -> (StatusCode, HeaderMap, String) {
        let mut error = Some(error.into());
        let service = RescueLayer::new(table).layer(service_fn(move |_: Request<()>| {
            let error = error.take().expect("asked once");
            async { Err::<Response<Empty<Bytes>>, _>(error) }
        }));
        let Ok(response) = service.oneshot(Request::new(())).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).expect("UTF-8"))
    }

    fn table() -> RescueTable {
        RescueTable::new().filters()
    }

    #[tokio::test]
    async fn errors_become_answers_of_meilisearchs_shape() {
        let (status, headers, body) = answer(table(), AuthError::MissingHeader).await;
        assert_eq!(status, 401);
        assert_eq!(headers[CONTENT_TYPE], "application/json");
        assert_eq!(
            body,
            r#"{"message":"The Authorization header is missing. It must use the bearer authorization method.","code":"missing_authorization_header","type":"auth","link":"https://docs.meilisearch.com/errors#missing_authorization_header"}"#
        );
        let (status, _, body) = answer(table(), AuthError::InvalidKey).await;
        assert_eq!(status, 403);
        assert!(body.contains("\"The provided API key is invalid.\""), "{body}");
    }

    #[tokio::test]
    async fn a_cause_deep_inside_is_found() {
        let error = Outer(WithHeaders::new(AuthError::InvalidKey, HeaderMap::new()).into());
        assert_eq!(answer(table(), error).await.0, 403);
    }

    #[tokio::test]
    async fn the_first_rule_that_knows_an_error_answers_it() {
        let rules = || RescueTable::new().rule(|_: &Inner| ResponseError::index_not_found("a"));
        let table = rules().rule(|_: &Outer| ResponseError::invalid_api_key()).filters();
        assert_eq!(answer(table, Outer(Inner.into())).await.0, 404);
        let table = RescueTable::new().rule(|_: &Outer| ResponseError::invalid_api_key());
        assert_eq!(answer(table, Outer(Inner.into())).await.0, 403);
    }

    #[tokio::test]
    async fn headers_travel_with_the_error_and_the_outer_ones_win() {
        let headers =
            |value: &'static str| HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
        let inner = WithHeaders::new(ResponseError::new(Code::MiroirOverloaded, "busy"), headers("30"));
        assert_eq!(answer(table(), inner).await.1[RETRY_AFTER], "30");
        let inner = WithHeaders::new(ResponseError::new(Code::MiroirOverloaded, "busy"), headers("30"));
        let (status, headers, _) = answer(table(), WithHeaders::new(inner, headers("60"))).await;
        assert_eq!((status.as_u16(), &headers[RETRY_AFTER]), (503, &HeaderValue::from_static("60")));
    }

    #[tokio::test]
    async fn who_is_told_to_come_back_is_told_when() {
        let (status, headers, _) =
            answer(table(), ResponseError::new(Code::MiroirShardUnavailable, "down")).await;
        assert_eq!((status.as_u16(), &headers[RETRY_AFTER]), (503, &HeaderValue::from_static("1")));
    }

    #[tokio::test]
    async fn an_unknown_error_is_internal_and_keeps_its_words_to_itself() {
        let (status, _, body) = answer(table(), "password=hunter2").await;
        assert_eq!(status, 500);
        assert!(body.contains("\"code\":\"internal\"") && !body.contains("hunter2"), "{body}");
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_meilisearchs_413() {
        let limit = BodyLimitLayer::new(&BodyLimitConfig { max: ByteSize::mib(1) });
        let inner =
            limit.layer(service_fn(async |_| Ok::<_, BoxError>(Response::new(Empty::<Bytes>::new()))));
        let request = Request::post("/").header("content-length", (1 << 20) + 1).body(Empty::<Bytes>::new());
        let Ok(response) = RescueLayer::new(table()).layer(inner).oneshot(request.expect("a request")).await;
        assert_eq!(response.status(), 413);
        assert_eq!(response.extensions().get(), Some(&ErrorCode("payload_too_large".to_owned())));
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        let text = String::from_utf8_lossy(&body);
        assert!(
            text.contains(
                "The provided payload reached the size limit. The maximum accepted payload size is 1 MiB."
            ),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_service_that_cannot_be_ready_is_answered_too() {
        let inner =
            tower::service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(Empty::<Bytes>::new())));
        let mut service = RescueLayer::new(table()).layer(Unready(inner));
        let Ok(ready) = service.ready().await;
        let Ok(response) = ready.call(Request::new(())).await;
        assert_eq!(response.status(), 404);
    }

    struct Unready<S>(S);

    impl<S: Service<Request<()>, Error = BoxError>> Service<Request<()>> for Unready<S> {
        type Response = S::Response;
        type Error = BoxError;
        type Future = S::Future;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Err(ResponseError::index_not_found("x").into()))
        }

        fn call(&mut self, request: Request<()>) -> S::Future {
            self.0.call(request)
        }
    }

    #[test]
    fn the_log_names_every_cause_once() {
        let error = Outer(WithHeaders::new(Inner, HeaderMap::new()).into());
        assert_eq!(Chain(&error).to_string(), "outer: inner");
    }
}
