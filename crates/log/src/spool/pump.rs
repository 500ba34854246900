//! Feeding a blocking writer from async code.

use std::{io, mem};

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

/// How much is pushed in place. Less than a spooled payload may hold in memory, as what is written
/// can be longer than what came in.
const IN_PLACE: usize = super::INLINE_LIMIT / 4;

/// How much is gathered before it is handed to a blocking thread.
const BLOCK: usize = 256 * 1024;

/// What consumes the chunks: a writer and the function that feeds it.
type Feed<W, E> = fn(&mut W, &[u8]) -> Result<(), E>;

/// Pushes chunks into a writer that may block, from async code, in bounded memory.
///
/// The first 16 KiB are pushed in place, as a spooled payload stays in memory so long: a small
/// request never changes threads. From then on blocks are pushed on tokio's blocking threads, one at
/// a time, while the next one is gathered.
#[derive(Debug)]
pub struct Pump<W, E> {
    feed: Feed<W, E>,
    /// `None` while a blocking thread has it.
    writer: Option<W>,
    pushing: Option<JoinHandle<(W, Result<(), E>)>>,
    gathered: Vec<Bytes>,
    gathered_len: usize,
    in_place: usize,
}

// === impl Pump ===

impl<W, E> Pump<W, E>
where
    W: Send + 'static,
    E: From<io::Error> + Send + 'static,
{
    /// A pump that gives every chunk to `writer` by `feed`.
    pub fn new(writer: W, feed: Feed<W, E>) -> Self {
        let (gathered, pushing) = (Vec::new(), None);
        Self { feed, writer: Some(writer), pushing, gathered, gathered_len: 0, in_place: IN_PLACE }
    }

    /// Takes a chunk, and waits while an earlier block is still being written.
    ///
    /// An error of the writer may be that of an earlier chunk. After one the pump is of no use.
    pub async fn push(&mut self, chunk: Bytes) -> Result<(), E> {
        if chunk.len() <= self.in_place
            && let Some(writer) = &mut self.writer
        {
            self.in_place -= chunk.len();
            return (self.feed)(writer, &chunk);
        }
        self.in_place = 0;
        self.gathered_len += chunk.len();
        self.gathered.push(chunk);
        if self.gathered_len >= BLOCK { self.hand_over().await } else { Ok(()) }
    }

    /// Pushes what is left and gives the writer to `end`, on a blocking thread unless the whole
    /// payload stayed in memory.
    pub async fn finish<T: Send + 'static>(
        mut self,
        end: impl FnOnce(W) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        if self.in_place > 0
            && let Some(writer) = self.writer.take()
        {
            return end(writer);
        }
        self.hand_over().await?;
        let writer = self.wait().await?;
        joined(spawn_blocking(move || end(writer)).await)?
    }

    async fn hand_over(&mut self) -> Result<(), E> {
        let mut writer = self.wait().await?;
        let (feed, chunks) = (self.feed, mem::take(&mut self.gathered));
        self.gathered_len = 0;
        self.pushing = Some(spawn_blocking(move || {
            let pushed = chunks.iter().try_for_each(|chunk| feed(&mut writer, chunk));
            (writer, pushed)
        }));
        Ok(())
    }

    async fn wait(&mut self) -> Result<W, E> {
        if let Some(pushing) = self.pushing.take() {
            let (writer, pushed) = joined::<_, E>(pushing.await)?;
            pushed?;
            return Ok(writer);
        }
        self.writer.take().ok_or_else(|| io::Error::other("the payload failed earlier").into())
    }
}

fn joined<T, E: From<io::Error>>(result: Result<T, tokio::task::JoinError>) -> Result<T, E> {
    result.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => io::Error::other("the program is shutting down").into(),
    })
}
