//! Bodies: the boxed one of the named seams, and one that keeps something until its end.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use pin_project_lite::pin_project;

/// The one error type in which the errors of services travel.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body used where a concrete type is needed.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Boxes any body.
pub fn box_body<B>(body: B) -> Body
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}

pin_project! {
    /// A body that keeps a value (a permit, a gauge) until it has ended, failed or been dropped.
    #[derive(Debug)]
    pub struct RetainBody<B, T> {
        #[pin]
        inner: B,
        retained: Option<T>,
    }
}

// === impl RetainBody ===

impl<B, T> RetainBody<B, T> {
    /// Keeps `retained` until the end of `inner`.
    pub fn new(inner: B, retained: T) -> Self {
        Self { inner, retained: Some(retained) }
    }
}

impl<B: HttpBody, T> HttpBody for RetainBody<B, T> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            this.retained.take();
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
mod tests {
    use std::sync::Arc;

    use http_body_util::Full;

    use super::*;

    #[tokio::test]
    async fn retains_until_the_end() {
        let permit = Arc::new(());
        let mut body = RetainBody::new(Full::new(Bytes::from_static(b"answer")), Arc::clone(&permit));
        assert!(body.frame().await.is_some());
        assert_eq!(Arc::strong_count(&permit), 2);
        assert!(body.frame().await.is_none());
        assert_eq!(Arc::strong_count(&permit), 1);
    }

    #[test]
    fn releases_when_dropped_in_the_middle() {
        let permit = Arc::new(());
        drop(RetainBody::new(Full::new(Bytes::from_static(b"answer")), Arc::clone(&permit)));
        assert_eq!(Arc::strong_count(&permit), 1);
    }
}
