//! How callers reach the one thread that writes.

use tokio::sync::oneshot;

use super::{
    SqliteLog,
    command::{Command, Job, Reply},
};
use crate::{
    entry::{Entry, NewEntry, Once, PayloadRef},
    error::{LogError, Result},
};

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
        let jobs = self.jobs.as_ref().ok_or(LogError::Closed)?;
        jobs.send(Job { command, reply }).await.map_err(|_| LogError::Closed)?;
        answer.await.map_err(|_| LogError::Closed)?
    }
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the write log's writer had died");
        }
    }
}
