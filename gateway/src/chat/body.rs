//! The body of an answer that is made while it is sent.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::Frame;
use miroir_filters::BoxError;
use tokio::sync::mpsc;

/// Events that may wait for a client that reads slowly. Whoever makes them waits, too.
const WAITING: usize = 10;

/// What events are sent to the client by.
pub(super) type Events = mpsc::Sender<Bytes>;

/// A body of events, which does the work that makes them as it is read: where the client leaves, the work ends with the
/// body, whatever it waits for.
pub(super) struct TalkBody {
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    events: mpsc::Receiver<Bytes>,
}

// === impl TalkBody ===

impl TalkBody {
    /// The events of this work.
    pub(super) fn new<F: Future<Output = ()> + Send + 'static>(work: impl FnOnce(Events) -> F) -> Self {
        let (sender, events) = mpsc::channel(WAITING);
        Self { work: Some(Box::pin(work(sender))), events }
    }
}

impl http_body::Body for TalkBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // What waits goes first: the work may wait until it is gone.
        if let Poll::Ready(event) = self.events.poll_recv(cx) {
            return Poll::Ready(event.map(|event| Ok(Frame::data(event))));
        }
        let is_over = self.work.as_mut().is_none_or(|work| work.as_mut().poll(cx).is_ready());
        if is_over {
            self.work = None;
        }
        self.events.poll_recv(cx).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt;
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn everything_is_sent_in_its_order_however_much_it_is() {
        let body = TalkBody::new(async |events| {
            for number in 0..3 * WAITING {
                events.send(Bytes::from(format!("{number},"))).await.expect("a reader");
                if number % 4 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        });
        let bytes = body.collect().await.expect("no errors").to_bytes();
        let expected: String = (0..3 * WAITING).map(|number| format!("{number},")).collect();
        assert_eq!(bytes, expected);
    }

    #[tokio::test]
    async fn work_ends_with_its_body() {
        let held = Arc::new(());
        let (inside, begun) = (held.clone(), Arc::new(Notify::new()));
        let beginning = begun.clone();
        let mut body = TalkBody::new(async move |events: Events| {
            events.send(Bytes::from_static(b"a")).await.expect("a reader");
            beginning.notify_one();
            std::future::pending::<()>().await;
            drop(inside);
        });
        assert!(body.frame().await.is_some());
        begun.notified().await;
        assert_eq!(Arc::strong_count(&held), 2);
        drop(body);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
