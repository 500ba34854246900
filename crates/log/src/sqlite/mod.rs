//! The log in a directory of its own: a SQLite database and the spool beside it.
//!
//! ```text
//! DIR/lock        held while a process has the log open
//! DIR/log.db      entries, tasks, catalog, watermarks, shard map, records (WAL mode)
//! DIR/payloads/   the spool
//! ```
//!
//! One thread writes. It takes all calls that wait and commits them as one transaction, so that a
//! hundred callers share one `fsync`. Another one brings what is committed to its place in the
//! database. Reads have connections of their own and never wait for either.

mod apply;
mod calls;
mod checkpoints;
mod chores;
mod command;
mod ledger;
mod lock;
mod once;
mod options;
mod place;
mod private;
mod readers;
mod reads;
mod rows;
mod schema;
mod shared;
mod tasks;
mod upkeep;
mod writer;

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    sync::{Arc, atomic::Ordering},
};

use async_trait::async_trait;
use miroir_protocol::tasks::{BatchView, TaskFilter, TaskPage, TaskView, TasksQuery};
use serde_json::Value;
use tokio::sync::watch;

pub use self::options::SqliteOptions;
use self::{
    calls::Writing,
    checkpoints::Checkpoints,
    command::{Command, Reply},
    ledger::Ledger,
    lock::Lock,
    place::Place,
    readers::Readers,
    shared::Shared,
    writer::Writer,
};
use crate::{
    catalog::Catalog,
    entry::{Entry, Finished, LoggedEntry, NewEntry, Once},
    error::{LogError, Result},
    log::{Compaction, Log, Positions, StoredMap},
    payload_ref::PayloadRef,
    record_kind::RecordKind,
    spool::{PayloadReader, Spool},
    uids::Uids,
};

/// How many reads run at once.
const READERS: usize = 4;

/// How many of the longer ones, which lists of tasks are.
const LISTERS: usize = 2;

/// The [`Log`] of one gateway, in a directory.
#[derive(Debug)]
pub struct SqliteLog {
    id: String,
    spool: Spool,
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    /// Apart from the others, so that nobody who lists tasks holds up the appliers.
    listers: Arc<Readers>,
    writing: Writing,
    /// Held for its lock, and let go of last.
    _lock: Lock,
}

// === impl SqliteLog ===

impl SqliteLog {
    /// Opens the log, or creates it, and removes what a crash left in the spool. Blocks.
    pub fn open(options: SqliteOptions) -> Result<Self> {
        private::create_directory(&options.directory)?;
        let lock = Lock::take(&options.directory)?;
        let path = options.directory.join("log.db");
        private::create_file(&path)?;
        let connection = schema::open_writer(&path)?;
        // The database's own name must be as durable as what is in it.
        File::open(&options.directory)?.sync_all()?;
        if let Some(bytes) = options.max_bytes {
            let page: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            connection.pragma_update(None, "max_page_count", (bytes / page).max(1))?;
        }
        let spool = Spool::with_failpoints(options.directory.join("payloads"), options.failpoints.clone())?;
        let swept = spool.sweep(&reads::payload_files(&connection)?)?;
        let ledger = Ledger::load(&connection)?;
        let id = reads::id(&connection)?;
        tracing::info!(id, next = ledger.positions.next, swept, "write log opened");
        let shared = Arc::new(Shared::new(reads::catalog(&connection)?, ledger.positions));
        let in_line = options.in_line;
        let checkpoints = if in_line { None } else { Some(Checkpoints::start(path.clone())?) };
        let writer = Writer {
            connection,
            ledger,
            shared: shared.clone(),
            place: Place::of(&path)?,
            clock: options.clock,
            syncs: !in_line,
            checkpoints,
            failpoints: options.failpoints,
        };
        let writing = Writing::start(writer, in_line)?;
        let readers = Arc::new(Readers::new(path.clone(), READERS, in_line));
        let listers = Arc::new(Readers::new(path, LISTERS, in_line));
        Ok(Self { id, spool, shared, readers, listers, writing, _lock: lock })
    }

    /// The files of the spool that entries name.
    pub async fn payloads_in_use(&self) -> Result<HashSet<String>> {
        self.readers.read(reads::payload_files).await
    }
}

#[async_trait]
impl Log for SqliteLog {
    fn id(&self) -> &str {
        &self.id
    }

    fn spool(&self) -> &Spool {
        &self.spool
    }

    async fn append(&self, entry: NewEntry) -> Result<Entry> {
        self.append_to_log(entry, None).await.map(|(entry, _)| entry)
    }

    async fn append_once(&self, entry: NewEntry, once: Once) -> Result<(Entry, bool)> {
        self.append_to_log(entry, Some(once)).await
    }

    async fn entries(&self, from: u32, max: usize) -> Result<Vec<LoggedEntry>> {
        self.readers.read(move |connection| reads::entries(connection, from, max, false)).await
    }

    async fn unfinished(&self, from: u32, max: usize) -> Result<Vec<LoggedEntry>> {
        self.readers.read(move |connection| reads::entries(connection, from, max, true)).await
    }

    async fn open_payload(&self, payload: &PayloadRef) -> Result<PayloadReader> {
        Ok(self.spool.open(payload)?)
    }

    fn appended(&self) -> watch::Receiver<u32> {
        self.shared.appended.subscribe()
    }

    fn positions(&self) -> Positions {
        *self.shared.positions.read()
    }

