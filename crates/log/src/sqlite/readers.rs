//! The connections that only read.

use std::path::PathBuf;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::schema;
use crate::error::{LogError, Result};

/// A small pool of read-only connections, opened when they are needed.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
    in_line: bool,
}

// === impl Readers ===

impl Readers {
    /// A pool in which at most `limit` reads run at once; the rest wait. With `in_line` whoever asks reads.
    pub(super) fn new(path: PathBuf, limit: usize, in_line: bool) -> Self {
        Self { path, idle: Mutex::new(Vec::new()), permits: Semaphore::new(limit), in_line }
    }

    /// Reads on a blocking thread, from one consistent state of the database.
    pub(super) async fn read<T, F>(self: &std::sync::Arc<Self>, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        if self.in_line {
            return self.run(read);
        }
        let _permit = self.permits.acquire().await.map_err(|_| LogError::Closed)?;
        let readers = self.clone();
        let reading = tokio::task::spawn_blocking(move || readers.run(read));
        reading.await.map_err(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => LogError::Closed,
        })?
    }

    fn run<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self.idle.lock().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => schema::open_reader(&self.path)?,
        };
        let transaction = connection.transaction()?;
        let result = read(&transaction)?;
        transaction.finish()?;
        self.idle.lock().push(connection);
        Ok(result)
    }
}
