//! The real log, whose disk is slow and sometimes full.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use miroir_log::{
    Catalog, Compaction, Entry, Finished, Log, LogError, LoggedEntry, NewEntry, Once, PayloadReader,
    PayloadRef, Positions, RecordKind, Result, Spool, SqliteLog, SqliteOptions, StoredMap, Uids,
};
use miroir_protocol::tasks::{BatchView, TaskFilter, TaskPage, TaskView, TasksQuery};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;

use super::{chance::Chance, planted::Bug};

/// The longest that a commit takes.
const COMMIT: Duration = Duration::from_millis(2);

/// Where a log that forgets keeps what it was before the last write.
const EARLIER: &str = "earlier";

/// A log on a disk.
pub(crate) struct Store {
    log: SqliteLog,
    directory: PathBuf,
    disk: Disk,
}

/// The disk, which outlives the gateway. Clones are the same.
#[derive(Clone)]
pub(crate) struct Disk {
    chance: Chance,
    full: Arc<AtomicBool>,
    /// What the log was told of nodes, and what of it outlives the machine.
    told: Arc<Mutex<Hints>>,
    kept: Arc<Mutex<Hints>>,
    bug: Option<Bug>,
}

/// By node, how far it is and its newest task that has ended.
type Hints = BTreeMap<String, (u32, Option<u32>)>;

impl Disk {
    pub(crate) fn new(chance: Chance, bug: Option<Bug>) -> Self {
        Self { chance, full: Arc::default(), told: Arc::default(), kept: Arc::default(), bug }
    }

    /// Whether nothing can be written any more.
    pub(crate) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// Opens the log in a directory.
    pub(crate) fn open(&self, directory: &Path) -> Store {
        let earlier = directory.join(EARLIER);
        if earlier.exists() {
            copy_log(&earlier, directory);
        }
        let log = SqliteLog::open(SqliteOptions::new(directory).in_line()).expect("a log");
        Store { log, directory: directory.to_owned(), disk: self.clone() }
    }

    /// What is kept of decisions.
    fn decided(&self, mut decisions: Vec<(u32, Value)>) -> Vec<(u32, Value)> {
        if self.bug == Some(Bug::DecisionsAreLost) {
            let lost =
                decisions.iter_mut().filter(|(uid, decision)| uid % 5 == 3 && decision["apply"].is_object());
            lost.for_each(|(_, decision)| *decision = "settled".into());
        }
        decisions
    }

    /// A commit takes its time, and whoever waits for it may be gone before or after.
    async fn commits<T>(&self, commit: impl Future<Output = Result<T>>) -> Result<T> {
        self.chance.delay(COMMIT).await;
        if self.full.load(Ordering::SeqCst) {
            return Err(LogError::StorageFull);
        }
        let result = commit.await;
        self.chance.delay(COMMIT).await;
        result
    }

    /// A commit that waits for the disk, and takes along all that did not.
    async fn keeps<T>(&self, commit: impl Future<Output = Result<T>>) -> Result<T> {
        let kept = async {
            let result = commit.await?;
            self.kept.lock().clone_from(&self.told.lock());
            Ok(result)
        };
        self.commits(kept).await
    }
}

impl Store {
    /// The machine has died: what no commit has waited for is gone.
    pub(crate) async fn lose_hints(&self) {
        let (told, kept) = (self.disk.told.lock().clone(), self.disk.kept.lock().clone());
        for node in told.keys().filter(|node| told.get(*node) != kept.get(*node)) {
            self.log.forget_node(node).await.expect("forgotten");
            if let Some((uid, ended)) = kept.get(node) {
                self.log.advance(node, *uid, *ended).await.expect("as it was");
            }
        }
        *self.disk.told.lock() = kept;
    }
}

/// A plan that leaves one of its shards where it is.
fn skip_a_move(plan: &mut Value) {
    let origin = plan["origin"]["groups"][0]["owners"].clone();
    let target = plan["target"]["groups"][0]["owners"].as_array_mut().expect("owners");
    if let Some(place) = (0..target.len()).find(|place| target[*place] != origin[*place]) {
        target[place] = origin[place].clone();
    }
}

/// Copies the files of a log from one directory into another.
fn copy_log(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for name in ["log.db", "log.db-wal"] {
        // What is not there yet is not there in the copy.
        let _ = fs::copy(from.join(name), to.join(name));
    }
}

