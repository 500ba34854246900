//! The format on disk: old ones stay readable, newer and foreign ones are refused.
//!
//! `golden/vN.sql` is a database of format N as text; it never changes. If the tables have to, that is
//! a new format with files of its own. `golden/vN.txt` is what the log says about it; it follows the
//! types of the API. `GOLDEN=write` writes the files of the current format.

use std::{fmt::Write, fs, path::Path};

use bytes::Bytes;
use miroir_log::{
    Finished, Log, LogError, Operation, Outcome, PayloadContent, PayloadRef, RecordKind, Selection,
    SqliteLog, SqliteOptions, StoredMap,
};
use miroir_protocol::{Code, ResponseError};
use rusqlite::Connection;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::support::{creation, documents, entry, payload, put, snapshot, succeeded};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

fn moment() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::nanoseconds(1_700_000_000_123_456_789)
}

fn open(directory: &Path) -> miroir_log::Result<SqliteLog> {
    SqliteLog::open(SqliteOptions::new(directory).clock(moment))
}

/// A bit of everything the format can hold.
async fn fill(log: &dyn Log) {
    log.append(creation("movies")).await.unwrap();
    log.append(documents("movies", payload(log, 1, 40))).await.unwrap();
    let file = PayloadContent::File { name: "golden.payload".to_owned() };
    log.append(documents("movies", PayloadRef { bytes: 5, documents: 2, checksum: None, content: file }))
        .await
        .unwrap();
    let selection = Selection::ByIds { ids: vec!["1".to_owned(), "b".to_owned()] };
    log.append(entry("books", Operation::DocumentDeletion { selection })).await.unwrap();
    let settings = json!({ "stopWords": ["the"] });
    let update = Operation::SettingsUpdate { settings, is_deletion: false, allow_index_creation: true };
    log.append(miroir_log::NewEntry { custom_metadata: Some("tag".to_owned()), ..entry("movies", update) })
        .await
        .unwrap();
    let rename = Operation::IndexUpdate { primary_key: None, new_uid: Some("films".to_owned()) };
    log.append(entry("movies", rename)).await.unwrap();
    log.record_prepared((0..4).map(|uid| (uid, json!({ "decided": uid }))).collect()).await.unwrap();
    log.start(&[0, 1]).await.unwrap();
    log.start(&[2]).await.unwrap();
    let error = ResponseError::new(Code::IndexNotFound, "Index `books` not found.");
    let ends = [
        Finished { catalog: vec![put("movies")], ..succeeded(0) },
        Finished { details: Some(json!({ "receivedDocuments": 1, "indexedDocuments": 1 })), ..succeeded(1) },
        Finished { outcome: Outcome::Failed(error), ..succeeded(3) },
        Finished { outcome: Outcome::Canceled { by: 9 }, ..succeeded(5) },
    ];
    let finished_at = moment() + Duration::seconds(1);
    log.finish(ends.map(|end| Finished { finished_at, ..end }).to_vec()).await.unwrap();
    log.trim(1).await.unwrap();
    log.advance("node-0", 2, None).await.unwrap();
    log.save_map(StoredMap { epoch: 3, bytes: Bytes::from_static(b"\x00map") }).await.unwrap();
    log.put_record(RecordKind::Key, "k", json!({ "name": "mine" })).await.unwrap();
}

/// A database as the statements that make it.
fn dump(directory: &Path) -> String {
    let database = Connection::open(directory.join("log.db")).unwrap();
    let mut text = String::new();
    for pragma in ["user_version", "application_id"] {
        let value: u32 = database.pragma_query_value(None, pragma, |row| row.get(0)).unwrap();
        writeln!(text, "PRAGMA {pragma} = {value};").unwrap();
    }
    let mut schema = database
        .prepare(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid",
        )
        .unwrap();
    for sql in schema.query_map([], |row| row.get::<_, String>(0)).unwrap() {
        writeln!(text, "{};", sql.unwrap()).unwrap();
    }
    let mut tables = database
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid",
        )
        .unwrap();
    for table in tables.query_map([], |row| row.get::<_, String>(0)).unwrap() {
        dump_table(&database, &table.unwrap(), &mut text);
    }
    text
}

fn dump_table(database: &Connection, table: &str, text: &mut String) {
    let mut columns = database
        .prepare(&format!("SELECT 'quote(' || name || ')' FROM pragma_table_info('{table}')"))
        .unwrap();
    let columns: Vec<String> = columns.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let sql = format!("SELECT concat_ws(', ', {}) FROM {table} ORDER BY 1", columns.join(", "));
    for row in database.prepare(&sql).unwrap().query_map([], |row| row.get::<_, String>(0)).unwrap() {
        writeln!(text, "INSERT INTO {table} VALUES ({});", row.unwrap()).unwrap();
    }
}

fn golden(name: &str, now: &str) -> String {
    let path = Path::new(GOLDEN).join(name);
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        fs::write(&path, now).unwrap();
    }
    fs::read_to_string(&path).unwrap()
}

#[tokio::test]
async fn what_is_written_is_the_golden_file() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path()).unwrap();
    fill(&log).await;
    let (said, id) = (snapshot(&log).await, log.id().to_owned());
    drop(log);
    let dump = dump(directory.path()).replace(&id, "0123456789abcdef0123456789abcdef");
    assert_eq!(dump, golden("v3.sql", &dump));
    assert_eq!(said, golden("v3.txt", &said));
}

#[tokio::test]
async fn every_format_is_read_and_brought_up_to_date() {
    for version in ["v1", "v2", "v3"] {
        reads_golden(version).await;
    }
}

async fn reads_golden(version: &str) {
    let file = |kind| fs::read_to_string(Path::new(GOLDEN).join(format!("{version}.{kind}"))).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let database = Connection::open(directory.path().join("log.db")).unwrap();
    database.execute_batch(&file("sql")).unwrap();
    drop(database);
    let log = open(directory.path()).unwrap();
    assert_eq!(log.id(), "0123456789abcdef0123456789abcdef");
    assert_eq!(snapshot(&log).await, file("txt"));
    assert_eq!(log.append(creation("movies")).await.unwrap().uid, 6);
    log.put_record(RecordKind::Webhook, "w", json!("new")).await.unwrap();
    drop(log);
    let log = open(directory.path()).unwrap();
    assert_eq!(log.record(RecordKind::Webhook, "w").await.unwrap(), Some(json!("new")));
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let database = Connection::open(directory.path().join("log.db")).unwrap();
    database.pragma_update(None, "user_version", 4).unwrap();
    drop(database);
    let before = fs::read(directory.path().join("log.db")).unwrap();
    let refused = open(directory.path()).unwrap_err();
    assert!(matches!(refused, LogError::NewerFormat { found: 4, supported: 3 }), "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains("format 4") && text.contains("up to format 3"), "{text}");
    assert!(fs::read(directory.path().join("log.db")).unwrap() == before);
}

#[tokio::test]
async fn what_is_not_ours_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log.db");
    fs::write(&path, "this is not a database, however long it may be").unwrap();
    assert!(matches!(open(directory.path()), Err(LogError::Damaged(_))));
    fs::remove_file(&path).unwrap();
    let foreign = Connection::open(&path).unwrap();
    foreign.execute_batch("CREATE TABLE theirs (x); PRAGMA application_id = 7;").unwrap();
    drop(foreign);
    let before = fs::read(&path).unwrap();
    assert!(matches!(open(directory.path()), Err(LogError::Damaged(_))));
    assert!(fs::read(&path).unwrap() == before);
}
