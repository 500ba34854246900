//! A request in memory and its whole answer over one connection, in the task of whoever asks.
//!
//! A search asks several nodes and reads every answer to the end before it does anything with it. So there is no need of
//! a task per connection, nor of channels to and from it: the caller writes the request in one go, sleeps once, and reads
//! the answer into the buffer it stays in. Streamed bodies go through hyper instead.

mod head;

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    task::{Context, Waker},
};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use self::head::{Framing, Head, chunk_size};
use crate::{error::NodeError, pool::Keep, request::Answer};

/// What a request's head and body may have together to go out as one copy, in bytes. Longer bodies are not copied.
pub(crate) const ONE_WRITE: usize = 32 * 1024;

/// The first read of a connection, in bytes; later ones go by the answer before.
const FIRST_READ: usize = 16 * 1024;

/// The longest first read, in bytes: where an answer turns out to be longer, room for all of it is made then.
const LONGEST_READ: usize = 256 * 1024;

/// What answers to one request may differ in length, in bytes.
const SPARE: usize = 512;

/// The longest head of an answer, in bytes, and the longest line between two chunks.
const LONGEST_HEAD: usize = 64 * 1024;

/// One HTTP/1.1 connection between requests.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    stream: S,
    /// What has been read and not given away.
    buffer: BytesMut,
    /// Room for an answer like the last one, head included.
    expected: usize,
    /// Whether anything has been read of the answer that is waited for.
    answered: bool,
    reusable: bool,
}

