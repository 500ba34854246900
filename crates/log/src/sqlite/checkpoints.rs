//! Brings what is committed from the write-ahead log to its place in the database, beside what writes.
//!
//! Megabytes are copied and the disk is waited for twice. If a commit did that, the writes that wait for it would have to wait
//! for it too, on a disk that nodes are busy with for seconds.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use rusqlite::Connection;

use crate::error::Result;

/// After how many bytes that were committed it is done again, about.
const AFTER: usize = 4 << 20;
/// What a commit writes beside what it is about, about: some pages of tables and indexes.
const COMMIT: usize = 32 << 10;

/// The thread that does it. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpoints {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    committed: usize,
}

// === impl Checkpoints ===

impl Checkpoints {
    pub(super) fn start(path: PathBuf) -> Result<Self> {
        let (wake, woken) = sync_channel(1);
        let work = move || run(&path, &woken);
        let thread = thread::Builder::new().name("miroir-log-checkpoints".to_owned()).spawn(work)?;
        Ok(Self { wake: Some(wake), thread: Some(thread), committed: 0 })
    }

    /// So many bytes have been committed.
    pub(super) fn committed(&mut self, bytes: usize) {
        self.committed += bytes + COMMIT;
        if self.committed < AFTER {
            return;
        }
        self.committed = 0;
        if let Some(wake) = &self.wake {
            // Where one is still under way the next one takes in what came since.
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("what brings the write log to its place had died");
        }
    }
}

fn run(path: &Path, woken: &Receiver<()>) {
    let mut connection = None;
    while woken.recv().is_ok() {
        let done = checkpoint(&mut connection, path);
        if let Err(error) = done {
            // What writes does it itself once there is too much of it.
            tracing::warn!(%error, "the write log was not brought to its place");
        }
    }
}

fn checkpoint(connection: &mut Option<Connection>, path: &Path) -> Result<()> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(Connection::open(path)?),
    };
    Ok(connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
}