/// The [`Log`] by these calls: writes, reads, and what costs nothing.
macro_rules! delegate {
    (
        writes { $($write:ident($($name:ident: $type:ty),*) -> $written:ty;)* }
        reads { $($read:ident($($read_name:ident: $read_type:ty),*) -> $found:ty;)* }
        calls { $($call:ident($($call_name:ident: $call_type:ty),*) -> $got:ty;)* }
    ) => {
        #[async_trait]
        impl Log for Store {
            $(async fn $write(&self, $($name: $type),*) -> Result<$written> {
                self.disk.keeps(self.log.$write($($name),*)).await
            })*
            $(async fn $read(&self, $($read_name: $read_type),*) -> Result<$found> {
                self.log.$read($($read_name),*).await
            })*
            $(fn $call(&self, $($call_name: $call_type),*) -> $got {
                self.log.$call($($call_name),*)
            })*

            async fn append(&self, entry: NewEntry) -> Result<Entry> {
                if self.disk.bug == Some(Bug::LogForgetsTheLast) {
                    copy_log(&self.directory, &self.directory.join(EARLIER));
                }
                self.disk.keeps(self.log.append(entry)).await
            }

            async fn record_prepared(&self, decisions: Vec<(u32, Value)>) -> Result<()> {
                self.disk.keeps(self.log.record_prepared(self.disk.decided(decisions))).await
            }

            async fn prepare_and_start(&self, decisions: Vec<(u32, Value)>, uids: &[u32]) -> Result<()> {
                self.disk.keeps(self.log.prepare_and_start(self.disk.decided(decisions), uids)).await
            }

            async fn trim(&self, below: u32) -> Result<u32> {
                let early = self.disk.bug == Some(Bug::PayloadsGoEarly);
                self.disk.keeps(self.log.trim(if early { u32::MAX } else { below })).await
            }

            async fn advance(&self, node: &str, mut uid: u32, ended: Option<u32>) -> Result<()> {
                if self.disk.bug == Some(Bug::PositionsRunAhead) {
                    uid = (uid + 2).min(self.log.positions().next - 1);
                }
                let told = async {
                    self.log.advance(node, uid, ended).await?;
                    self.disk.told.lock().insert(node.to_owned(), (uid, ended));
                    Ok(())
                };
                self.disk.commits(told).await
            }

            async fn forget_node(&self, node: &str) -> Result<()> {
                let forgotten = async {
                    self.log.forget_node(node).await?;
                    self.disk.told.lock().remove(node);
                    Ok(())
                };
                self.disk.keeps(forgotten).await
            }

            async fn put_record(&self, kind: RecordKind, id: &str, mut value: Value) -> Result<()> {
                if self.disk.bug == Some(Bug::PlanSkipsAMove) && id == "plan" {
                    skip_a_move(&mut value);
                }
                self.disk.keeps(self.log.put_record(kind, id, value)).await
            }
        }
    };
}

delegate! {
    writes {
        append_once(entry: NewEntry, once: Once) -> (Entry, bool);
        settle() -> ();
        start(uids: &[u32]) -> ();
        cancel(by: u32, from: u32) -> Uids;
        delete_tasks(by: u32) -> u64;
        finish(finished: Vec<Finished>) -> ();
        forget_ends(place: u64) -> ();
        save_map(map: StoredMap) -> ();
        delete_record(kind: RecordKind, id: &str) -> bool;
        compact() -> Compaction;
    }
    reads {
        entries(from: u32, max: usize) -> Vec<LoggedEntry>;
        unfinished(from: u32, max: usize) -> Vec<LoggedEntry>;
        open_payload(payload: &PayloadRef) -> PayloadReader;
        watermark(node: &str) -> Option<u32>;
        watermarks() -> BTreeMap<String, u32>;
        ends(after: u64, max: usize) -> Vec<(u64, u32)>;
        task(uid: u32) -> Option<TaskView>;
        tasks(query: &TasksQuery) -> TaskPage;
        batches(query: &TasksQuery) -> TaskPage<BatchView>;
        batch(uid: u32) -> Option<BatchView>;
        matching(filter: &TaskFilter) -> Uids;
        load_map() -> Option<StoredMap>;
        record(kind: RecordKind, id: &str) -> Option<Value>;
        records(kind: RecordKind) -> Vec<(String, Value)>;
    }
    calls {
        id() -> &str;
        spool() -> &Spool;
        appended() -> watch::Receiver<u32>;
        positions() -> Positions;
        keep_ends(keep: bool) -> ();
        catalog() -> Arc<Catalog>;
        catalog_changes() -> u64;
    }
}
