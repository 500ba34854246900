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
            .rule(|error: &AuthError| ResponseError::from(error))
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
mod tests;
