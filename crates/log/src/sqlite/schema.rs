//! The tables, and opening a database of whatever format is found.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use crate::error::{LogError, Result};

/// The format this version writes. Golden files in `tests/golden` hold what each one looks like.
pub(super) const FORMAT: u32 = 3;

/// Marks the file as ours: "mirl".
const APPLICATION_ID: i32 = 0x6d69_726c;

const TABLES: &str = "
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
    uid INTEGER PRIMARY KEY,
    index_uid TEXT,
    kind TEXT NOT NULL,
    operation TEXT NOT NULL,
    custom_metadata TEXT,
    enqueued_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    prepared TEXT,
    batch_uid INTEGER,
    started_at INTEGER,
    finished_at INTEGER,
    canceled_by INTEGER,
    details TEXT,
    error TEXT
) STRICT;
CREATE INDEX entries_by_status ON entries (status);
CREATE INDEX entries_by_filters ON entries
    (index_uid, kind, status, batch_uid, canceled_by, enqueued_at, started_at, finished_at);
CREATE INDEX entries_unfinished ON entries (uid) WHERE finished_at IS NULL;
CREATE TABLE further_indexes (
    index_uid TEXT NOT NULL,
    uid INTEGER NOT NULL,
    PRIMARY KEY (index_uid, uid)
) STRICT, WITHOUT ROWID;
CREATE TABLE payloads (
    uid INTEGER PRIMARY KEY,
    file TEXT,
    bytes BLOB
) STRICT;
CREATE INDEX payload_files ON payloads (file) WHERE file IS NOT NULL;
CREATE TABLE watermarks (
    node TEXT PRIMARY KEY,
    uid INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE indexes (
    uid TEXT PRIMARY KEY,
    record TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE map (
    only INTEGER PRIMARY KEY CHECK (only = 0),
    epoch INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
";

/// What format 2 added. A new database gets it after the rest, as one that is brought up to it does.
const RECORDS: &str = "
CREATE TABLE records (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
";

/// What format 3 added: the index an entry was for where its task is shown under another name since; ways to the tasks
/// of an index and of a batch; the keys by which writes are told apart from their repetitions; the tasks whose ends
/// are yet to be told to webhooks.
const TASKS: &str = "
ALTER TABLE entries ADD COLUMN target TEXT;
CREATE INDEX entries_by_index ON entries (index_uid);
CREATE INDEX entries_by_batch ON entries (batch_uid) WHERE batch_uid IS NOT NULL;
CREATE TABLE idempotency (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    uid INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_uid ON idempotency (uid);
CREATE TABLE ended (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    uid INTEGER NOT NULL
) STRICT;
";

/// What is found where the database should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// A database of this format, which is one that can be read.
    Format(u32),
}

/// Opens the database for writing, and creates its tables if it is new.
pub(super) fn open_writer(path: &Path) -> Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    // A file that cannot be ours must not be changed, not even its journal mode.
    let found = check_format(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Where it is not done in time beside the commits, as readers are in the way or writes never pause.
    connection.pragma_update(None, "wal_autocheckpoint", 16_000)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.pragma_update(None, "cache_size", -8_000)?;
    keep_statements(&connection)?;
    match found {
        Found::Nothing => create(&mut connection)?,
        Found::Format(format) => migrate(&mut connection, format)?,
    }
    Ok(connection)
}

/// Opens the database for reading only.
pub(super) fn open_reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    keep_statements(&connection)?;
    Ok(connection)
}

/// Statements stay prepared. Without the second one, SQLite prepares those anew for each value of a parameter that might
/// have it choose another plan, which takes longer than most of them do.
fn keep_statements(connection: &Connection) -> Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// What there is; an error if it is not ours or too new.
fn check_format(connection: &Connection) -> Result<Found> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (found, id) {
        (0, 0) if tables == 0 => Ok(Found::Nothing),
        (_, id) if id != APPLICATION_ID => {
            Err(LogError::Damaged("the file is a database of another program".to_owned()))
        }
        (found, _) if found > FORMAT => Err(LogError::NewerFormat { found, supported: FORMAT }),
        (1..=FORMAT, _) => Ok(Found::Format(found)),
        (found, _) => Err(LogError::Damaged(format!("format {found} was never written"))),
    }
}

fn create(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.execute_batch(RECORDS)?;
    transaction.execute_batch(TASKS)?;
    let mut meta = transaction.prepare("INSERT INTO meta (key, value) VALUES (?1, ?2)")?;
    meta.execute(("id", uuid::Uuid::new_v4().simple().to_string()))?;
    for key in ["next", "head", "trimmed", "next_batch"] {
        meta.execute((key, 0))?;
    }
    drop(meta);
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(transaction.commit()?)
}

/// Brings a database of an older format up to the current one, in one transaction.
fn migrate(connection: &mut Connection, from: u32) -> Result<()> {
    if from == FORMAT {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    if from < 2 {
        transaction.execute_batch(RECORDS)?;
    }
    if from < 3 {
        transaction.execute_batch(TASKS)?;
    }
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()?;
    tracing::info!(from, to = FORMAT, "write log brought up to the current format");
    Ok(())
}