/// Why an exchange gave no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: NodeError,
    /// Whether no byte of an answer had come: the node may have closed the connection before it saw the request.
    pub(crate) unanswered: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, buffer: BytesMut::new(), expected: FIRST_READ, answered: false, reusable: true }
    }

    /// Sends a request and reads its answer, whose body may have `limit` bytes. Where the future is dropped half-way, the
    /// connection is of no more use.
    pub(crate) async fn exchange(
        &mut self,
        head: BytesMut,
        body: &[u8],
        limit: usize,
    ) -> Result<Answer, Failure> {
        (self.reusable, self.answered) = (false, false);
        let sent = self.send(head, body).await;
        // A node may answer and close before it has read a request it does not like.
        let received = self.receive(limit).await;
        match (received, sent) {
            (Ok(answer), sent) => {
                self.reusable &= sent.is_ok();
                Ok(answer)
            }
            (Err(_), Err(error)) => Err(Failure { error: error.into(), unanswered: !self.answered }),
            (Err(error), Ok(())) => Err(Failure { error, unanswered: !self.answered }),
        }
    }

    async fn send(&mut self, mut head: BytesMut, body: &[u8]) -> io::Result<()> {
        if head.len() + body.len() <= ONE_WRITE {
            head.extend_from_slice(body);
            self.stream.write_all(&head).await?;
        } else {
            self.stream.write_all(&head).await?;
            self.stream.write_all(body).await?;
        }
        // TLS may hold something back; a plain connection never does.
        self.stream.flush().await
    }

    async fn receive(&mut self, limit: usize) -> Result<Answer, NodeError> {
        let head = self.head().await?;
        let body = match head.framing {
            Framing::Length(length) if length > limit => return Err(NodeError::TooLarge(limit)),
            Framing::Length(length) => {
                self.fill(length).await?;
                // With room to spare a read that ends the answer says that there is no more, which spares one that asks.
                self.expected = (head.length + length + SPARE).next_power_of_two().min(LONGEST_READ);
                self.take(length)
            }
            Framing::Chunked => self.chunks(limit).await?,
            Framing::UntilClose => self.until_close(limit).await?,
        };
        self.reusable = head.keep_alive && self.buffer.is_empty();
        Ok(Answer { status: head.status, body })
    }

    /// Reads the head of the answer proper, past those that only inform.
    async fn head(&mut self) -> Result<Head, NodeError> {
        loop {
            match Head::parse(&self.buffer).map_err(malformed)? {
                Some(head) => {
                    let _ = self.buffer.split_to(head.length);
                    if !head.status.is_informational() {
                        return Ok(head);
                    }
                }
                None if self.buffer.len() > LONGEST_HEAD => return Err(malformed("the head is too long")),
                None => self.read().await?,
            }
        }
    }

    /// So many bytes of the buffer: all of it where they are all, so that a connection in the pool does not hold the memory of
    /// an answer that somebody else is done with.
    fn take(&mut self, length: usize) -> Bytes {
        let taken = match self.buffer.len() == length {
            true => std::mem::take(&mut self.buffer),
            false => self.buffer.split_to(length),
        };
        taken.freeze()
    }

    async fn chunks(&mut self, limit: usize) -> Result<Bytes, NodeError> {
        let mut whole = BytesMut::new();
        loop {
            let size = self.line().await.and_then(|line| chunk_size(&line).map_err(malformed))?;
            if size > limit.saturating_sub(whole.len()) {
                return Err(NodeError::TooLarge(limit));
            }
            if size == 0 {
                // Trailers, up to an empty line.
                while !self.line().await?.is_empty() {}
                return Ok(whole.freeze());
            }
            self.fill(size + 2).await?;
            whole.extend_from_slice(&self.buffer.split_to(size));
            if &self.buffer.split_to(2)[..] != b"\r\n" {
                return Err(malformed("a chunk does not end where it should"));
            }
        }
    }

    async fn until_close(&mut self, limit: usize) -> Result<Bytes, NodeError> {
        while self.read_some().await? != 0 {
            if self.buffer.len() > limit {
                return Err(NodeError::TooLarge(limit));
            }
        }
        Ok(self.buffer.split().freeze())
    }

    /// One line, without its end.
    async fn line(&mut self) -> Result<BytesMut, NodeError> {
        let mut seen = 0;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[seen..]) {
                let mut line = self.buffer.split_to(seen + at + 1);
                line.truncate(line.len() - 1);
                if line.last() == Some(&b'\r') {
                    line.truncate(line.len() - 1);
                }
                return Ok(line);
            }
            seen = self.buffer.len();
            if seen > LONGEST_HEAD {
                return Err(malformed("a line is too long"));
            }
            self.read().await?;
        }
    }

    /// Reads until the buffer has this many bytes.
    async fn fill(&mut self, length: usize) -> Result<(), NodeError> {
        if self.buffer.len() < length {
            self.buffer.reserve(length - self.buffer.len());
        }
        while self.buffer.len() < length {
            self.read().await?;
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), NodeError> {
        match self.read_some().await? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            _ => Ok(()),
        }
    }

    /// Room for an answer is made when it comes: thousands of requests may be waiting for a node that takes its time.
    async fn read_some(&mut self) -> Result<usize, NodeError> {
        let Self { stream, buffer, expected, .. } = self;
        let read = poll_fn(|context| {
            if buffer.capacity() == buffer.len() {
                buffer.reserve(if buffer.is_empty() { *expected } else { FIRST_READ });
            }
            let read = pin!(stream.read_buf(buffer)).poll(context);
            if read.is_pending() && buffer.is_empty() {
                *buffer = BytesMut::new();
            }
            read
        });
        let read = read.await?;
        self.answered |= read != 0;
        Ok(read)
    }
}

impl<S: AsyncRead + Unpin> Keep for Connection<S> {
    /// Also where the last answer was not read to its end, and where the node has sent what nobody asked for.
    fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        let mut context = Context::from_waker(Waker::noop());
        !self.reusable
            || Pin::new(&mut self.stream).poll_read(&mut context, &mut ReadBuf::new(&mut byte)).is_ready()
    }

    fn is_ready(&self) -> bool {
        true
    }
}

fn malformed(reason: &'static str) -> NodeError {
    io::Error::new(io::ErrorKind::InvalidData, reason).into()
}

#[cfg(test)]
mod tests;
