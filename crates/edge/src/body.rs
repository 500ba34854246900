//! The request body a service sees.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pingora_core::{Error, ErrorType};

use crate::feed::FeedReader;

/// A request body, streamed from the connection as the service takes it.
#[derive(Debug)]
pub struct RequestBody(Source);

/// Why a request body ended early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The client left, or reset the request, before the end.
    #[error("the request body was cut off")]
    CutOff,
    /// The client sent nothing for too long.
    #[error("the request body stopped coming")]
    TimedOut,
    /// The body's framing is broken, for example a chunk without a valid length.
    #[error("the request body is malformed: {0}")]
    Malformed(String),
}

#[derive(Debug)]
enum Source {
    Whole(Option<Bytes>),
    Stream { reader: FeedReader, left: Option<u64> },
}

// === impl RequestBody ===

impl RequestBody {
    /// A body without bytes.
    pub fn empty() -> Self {
        Self(Source::Whole(None))
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self(Source::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }

    pub(crate) fn stream(reader: FeedReader, length: Option<u64>) -> Self {
        Self(Source::Stream { reader, left: length })
    }
}

/// A body of known bytes, for calling an edge service without an edge.
impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        Self::whole(bytes)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Source::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Stream { reader, left } => {
                let chunk = ready!(reader.poll_next(cx));
                if let (Some(Ok(chunk)), Some(left)) = (&chunk, left) {
                    *left = left.saturating_sub(chunk.len() as u64);
                }
                Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Whole(bytes) => bytes.is_none(),
            Source::Stream { reader, .. } => reader.is_finished(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Source::Stream { left: Some(left), .. } => SizeHint::with_exact(*left),
            Source::Stream { left: None, .. } => SizeHint::default(),
        }
    }
}

// === impl BodyError ===

impl BodyError {
    pub(crate) fn from_pingora(error: &Error) -> Self {
        match error.etype() {
            ErrorType::ReadTimedout => Self::TimedOut,
            ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::H2Error => Self::CutOff,
            _ => Self::Malformed(error.etype().as_str().to_owned()),
        }
    }
}
