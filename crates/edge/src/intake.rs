//! The client's half of an exchange: its request body, and whether it is still there.
//!
//! ```text
//! Body ──all read──► Idle ──client leaves──► Gone
//!   │                                          ▲
//!   ├──cut off──► CutOff ──patience is over────┤
//!   └──abandoned and long──► Unread            │ (HTTP/2 sees the client leave in every state)
//! ```

use std::{future::poll_fn, time::Duration};

use bytes::Bytes;
use pingora_core::protocols::http::ServerSession;

use crate::{
    body::{BodyError, RequestBody},
    feed::{Demand, Feed, feed},
    request::Head,
};

/// How much of a body that nobody wants is read to keep the connection usable.
pub(crate) const DRAIN_LIMIT: usize = 64 * 1024;

/// How long a service that was told of a cut-off body may take to answer.
const CUT_OFF_PATIENCE: Duration = Duration::from_secs(1);

/// What the exchange has to react to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The service wants a body that the client holds back until it is told to go on.
    Continue,
    /// The client has left: nobody waits for the answer.
    Gone,
}

/// Reads the request body as the service wants it, and notices when the client leaves.
#[derive(Debug)]
pub(crate) struct Intake {
    phase: Phase,
    awaits_continue: bool,
    unread: Option<u64>,
    discarded: usize,
}

#[derive(Debug)]
enum Phase {
    /// The body is on its way.
    Body(Feed),
    /// The body is complete.
    Idle,
    /// Nobody wants the rest of the body, and it is too long to throw away.
    Unread,
    /// The client stopped in the middle; the service has been told.
    CutOff,
}

// === impl Intake ===

impl Intake {
    /// Prepares the body of a request whose head was just taken.
    pub(crate) async fn start(session: &mut ServerSession, head: &Head) -> (Self, RequestBody) {
        let mut intake = Self {
            phase: Phase::Idle,
            awaits_continue: head.expects_continue && !session.is_http2(),
            unread: head.content_length,
            discarded: 0,
        };
        if session.is_body_done() {
            return (intake, RequestBody::empty());
        }
        // Most bodies are small and came with the head: such a body needs no hand-over.
        let first = match head.content_length {
            Some(length) if length <= DRAIN_LIMIT as u64 => read_what_is_here(session).await,
            _ => None,
        };
        if let Some(bytes) = &first
            && session.is_body_done()
        {
            return (intake, RequestBody::whole(bytes.clone()));
        }
        let (feed, reader) = feed();
        if let Some(bytes) = first {
            intake.count(bytes.len());
            feed.push(bytes);
        }
        intake.phase = Phase::Body(feed);
        (intake, RequestBody::stream(reader, head.content_length))
    }

    /// Moves the body on until something happens that the exchange has to react to. May be dropped
    /// and called again at any time.
    pub(crate) async fn next_event(&mut self, session: &mut ServerSession) -> Event {
        loop {
            match &self.phase {
                Phase::Body(feed) => {
                    let step = tokio::select! {
                        biased;
                        () = poll_fn(|cx| feed.poll_asked(cx)), if self.awaits_continue => {
                            self.awaits_continue = false;
                            return Event::Continue;
                        }
                        step = read(session, feed, self.discarded < DRAIN_LIMIT) => step,
                    };
                    self.take(step);
                }
                Phase::Idle => {
                    // Pipelined bytes make this wait forever, a client that leaves ends it.
                    let _ = session.read_body_or_idle(true).await;
                    return Event::Gone;
                }
                Phase::Unread if session.is_http2() => {
                    let _ = session.read_body_or_idle(true).await;
                    return Event::Gone;
                }
                Phase::Unread => std::future::pending().await,
                Phase::CutOff => {
                    tokio::time::sleep(CUT_OFF_PATIENCE).await;
                    return Event::Gone;
                }
            }
        }
    }

    /// Whether the answer may still promise to keep the connection: the body is read, is being
    /// read, or is short enough to be thrown away.
    pub(crate) fn can_be_drained(&self) -> bool {
        match &self.phase {
            Phase::Idle => true,
            Phase::Unread | Phase::CutOff => false,
            Phase::Body(_) if self.awaits_continue => false,
            Phase::Body(feed) => {
                feed.is_wanted() || self.unread.is_some_and(|left| left <= DRAIN_LIMIT as u64)
            }
        }
    }

    /// Whether the body broke off or was malformed: nothing on the connection can be trusted to be a request.
    pub(crate) fn is_cut_off(&self) -> bool {
        matches!(self.phase, Phase::CutOff)
    }

    fn take(&mut self, step: Step) {
        let Phase::Body(feed) = &self.phase else { return };
        match step {
            Step::Chunk(bytes) => {
                // An empty chunk is only the reader saying that it has not got far enough yet.
                if !bytes.is_empty() {
                    feed.push(bytes.clone());
                    self.count(bytes.len());
                }
            }
            Step::Discarded(bytes) => {
                self.discarded += bytes;
                self.count(bytes);
            }
            Step::End => {
                feed.end(Ok(()));
                self.phase = Phase::Idle;
            }
            Step::Failed(error) => {
                feed.end(Err(error));
                self.phase = Phase::CutOff;
            }
            Step::TooLong => self.phase = Phase::Unread,
        }
    }

    fn count(&mut self, bytes: usize) {
        if let Some(left) = &mut self.unread {
            *left = left.saturating_sub(bytes as u64);
        }
    }
}

/// What one step of reading brought.
enum Step {
    Chunk(Bytes),
    Discarded(usize),
    End,
    Failed(BodyError),
    TooLong,
}

async fn read(session: &mut ServerSession, feed: &Feed, may_discard: bool) -> Step {
    let room = poll_fn(|cx| feed.poll_demand(cx));
    let demand = if session.is_http2() {
        // HTTP/2 tells of a reset apart from the body, also while nobody reads that.
        tokio::select! {
            biased;
            demand = room => demand,
            _ = session.read_body_or_idle(true) => return Step::Failed(BodyError::CutOff),
        }
    } else {
        room.await
    };
    if demand == Demand::Abandoned && !may_discard {
        return Step::TooLong;
    }
    match session.read_request_body().await {
        Ok(Some(bytes)) if demand == Demand::Abandoned => Step::Discarded(bytes.len()),
        Ok(Some(bytes)) => Step::Chunk(bytes),
        Ok(None) => Step::End,
        Err(error) => Step::Failed(BodyError::from_pingora(&error)),
    }
}

/// The body's first bytes, if they are here already.
async fn read_what_is_here(session: &mut ServerSession) -> Option<Bytes> {
    let mut reading = std::pin::pin!(session.read_request_body());
    poll_fn(|cx| {
        std::task::Poll::Ready(match reading.as_mut().poll(cx) {
            std::task::Poll::Ready(Ok(bytes)) => bytes,
            // An error is found again, and reported, by the reading that follows.
            _ => None,
        })
    })
    .await
}
