//! Gives every request a deadline, which everything behind it reads from the extension [`Deadline`], and turns late
//! answers into an error.
//!
//! The time runs from the last piece of the request's body: a large upload takes as long as it takes, as long as it
//! does not stall. Answers that have begun are not cut off.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderMap, HeaderName, Request};
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Sleep, sleep_until};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    BoxError, Deps, Filter, FilterLayer, Phase, RejectFuture, erase,
    extensions::Deadline,
    params::{HeaderField, HumanDuration, ParseDurationError},
};

/// Parameters of the filter `deadline`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeadlineConfig {
    /// How long a request may take once its body has come in, and how long its body may stall.
    pub timeout: HumanDuration,
    /// The header by which a client shortens it.
    pub header: HeaderField,
}

/// Decides how long a request may take.
#[derive(Clone, Debug)]
pub struct Allotment {
    timeout: Duration,
    header: HeaderName,
}

/// Gives requests a deadline.
#[derive(Clone, Debug)]
pub struct DeadlineLayer {
    allotment: Allotment,
}

/// See [`DeadlineLayer`].
#[derive(Clone, Debug)]
pub struct DeadlineService<S> {
    inner: S,
    allotment: Allotment,
}

pin_project! {
    /// Waits for the answer until the deadline.
    #[derive(Debug)]
    pub struct DeadlineFuture<F> {
        #[pin]
        inner: F,
        #[pin]
        sleep: Option<Sleep>,
        deadline: Deadline,
    }
}

pin_project! {
    /// A body whose every piece moves the deadline.
    #[derive(Debug)]
    pub struct DeadlineBody<B> {
        #[pin]
        inner: B,
        deadline: Deadline,
    }
}

/// Why a request is given up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeadlineError {
    /// The answer was not there in time.
    #[error("the request took longer than {}", HumanDuration(*timeout))]
    Elapsed {
        /// What was allowed.
        timeout: Duration,
    },
    /// The client's header is not a duration.
    #[error("Invalid value for header `{header}`: {source}")]
    InvalidHeader {
        /// The header.
        header: HeaderName,
        /// What is wrong with it.
        source: ParseDurationError,
    },
}

// === impl DeadlineConfig ===

impl Default for DeadlineConfig {
    fn default() -> Self {
        Self { timeout: HumanDuration::from_secs(30), header: HeaderField::from_static("miroir-timeout") }
    }
}

impl Filter for DeadlineConfig {
    const NAME: &'static str = "deadline";
    const PHASE: Phase = Phase::Policy;

    fn validate(&self) -> Vec<String> {
        if self.timeout.0.is_zero() { vec!["`timeout` must be more than 0".to_owned()] } else { Vec::new() }
    }

    fn layer(&self, _: &Deps) -> FilterLayer {
        erase::request_body(DeadlineLayer::new(self))
    }
}

// === impl Allotment ===

impl Allotment {
    /// The time for a request with these headers.
    pub fn of(&self, headers: &HeaderMap) -> Result<Duration, DeadlineError> {
        let Some(value) = headers.get(&self.header) else { return Ok(self.timeout) };
        let wanted = String::from_utf8_lossy(value.as_bytes()).parse::<HumanDuration>();
        wanted
            .map(|wanted| wanted.0.min(self.timeout))
            .map_err(|source| DeadlineError::InvalidHeader { header: self.header.clone(), source })
    }
}

// === impl DeadlineLayer ===

impl DeadlineLayer {
    /// A layer with these parameters.
    pub fn new(config: &DeadlineConfig) -> Self {
        Self { allotment: Allotment { timeout: config.timeout.0, header: config.header.0.clone() } }
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = DeadlineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DeadlineService { inner, allotment: self.allotment.clone() }
    }
}

// === impl DeadlineService ===

impl<S, B> Service<Request<B>> for DeadlineService<S>
where
    S: Service<Request<DeadlineBody<B>>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = RejectFuture<DeadlineFuture<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let deadline = match self.allotment.of(request.headers()) {
            Ok(timeout) => Deadline::within(timeout),
            Err(error) => return RejectFuture::reject(error),
        };
        request.extensions_mut().insert(deadline.clone());
        let request = request.map(|inner| DeadlineBody { inner, deadline: deadline.clone() });
        RejectFuture::forward(DeadlineFuture { inner: self.inner.call(request), sleep: None, deadline })
    }
}

// === impl DeadlineFuture ===

impl<F, R, E> Future for DeadlineFuture<F>
where
    F: Future<Output = Result<R, E>>,
    E: Into<BoxError>,
{
    type Output = Result<R, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(result) = this.inner.poll(cx) {
            return Poll::Ready(result.map_err(Into::into));
        }
        // A timer is set only for requests that wait at all, and moved only when it goes off.
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep_until(this.deadline.at())));
        }
        while let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
            let set_to = sleep.deadline();
            ready!(sleep.poll(cx));
            let at = this.deadline.at();
            if at <= set_to {
                break;
            }
            this.sleep.set(Some(sleep_until(at)));
        }
        Poll::Ready(Err(DeadlineError::Elapsed { timeout: this.deadline.timeout() }.into()))
    }
}

// === impl DeadlineBody ===

impl<B: HttpBody> HttpBody for DeadlineBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if matches!(frame, Some(Ok(_))) {
            this.deadline.renew();
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

#[cfg(test)]
mod tests;
