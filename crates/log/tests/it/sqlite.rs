//! The SQLite backend for the suite.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use miroir_log::{
    Compaction, INLINE_LIMIT, Log, LogError, RecordKind, SqliteLog, SqliteOptions,
    failpoints::{Action, Failpoints},
};
use tempfile::TempDir;

use crate::{
    conformance::Backend,
    support::{append, creation, documents, payload},
};

/// A log in a directory of its own.
pub(crate) struct OnDisk {
    directory: TempDir,
    pub(crate) failpoints: Failpoints,
    log: Option<Arc<SqliteLog>>,
}

impl OnDisk {
    pub(crate) fn options(&self) -> SqliteOptions {
        SqliteOptions::new(self.directory.path()).failpoints(&self.failpoints)
    }

    pub(crate) fn sqlite(&self) -> &SqliteLog {
        self.log.as_deref().unwrap()
    }

    /// Takes the place of the log, which nothing else may hold any more.
    pub(crate) fn reopen_with(&mut self, options: SqliteOptions) {
        self.log = None;
        self.log = Some(Arc::new(SqliteLog::open(options).unwrap()));
    }

    pub(crate) fn spool_files(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.directory.path().join("payloads")).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Backend for OnDisk {
    fn create() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut backend = Self { directory, failpoints: Failpoints::default(), log: None };
        backend.reopen();
        backend
    }

    fn log(&self) -> &dyn Log {
        self.sqlite()
    }

    fn reopen(&mut self) {
        self.reopen_with(self.options());
    }
}

/// The same, done by whoever calls.
pub(crate) struct InLine(OnDisk);

impl Backend for InLine {
    fn create() -> Self {
        let mut backend = Self(OnDisk::create());
        backend.reopen();
        backend
    }

    fn log(&self) -> &dyn Log {
        self.0.log()
    }

    fn reopen(&mut self) {
        let options = self.0.options().in_line();
        self.0.reopen_with(options);
    }
}

#[tokio::test]
async fn a_second_process_is_kept_out() {
    let backend = OnDisk::create();
    let second = SqliteLog::open(backend.options());
    assert!(matches!(second, Err(LogError::InUse(_))), "{second:?}");
}

/// A child that is being started holds the parent's files until it runs its own program.
#[test]
fn a_child_process_that_starts_does_not_keep_the_lock() {
    use std::sync::atomic::{AtomicBool, Ordering};

    let mut backend = OnDisk::create();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                std::process::Command::new("true").status().unwrap();
            }
        });
        let options = backend.options();
        let reopened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (0..100).for_each(|_| backend.reopen_with(options.clone()));
        }));
        done.store(true, Ordering::Relaxed);
        reopened.unwrap();
    });
}

#[tokio::test]
async fn the_time_of_an_entry_never_goes_back() {
    use std::sync::atomic::{AtomicI64, Ordering};
    use time::OffsetDateTime;

    let mut backend = OnDisk::create();
    let now = Arc::new(AtomicI64::new(1_000));
    let clock = now.clone();
    let options = backend
        .options()
        .clock(move || OffsetDateTime::from_unix_timestamp(clock.load(Ordering::Relaxed)).unwrap());
    backend.reopen_with(options.clone());
    let first = append(backend.log(), 1).await.remove(0);
    now.store(10, Ordering::Relaxed);
    let second = append(backend.log(), 1).await.remove(0);
    backend.reopen_with(options);
    let third = append(backend.log(), 1).await.remove(0);
    assert_eq!([second.enqueued_at, third.enqueued_at], [first.enqueued_at; 2]);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_done() {
    let backend = OnDisk::create();
    let mut appended = backend.log().appended();
    let call = backend.log().append(creation("movies"));
    // Polled once, so that it is sent, then dropped.
    tokio::select! {
        biased;
        _ = call => {}
        () = std::future::ready(()) => {}
    }
    appended.wait_for(|next| *next == 1).await.unwrap();
}

#[tokio::test]
async fn what_no_entry_names_is_swept_at_the_start() {
    let mut backend = OnDisk::create();
    let kept = crate::support::payload(backend.log(), 1, 100_000);
    let left = crate::support::payload(backend.log(), 2, 100_000);
    backend.log().append(crate::support::documents("movies", kept.clone())).await.unwrap();
    assert_eq!(backend.spool_files().len(), 2, "{left:?}");
    backend.reopen();
    assert_eq!(backend.spool_files(), [kept.file().unwrap()]);
    assert_eq!(backend.sqlite().payloads_in_use().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_compacted_log_is_smaller_and_the_same() {
    let mut backend = OnDisk::create();
    let value = serde_json::Value::from("x".repeat(100_000));
    for id in ["a", "b", "kept"] {
        backend.log().put_record(RecordKind::Instance, id, value.clone()).await.unwrap();
    }
    append(backend.log(), 1).await;
    for id in ["a", "b"] {
        backend.log().delete_record(RecordKind::Instance, id).await.unwrap();
    }
    let Compaction { before, after } = backend.log().compact().await.unwrap();
    assert!(after + 150_000 < before, "{before} to {after}");
    for _ in 0..2 {
        let records = backend.log().records(RecordKind::Instance).await.unwrap();
        assert!(records.contains(&("kept".to_owned(), value.clone())));
        assert_eq!(backend.log().positions().next, 1);
        backend.reopen();
    }
}

#[tokio::test]
async fn what_was_said_of_nodes_is_settled_once_and_by_every_other_change() {
    let backend = OnDisk::create();
    let log = backend.log();
    append(log, 2).await;
    let fails = || backend.failpoints.arm("write.begin", Action::Fail, 0);
    fails();
    log.settle().await.expect("nothing is written where nothing waits");
    log.advance("a", 0, None).await.unwrap_err();
    log.advance("a", 0, None).await.unwrap();
    fails();
    log.settle().await.unwrap_err();
    log.settle().await.unwrap();
    fails();
    log.settle().await.expect("it is settled");
    log.advance("a", 1, None).await.unwrap_err();
    log.advance("a", 1, None).await.unwrap();
    append(log, 1).await;
    fails();
    log.settle().await.expect("the entry has taken it along");
}

#[tokio::test]
async fn what_is_committed_comes_to_its_place_while_the_log_is_open() {
    let backend = OnDisk::create();
    for seed in 0..100 {
        let payload = payload(backend.log(), seed, INLINE_LIMIT);
        backend.log().append(documents("movies", payload)).await.unwrap();
    }
    let database = backend.directory.path().join("log.db");
    let start = Instant::now();
    while std::fs::metadata(&database).unwrap().len() < 3 << 20 {
        assert!(start.elapsed() < Duration::from_secs(20), "it stays in the write-ahead log");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
