//! The hand-over of a request body from the connection, which reads it, to the service, which
//! wants it.
//!
//! The connection's side ([`Feed`]) reads ahead until [`READ_AHEAD`] bytes wait; the service's side
//! ([`FeedReader`]) makes room by taking them. The two may live in different tasks.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::body::BodyError;

/// Bytes read ahead of the service before the client is made to wait.
const READ_AHEAD: usize = 64 * 1024;

/// The connection's side.
#[derive(Debug)]
pub(crate) struct Feed(Arc<Mutex<State>>);

/// The service's side.
#[derive(Debug)]
pub(crate) struct FeedReader(Arc<Mutex<State>>);

/// Whether more of the body should be read from the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// There is room.
    Room,
    /// The service has dropped the body.
    Abandoned,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
    end: Option<Result<(), BodyError>>,
    asked: bool,
    abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// A connected pair.
pub(crate) fn feed() -> (Feed, FeedReader) {
    let state = Arc::new(Mutex::new(State::default()));
    (Feed(state.clone()), FeedReader(state))
}

// === impl Feed ===

impl Feed {
    /// Waits until the service has taken enough, or has dropped the body.
    pub(crate) fn poll_demand(&self, cx: &mut Context<'_>) -> Poll<Demand> {
        let mut state = self.0.lock();
        if state.abandoned {
            return Poll::Ready(Demand::Abandoned);
        }
        if state.waiting_bytes < READ_AHEAD {
            return Poll::Ready(Demand::Room);
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Waits until the service has asked for bytes that are not there.
    pub(crate) fn poll_asked(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.asked {
            return Poll::Ready(());
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether the service still holds the body.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.0.lock().abandoned
    }

    /// Hands on the next bytes.
    pub(crate) fn push(&self, chunk: Bytes) {
        let mut state = self.0.lock();
        state.waiting_bytes += chunk.len();
        state.waiting.push_back(chunk);
        wake(state.reader.take());
    }

    /// Says how the body ended.
    pub(crate) fn end(&self, end: Result<(), BodyError>) {
        let mut state = self.0.lock();
        state.end.get_or_insert(end);
        wake(state.reader.take());
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        // A service that has moved the body to another task must learn that the rest never comes.
        self.end(Err(BodyError::CutOff));
    }
}

// === impl FeedReader ===

impl FeedReader {
    /// The next bytes; `None` after the last.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let mut state = self.0.lock();
        if let Some(chunk) = state.waiting.pop_front() {
            state.waiting_bytes -= chunk.len();
            if state.waiting_bytes < READ_AHEAD {
                wake(state.writer.take());
            }
            return Poll::Ready(Some(Ok(chunk)));
        }
        match &mut state.end {
            Some(end) => Poll::Ready(std::mem::replace(end, Ok(())).err().map(Err)),
            None => {
                state.reader = Some(cx.waker().clone());
                if !std::mem::replace(&mut state.asked, true) {
                    wake(state.writer.take());
                }
                Poll::Pending
            }
        }
    }

    /// Whether nothing more will come, without looking for errors.
    pub(crate) fn is_finished(&self) -> bool {
        let state = self.0.lock();
        state.waiting.is_empty() && matches!(state.end, Some(Ok(())))
    }
}

impl Drop for FeedReader {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.abandoned = true;
        state.waiting.clear();
        state.waiting_bytes = 0;
        wake(state.writer.take());
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    #[test]
    fn stops_asking_when_the_read_ahead_is_full() {
        let (feed, reader) = feed();
        assert_eq!(feed.poll_demand(&mut context()), Poll::Ready(Demand::Room));
        feed.push(Bytes::from(vec![0; READ_AHEAD]));
        assert!(feed.poll_demand(&mut context()).is_pending());
        assert!(matches!(reader.poll_next(&mut context()), Poll::Ready(Some(Ok(_)))));
        assert_eq!(feed.poll_demand(&mut context()), Poll::Ready(Demand::Room));
    }

    #[test]
    fn asks_only_once_nothing_waits() {
        let (feed, reader) = feed();
        feed.push(Bytes::from_static(b"a"));
        assert!(feed.poll_asked(&mut context()).is_pending());
        assert!(reader.poll_next(&mut context()).is_ready());
        assert!(feed.poll_asked(&mut context()).is_pending());
        assert!(reader.poll_next(&mut context()).is_pending());
        assert!(feed.poll_asked(&mut context()).is_ready());
    }

    #[test]
    fn a_dropped_reader_abandons_the_body() {
        let (feed, reader) = feed();
        feed.push(Bytes::from(vec![0; READ_AHEAD]));
        drop(reader);
        assert_eq!(feed.poll_demand(&mut context()), Poll::Ready(Demand::Abandoned));
        assert!(!feed.is_wanted());
    }

    #[test]
    fn a_dropped_feed_is_an_error_after_what_was_read() {
        let (feed, reader) = feed();
        feed.push(Bytes::from_static(b"a"));
        drop(feed);
        assert!(matches!(reader.poll_next(&mut context()), Poll::Ready(Some(Ok(_)))));
        let end = reader.poll_next(&mut context());
        assert!(matches!(end, Poll::Ready(Some(Err(BodyError::CutOff)))), "{end:?}");
        assert!(matches!(reader.poll_next(&mut context()), Poll::Ready(None)));
    }

    #[test]
    fn the_end_is_kept_when_the_feed_is_dropped() {
        let (feed, reader) = feed();
        feed.end(Ok(()));
        drop(feed);
        assert!(reader.is_finished());
        assert!(matches!(reader.poll_next(&mut context()), Poll::Ready(None)));
    }
}