    async fn record_prepared(&self, decisions: Vec<(u32, Value)>) -> Result<()> {
        self.write(Command::Prepare(decisions, Vec::new())).await.map(drop)
    }

    async fn prepare_and_start(&self, decisions: Vec<(u32, Value)>, uids: &[u32]) -> Result<()> {
        self.write(Command::Prepare(decisions, uids.to_vec())).await.map(drop)
    }

    async fn watermark(&self, node: &str) -> Result<Option<u32>> {
        let node = node.to_owned();
        self.readers.read(move |connection| reads::watermark(connection, &node)).await
    }

    async fn watermarks(&self) -> Result<BTreeMap<String, u32>> {
        self.readers.read(reads::watermarks).await
    }

    async fn advance(&self, node: &str, uid: u32, ended: Option<u32>) -> Result<()> {
        self.write(Command::Advance { node: node.to_owned(), uid, ended }).await.map(drop)
    }

    async fn settle(&self) -> Result<()> {
        if self.shared.has_hints.load(Ordering::Acquire) {
            self.write(Command::Settle).await?;
        }
        Ok(())
    }

    async fn forget_node(&self, node: &str) -> Result<()> {
        self.write(Command::ForgetNode { node: node.to_owned() }).await.map(drop)
    }

    async fn start(&self, uids: &[u32]) -> Result<()> {
        self.write(Command::Prepare(Vec::new(), uids.to_vec())).await.map(drop)
    }

    async fn cancel(&self, by: u32, from: u32) -> Result<Uids> {
        match self.write(Command::Cancel { by, from }).await? {
            Reply::Tasks(uids) => Ok(uids),
            _ => Err(LogError::Closed),
        }
    }

    async fn delete_tasks(&self, by: u32) -> Result<u64> {
        match self.write(Command::DeleteTasks { by }).await? {
            Reply::Tasks(uids) => Ok(uids.len()),
            _ => Err(LogError::Closed),
        }
    }

    async fn finish(&self, finished: Vec<Finished>) -> Result<()> {
        self.write(Command::Finish(finished)).await.map(drop)
    }

    fn keep_ends(&self, keep: bool) {
        self.shared.keeps_ends.store(keep, Ordering::Release);
    }

    async fn ends(&self, after: u64, max: usize) -> Result<Vec<(u64, u32)>> {
        self.readers.read(move |connection| reads::ends(connection, after, max)).await
    }

    async fn forget_ends(&self, place: u64) -> Result<()> {
        self.write(Command::ForgetEnds { place }).await.map(drop)
    }

    async fn task(&self, uid: u32) -> Result<Option<TaskView>> {
        if let Some(task) = self.shared.recent.get(uid) {
            return Ok(Some(TaskView::clone(&task)));
        }
        if uid >= self.positions().next {
            return Ok(None);
        }
        self.readers.read(move |connection| rows::find_task(connection, uid)).await
    }

    async fn tasks(&self, query: &TasksQuery) -> Result<TaskPage> {
        let query = query.clone();
        self.listers.read(move |connection| tasks::page(connection, &query)).await
    }

    async fn batches(&self, query: &TasksQuery) -> Result<TaskPage<BatchView>> {
        let query = query.clone();
        self.listers.read(move |connection| tasks::batches(connection, &query)).await
    }

    async fn batch(&self, uid: u32) -> Result<Option<BatchView>> {
        self.readers.read(move |connection| tasks::batch(connection, uid)).await
    }

    async fn matching(&self, filter: &TaskFilter) -> Result<Uids> {
        let filter = filter.clone();
        self.listers.read(move |connection| tasks::matching(connection, &filter)).await
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.shared.catalog.load_full()
    }

    fn catalog_changes(&self) -> u64 {
        self.shared.catalog_changes.load(Ordering::Acquire)
    }

    async fn save_map(&self, map: StoredMap) -> Result<()> {
        self.write(Command::SaveMap(map)).await.map(drop)
    }

    async fn load_map(&self) -> Result<Option<StoredMap>> {
        self.readers.read(reads::map).await
    }

    async fn put_record(&self, kind: RecordKind, id: &str, value: Value) -> Result<()> {
        let json = rows::to_json(&value)?;
        self.write(Command::PutRecord { kind, id: id.to_owned(), json }).await.map(drop)
    }

    async fn delete_record(&self, kind: RecordKind, id: &str) -> Result<bool> {
        match self.write(Command::DeleteRecord { kind, id: id.to_owned() }).await? {
            Reply::Removed(removed) => Ok(removed),
            _ => Err(LogError::Closed),
        }
    }

    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Value>> {
        let id = id.to_owned();
        self.readers.read(move |connection| reads::record(connection, kind, &id)).await
    }

    async fn records(&self, kind: RecordKind) -> Result<Vec<(String, Value)>> {
        self.readers.read(move |connection| reads::records(connection, kind)).await
    }

    async fn compact(&self) -> Result<Compaction> {
        match self.write(Command::Compact).await? {
            Reply::Compacted(compaction) => Ok(compaction),
            _ => Err(LogError::Closed),
        }
    }

    async fn trim(&self, below: u32) -> Result<u32> {
        let Reply::Trimmed { position, files } = self.write(Command::Trim { below }).await? else {
            return Err(LogError::Closed);
        };
        if !files.is_empty() {
            let spool = self.spool.clone();
            let removing =
                tokio::task::spawn_blocking(move || files.iter().try_for_each(|name| spool.remove(name)));
            removing.await.map_err(|_| LogError::Closed)??;
        }
        Ok(position)
    }
}
