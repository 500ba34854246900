//! What a node remembers besides its documents: the task queue, the catalog of indexes, and the batch that is being
//! applied. One SQLite file, so that a task and what it changed in the catalog are recorded together.

mod catalog;
mod journal;
mod query;
mod row;
mod tasks;

use std::path::Path;

use parking_lot::Mutex;
use rusqlite::Connection;

pub(crate) use self::catalog::{CatalogChange, IndexRecord};
pub(crate) use self::journal::{Prepared, Stamp};
pub(crate) use self::query::Page;
pub(crate) use self::tasks::{NewTask, Outcome, Task};

/// A failure of the node's own records.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// SQLite failed.
    #[error("the node's records cannot be read or written: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A record does not read back.
    #[error("a record of the node is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
}

pub(crate) type Result<T> = std::result::Result<T, StoreError>;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS tasks (
        uid INTEGER PRIMARY KEY,
        batch_uid INTEGER,
        index_uid TEXT,
        status TEXT NOT NULL,
        kind TEXT NOT NULL,
        operation TEXT NOT NULL,
        details TEXT,
        error TEXT,
        canceled_by INTEGER,
        custom_metadata TEXT,
        enqueued_at INTEGER NOT NULL,
        started_at INTEGER,
        finished_at INTEGER
    );
    CREATE INDEX IF NOT EXISTS tasks_by_status ON tasks (status, uid);
    CREATE INDEX IF NOT EXISTS tasks_by_index ON tasks (index_uid, uid);
    CREATE INDEX IF NOT EXISTS tasks_by_batch ON tasks (batch_uid);
    CREATE TABLE IF NOT EXISTS indexes (
        uid TEXT PRIMARY KEY,
        directory TEXT NOT NULL,
        created_by INTEGER NOT NULL,
        extras TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS journal (id INTEGER PRIMARY KEY CHECK (id = 0), prepared TEXT NOT NULL);
";

/// The node's records.
pub(crate) struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the records at `path`, and creates them when absent.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Self::prepare(Connection::open(path)?)
    }

    #[cfg(test)]
    pub(crate) fn in_memory() -> Result<Self> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> Result<Self> {
        // NORMAL keeps every committed record over a kill of the process; only a power cut may lose the last few.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// A value kept under `key`.
    pub(crate) fn meta(&self, key: &str) -> Result<Option<String>> {
        use rusqlite::OptionalExtension;
        let connection = self.connection.lock();
        let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    }

    /// Keeps `value` under `key`.
    pub(crate) fn set_meta(&self, key: &str, value: &str) -> Result<()> {
        let connection = self.connection.lock();
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", [key, value])?;
        Ok(())
    }
}
