//! The future of a filter that either lets a request through or turns it down at once.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::body::BoxError;

pin_project! {
    /// Either the inner service's future, or an error that is already known.
    #[derive(Debug)]
    pub struct RejectFuture<F> {
        #[pin]
        inner: Option<F>,
        error: Option<BoxError>,
    }
}

// === impl RejectFuture ===

impl<F> RejectFuture<F> {
    /// The request goes on.
    pub fn forward(inner: F) -> Self {
        Self { inner: Some(inner), error: None }
    }

    /// The request ends here.
    pub fn reject(error: impl Into<BoxError>) -> Self {
        Self { inner: None, error: Some(error.into()) }
    }
}

impl<F, R, E> Future for RejectFuture<F>
where
    F: Future<Output = Result<R, E>>,
    E: Into<BoxError>,
{
    type Output = Result<R, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.inner.as_pin_mut() {
            Some(inner) => inner.poll(cx).map_err(Into::into),
            None => Poll::Ready(Err(this.error.take().expect("polled after it was ready"))),
        }
    }
}
