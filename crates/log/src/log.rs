//! The log, whatever it is stored in.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use miroir_protocol::tasks::{BatchView, TaskFilter, TaskPage, TaskView, TasksQuery};
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    catalog::Catalog,
    entry::{Entry, Finished, LoggedEntry, NewEntry, Once},
    error::Result,
    payload_ref::PayloadRef,
    record_kind::RecordKind,
    spool::{PayloadReader, Spool},
    uids::Uids,
};

/// How far the log has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Positions {
    /// The uid the next entry gets.
    pub next: u32,
    /// The first entry without a decision of the sequencer.
    pub head: u32,
    /// The first entry whose payload is kept; all entries before it are finished.
    pub trimmed: u32,
}

/// How large the log was and is, without payloads in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compaction {
    /// Before, in bytes.
    pub before: u64,
    /// After, in bytes.
    pub after: u64,
}

/// The shard map as the log keeps it: bytes it does not understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMap {
    /// The map's epoch.
    pub epoch: u64,
    /// The map.
    pub bytes: Bytes,
}

/// The ordered, durable list of all writes, and the store of their tasks.
///
/// What a call has changed is durable when it returns, with one exception that is lost no more than a
/// few moments back, and only when the machine itself dies, not the process: [`advance`](Log::advance),
/// a hint that a restart can renew from the nodes. A call that fails has changed nothing.
///
/// Dropping a call's future does not take the call back.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// The log's own id: random, fixed when the log was created, part of the tag that nodes see.
    fn id(&self) -> &str;

    /// Where payloads are put before their entry is appended.
    fn spool(&self) -> &Spool;

    /// Appends a write and gives it the next uid. Uids have no gaps.
    ///
    /// The payload belongs to the log from here on: if the write is refused, its file is removed.
    async fn append(&self, entry: NewEntry) -> Result<Entry>;

    /// Appends a write unless it was appended before under the same key: then that entry is returned, with
    /// `true`, and the payload is removed. Another write with a known key is [`LogError::KeyReused`].
    ///
    /// A key is known for a day, as long as there are not too many and the entry is not gone.
    ///
    /// [`LogError::KeyReused`]: crate::LogError::KeyReused
    async fn append_once(&self, entry: NewEntry, once: Once) -> Result<(Entry, bool)>;

    /// At most `max` entries from uid `from` on, in order. Fewer may be returned, but at least one if
    /// there is one: the payloads kept with their entries are bounded, so go on after the last.
    async fn entries(&self, from: u32, max: usize) -> Result<Vec<LoggedEntry>>;

    /// Like [`entries`](Log::entries), of those whose tasks are not finished.
    async fn unfinished(&self, from: u32, max: usize) -> Result<Vec<LoggedEntry>>;

    /// Opens an entry's payload.
    async fn open_payload(&self, payload: &PayloadRef) -> Result<PayloadReader>;

    /// The uid that the next entry gets; changes wake the sequencer.
    fn appended(&self) -> watch::Receiver<u32>;

    /// How far the log has come.
    fn positions(&self) -> Positions;

    /// Records what the sequencer decided about entries, in a form only it understands.
    ///
    /// New decisions must follow one another from [`Positions::head`] on, which moves behind them.
    /// A decision about an unfinished entry before it is replaced.
    async fn record_prepared(&self, decisions: Vec<(u32, Value)>) -> Result<()>;

    /// [`record_prepared`](Log::record_prepared) and [`start`](Log::start) in one transaction.
    async fn prepare_and_start(&self, decisions: Vec<(u32, Value)>, uids: &[u32]) -> Result<()>;

    /// Every entry up to this one is applied on `node`; `None` if not even the first one is.
    async fn watermark(&self, node: &str) -> Result<Option<u32>>;

    /// The watermarks of all nodes that have one.
    async fn watermarks(&self) -> Result<BTreeMap<String, u32>>;

    /// Moves a node's watermark up to `uid`. It never goes back by this. `ended`, the newest task that is known to have ended
    /// on the node, becomes its record of the kind [`EndedTask`](RecordKind::EndedTask) with that: by it a node is found out
    /// that does not have any more what the watermark says.
    async fn advance(&self, node: &str, uid: u32, ended: Option<u32>) -> Result<()>;

    /// Makes everything durable that [`advance`](Log::advance) has said. Costs nothing where it is: each other change takes
    /// along what was said before it.
    async fn settle(&self) -> Result<()>;

    /// Forgets a node's watermark and its newest task: the node left, or came back empty.
    async fn forget_node(&self, node: &str) -> Result<()>;

    /// Marks tasks as processing from now on. Those that follow one another and are of one kind, for one
    /// index, share a new batch. Tasks that are processing or finished already keep what they have.
    async fn start(&self, uids: &[u32]) -> Result<()>;

    /// Does what the entry `by`, a [`TaskCancelation`](crate::Operation::TaskCancelation), says: those of
    /// its tasks from `from` on that are not finished are canceled, and it has succeeded, all in one
    /// transaction. Returns the canceled tasks.
    async fn cancel(&self, by: u32, from: u32) -> Result<Uids>;

    /// Does what the entry `by`, a [`TaskDeletion`](crate::Operation::TaskDeletion), says: those of its
    /// tasks that are finished are shown no more, and it has succeeded. The entries themselves go once
    /// they are [trimmed](Log::trim). Returns how many tasks that are.
    async fn delete_tasks(&self, by: u32) -> Result<u64>;

    /// Ends tasks and changes the catalog, all in one transaction. A task that was never started gets
    /// a batch of its own.
    async fn finish(&self, finished: Vec<Finished>) -> Result<()>;

    /// Whether tasks that end from now on are put on a list, where they stay until they are
    /// [forgotten](Log::forget_ends). Not kept over a restart.
    fn keep_ends(&self, keep: bool);

    /// The first `max` tasks of that list behind a place in it, with their places. Places start at 1.
    async fn ends(&self, after: u64, max: usize) -> Result<Vec<(u64, u32)>>;

    /// Takes tasks off the list, up to this place.
    async fn forget_ends(&self, place: u64) -> Result<()>;

    /// One task as clients see it.
    async fn task(&self, uid: u32) -> Result<Option<TaskView>>;

    /// The tasks that match a query, as Meilisearch lists them.
    async fn tasks(&self, query: &TasksQuery) -> Result<TaskPage>;

    /// The batches with a task that matches a query.
    async fn batches(&self, query: &TasksQuery) -> Result<TaskPage<BatchView>>;

    /// One batch.
    async fn batch(&self, uid: u32) -> Result<Option<BatchView>>;

    /// The uids of all tasks that match a filter.
    async fn matching(&self, filter: &TaskFilter) -> Result<Uids>;

    /// What clients see of the indexes. Costs next to nothing.
    fn catalog(&self) -> Arc<Catalog>;

    /// A number that grows with every change of the catalog: after it, and before clients can see the task that made it as
    /// finished. Costs next to nothing.
    fn catalog_changes(&self) -> u64;

    /// Keeps a shard map, whose epoch must be newer than that of the stored one.
    async fn save_map(&self, map: StoredMap) -> Result<()>;

    /// The shard map that was saved last.
    async fn load_map(&self) -> Result<Option<StoredMap>>;

    /// Keeps a small value under a kind and an id, in place of the one that is there.
    async fn put_record(&self, kind: RecordKind, id: &str, value: Value) -> Result<()>;

    /// Removes a record; whether there was one.
    async fn delete_record(&self, kind: RecordKind, id: &str) -> Result<bool>;

    /// One record.
    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Value>>;

    /// All records of a kind, in the order of their ids' bytes.
    async fn records(&self, kind: RecordKind) -> Result<Vec<(String, Value)>>;

    /// Lets go of the payloads of entries before `below`, up to the first one that is not finished.
    /// `below` is the caller's promise that no node needs them. Returns the new
    /// [`Positions::trimmed`].
    async fn trim(&self, below: u32) -> Result<u32>;

    /// Gives back to the disk what deleted tasks and entries have left. Writes wait meanwhile; reads go on.
    async fn compact(&self) -> Result<Compaction>;
}
