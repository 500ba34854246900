//! Entries to write, and ends for their tasks.

use std::io::Write;

use miroir_log::{
    CatalogChange, Entry, Finished, IndexRecord, Log, Method, NewEntry, Operation, Outcome, PayloadRef,
    RecordKind,
};
use miroir_protocol::tasks::{TaskView, TasksQuery};
use serde_json::json;
use time::OffsetDateTime;

pub(crate) fn creation(index: &str) -> NewEntry {
    entry(index, Operation::IndexCreation { primary_key: Some("id".to_owned()) })
}

pub(crate) fn entry(index: &str, operation: Operation) -> NewEntry {
    NewEntry { index_uid: Some(index.to_owned()), operation, custom_metadata: None }
}

pub(crate) fn documents(index: &str, payload: PayloadRef) -> NewEntry {
    let operation = Operation::DocumentAdditionOrUpdate {
        method: Method::Replace,
        primary_key: None,
        payload,
        allow_index_creation: true,
        skip_creation: false,
    };
    entry(index, operation)
}

/// A payload of so many bytes, which can be told from those of other seeds.
pub(crate) fn payload(log: &dyn Log, seed: usize, bytes: usize) -> PayloadRef {
    let mut file = log.spool().create();
    file.write_all(&payload_bytes(seed, bytes)).unwrap();
    file.finish(1).unwrap()
}

pub(crate) fn payload_bytes(seed: usize, bytes: usize) -> Vec<u8> {
    format!("{{\"id\":{seed}}}\n").bytes().cycle().take(bytes).collect()
}

pub(crate) async fn append(log: &dyn Log, count: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(log.append(creation("movies")).await.unwrap());
    }
    entries
}

pub(crate) fn succeeded(uid: u32) -> Finished {
    Finished {
        uid,
        outcome: Outcome::Succeeded,
        details: None,
        started_at: None,
        finished_at: OffsetDateTime::now_utc(),
        catalog: Vec::new(),
        renames: Vec::new(),
    }
}

pub(crate) fn put(index: &str) -> CatalogChange {
    CatalogChange::Put(record(index))
}

pub(crate) fn record(index: &str) -> IndexRecord {
    IndexRecord {
        uid: index.to_owned(),
        primary_key: Some("id".to_owned()),
        created_at: OffsetDateTime::UNIX_EPOCH,
        updated_at: OffsetDateTime::UNIX_EPOCH,
        settings: json!({ "stopWords": ["the"] }),
    }
}

/// All entries, read in small pieces.
pub(crate) async fn all(log: &dyn Log) -> Vec<miroir_log::LoggedEntry> {
    let mut found = Vec::new();
    loop {
        let from = found.last().map_or(0, |logged: &miroir_log::LoggedEntry| logged.entry.uid + 1);
        let more = log.entries(from, 7).await.unwrap();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// All that can be asked but the log's id, as text.
pub(crate) async fn snapshot(log: &dyn Log) -> String {
    let tasks = log.tasks(&TasksQuery { limit: 100, ..TasksQuery::default() }).await.unwrap();
    let mut one_by_one = Vec::<TaskView>::new();
    for uid in (0..log.positions().next).rev() {
        one_by_one.push(log.task(uid).await.unwrap().unwrap());
    }
    assert_eq!(tasks.results, one_by_one);
    let mut records = Vec::new();
    for kind in RecordKind::ALL {
        records.extend(log.records(kind).await.unwrap().into_iter().map(|(id, value)| (kind, id, value)));
    }
    format!(
        "{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:?}\n{records:?}\n",
        log.positions(),
        all(log).await,
        log.unfinished(0, 100).await.unwrap(),
        tasks,
        log.catalog(),
        log.watermarks().await.unwrap(),
        log.load_map().await.unwrap(),
    )
}
