//! Every write, stopped or failed at every step: afterwards the log is as it was before or as it
//! should be, never in between.

use std::{future::Future, pin::Pin};

use bytes::Bytes;
use miroir_log::{
    Finished, Log, LogError, RecordKind, Result, StoredMap,
    failpoints::{Action, Failpoints},
};
use serde_json::json;
use time::OffsetDateTime;

use crate::{
    conformance::Backend,
    sqlite::OnDisk,
    support::{append, creation, documents, payload, put, snapshot, succeeded},
};

/// The steps up to which nothing has happened, and those after which all of it has.
const BEFORE: [&str; 3] = ["write.begin", "write.applied", "write.commit"];
const AFTER: [&str; 2] = ["write.committed", "write.published"];

type Call = for<'a> fn(&'a dyn Log) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// One of each call that writes.
const CALLS: [(&str, Call); 10] = [
    ("append", |log| {
        Box::pin(async { log.append(documents("movies", payload(log, 9, 500))).await.map(drop) })
    }),
    ("prepare", |log| Box::pin(log.record_prepared(vec![(1, json!("one")), (2, json!("two"))]))),
    ("start", |log| Box::pin(async { log.start(&[1, 2]).await.map(drop) })),
    ("finish", |log| {
        Box::pin(async {
            let ends = [1, 2].map(|uid| Finished { catalog: vec![put("films")], ..end(uid) });
            log.finish(ends.to_vec()).await
        })
    }),
    ("advance", |log| Box::pin(log.advance("a", 2, None))),
    ("forget", |log| Box::pin(log.forget_node("a"))),
    ("map", |log| Box::pin(log.save_map(StoredMap { epoch: 2, bytes: Bytes::from_static(b"new") }))),
    ("put", |log| Box::pin(log.put_record(RecordKind::Key, "a", json!("new")))),
    ("delete", |log| Box::pin(async { log.delete_record(RecordKind::Key, "a").await.map(drop) })),
    ("trim", |log| Box::pin(async { log.trim(1).await.map(drop) })),
];

fn end(uid: u32) -> Finished {
    Finished { finished_at: OffsetDateTime::UNIX_EPOCH, ..succeeded(uid) }
}

/// A log with a little of everything, at a time that stands still.
async fn prepared() -> OnDisk {
    let mut backend = OnDisk::create();
    reopen(&mut backend);
    let log = backend.log();
    log.append(documents("movies", payload(log, 0, 1_000))).await.unwrap();
    append(log, 3).await;
    log.record_prepared(vec![(0, json!("zero"))]).await.unwrap();
    log.start(&[0]).await.unwrap();
    log.finish(vec![Finished { catalog: vec![put("movies")], ..end(0) }]).await.unwrap();
    log.advance("a", 1, None).await.unwrap();
    log.save_map(StoredMap { epoch: 1, bytes: Bytes::from_static(b"old") }).await.unwrap();
    log.put_record(RecordKind::Key, "a", json!("old")).await.unwrap();
    backend
}

fn reopen(backend: &mut OnDisk) {
    let options = backend.options().clock(|| OffsetDateTime::UNIX_EPOCH);
    backend.reopen_with(options);
}

/// What the log looks like before and after each call.
async fn expected(call: Call) -> (String, String) {
    let backend = prepared().await;
    let before = snapshot(backend.log()).await;
    call(backend.log()).await.unwrap();
    let after = snapshot(backend.log()).await;
    assert_ne!(before, after);
    (before, after)
}

#[tokio::test]
async fn a_stop_at_any_step_leaves_all_or_nothing() {
    for (name, call) in CALLS {
        let (before, after) = expected(call).await;
        for (points, expected) in [(&BEFORE[..], &before), (&AFTER[..], &after)] {
            for point in points {
                let mut backend = prepared().await;
                backend.failpoints.arm(point, Action::Stop, 0);
                let stopped = call(backend.log()).await;
                assert!(matches!(stopped, Err(LogError::Closed)), "{name} at {point}: {stopped:?}");
                let closed = backend.log().append(creation("movies")).await;
                assert!(matches!(closed, Err(LogError::Closed)), "{closed:?}");
                reopen(&mut backend);
                assert_eq!(&snapshot(backend.log()).await, expected, "{name} at {point}");
            }
        }
    }
}

#[tokio::test]
async fn a_failure_at_any_step_changes_nothing_and_the_call_can_be_repeated() {
    for (name, call) in CALLS {
        let (before, after) = expected(call).await;
        for (point, action) in BEFORE.into_iter().zip([Action::Full, Action::Fail, Action::Full]) {
            let mut backend = prepared().await;
            backend.failpoints.arm(point, action, 0);
            let failed = call(backend.log()).await.unwrap_err();
            assert_eq!(failed.is_storage_full(), action == Action::Full, "{name} at {point}: {failed:?}");
            assert_eq!(snapshot(backend.log()).await, before, "{name} at {point}");
            reopen(&mut backend);
            assert_eq!(snapshot(backend.log()).await, before, "{name} at {point}");
            call(backend.log()).await.unwrap();
            assert_eq!(snapshot(backend.log()).await, after, "{name} at {point}");
        }
    }
}

#[tokio::test]
async fn a_failed_payload_leaves_no_file() {
    for point in ["spool.write", "spool.flush", "spool.sync", "spool.synced"] {
        for action in [Action::Full, Action::Fail] {
            let backend = OnDisk::create();
            backend.failpoints.arm(point, action, 0);
            let failed = try_payload(backend.log()).unwrap_err();
            assert_eq!(failed.kind() == std::io::ErrorKind::StorageFull, action == Action::Full, "{point}");
            assert_eq!(backend.spool_files(), [""; 0], "{point}");
            let payload = try_payload(backend.log()).unwrap();
            backend.log().append(documents("movies", payload)).await.unwrap();
        }
    }
}

fn try_payload(log: &dyn Log) -> std::io::Result<miroir_log::PayloadRef> {
    use std::io::Write;

    let mut file = log.spool().create();
    file.write_all(&[b'x'; 100_000])?;
    file.finish(1).map_err(|error| match error {
        miroir_log::SpoolError::Full => std::io::ErrorKind::StorageFull.into(),
        other => std::io::Error::other(other),
    })
}

#[tokio::test]
async fn every_failpoint_is_passed() {
    let backend = prepared().await;
    backend.log().append(documents("movies", payload(backend.log(), 1, 100_000))).await.unwrap();
    let passed = backend.failpoints.passed();
    assert!(Failpoints::ALL.iter().all(|point| passed.contains(point)), "{passed:?}");
    assert_eq!(passed.len(), Failpoints::ALL.len());
    let tested = BEFORE.iter().chain(&AFTER).filter(|point| point.starts_with("write.")).count();
    assert_eq!(tested, Failpoints::ALL.iter().filter(|point| point.starts_with("write.")).count());
}
