//! How callers reach what writes.

use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::{
    SqliteLog,
    command::{Command, Job, Reply},
    writer::Writer,
};
use crate::{
    entry::{Entry, NewEntry, Once},
    error::{LogError, Result},
    payload_ref::PayloadRef,
};

/// How many calls wait for the writer before further callers wait to be let in.
const WAITING: usize = 4_096;

/// Who writes.
#[derive(Debug)]
pub(super) enum Writing {
    /// A thread of its own, which commits together what waits. Both are taken when the log is dropped, which ends it.
    Thread(Option<mpsc::Sender<Job>>, Option<JoinHandle<()>>),
    /// Whoever calls, one call after another.
    InLine(Box<Mutex<Writer>>),
}

// === impl Writing ===

impl Writing {
    pub(super) fn start(writer: Writer, in_line: bool) -> Result<Self> {
        if in_line {
            return Ok(Self::InLine(Box::new(Mutex::new(writer))));
        }
        let (jobs, waiting) = mpsc::channel(WAITING);
        let thread =
            thread::Builder::new().name("miroir-log".to_owned()).spawn(move || writer.run(waiting))?;
        Ok(Self::Thread(Some(jobs), Some(thread)))
    }

    async fn send(&self, job: Job) -> Result<()> {
        match self {
            Self::Thread(jobs, _) => {
                let jobs = jobs.as_ref().ok_or(LogError::Closed)?;
                jobs.send(job).await.map_err(|_| LogError::Closed)
            }
            Self::InLine(writer) => writer.lock().serve(vec![job]),
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let Self::Thread(jobs, thread) = self else { return };
        *jobs = None;
        if let Some(thread) = thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the write log's writer had died");
        }
    }
}

// === impl SqliteLog ===

impl SqliteLog {
    /// Removes the payload of a write that was refused, to make room at once.
    async fn discard(&self, payload: Option<PayloadRef>) {
        let Some(payload) = payload.filter(|payload| payload.file().is_some()) else { return };
        let spool = self.spool.clone();
        let discarding = tokio::task::spawn_blocking(move || spool.discard(&payload));
        if let Ok(Err(error)) = discarding.await {
            tracing::warn!(%error, "could not remove the payload of a refused write");
        }
    }

    pub(super) async fn append_to_log(&self, entry: NewEntry, once: Option<Once>) -> Result<(Entry, bool)> {
        let payload = entry.operation.payload().cloned();
        match self.write(Command::Append(Box::new(entry), once)).await {
            Ok(Reply::Entry(entry)) => Ok((*entry, false)),
            Ok(Reply::Repeated(entry)) => {
                self.discard(payload).await;
                Ok((*entry, true))
            }
            Ok(_) => Err(LogError::Closed),
            Err(error) => {
                if error.is_certain() {
                    self.discard(payload).await;
                }
                Err(error)
            }
        }
    }

    pub(super) async fn write(&self, command: Command) -> Result<Reply> {
        let (reply, answer) = oneshot::channel();
        self.writing.send(Job { command, reply }).await?;
        answer.await.map_err(|_| LogError::Closed)?
    }
}
