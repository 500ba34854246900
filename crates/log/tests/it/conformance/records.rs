//! Small values kept beside the log.

use miroir_log::{RecordKind, Result};
use serde_json::{Value, json};

use super::Backend;

pub(crate) async fn records_are_kept_by_kind_and_id<B: Backend>() {
    let mut backend = B::create();
    let log = backend.log();
    assert_eq!(log.records(RecordKind::Key).await.unwrap(), []);
    for id in ["b", "a", "\u{e9}"] {
        log.put_record(RecordKind::Key, id, json!({ "is": id })).await.unwrap();
    }
    log.put_record(RecordKind::Webhook, "a", json!(null)).await.unwrap();
    log.put_record(RecordKind::Key, "a", json!({ "is": "changed" })).await.unwrap();
    assert!(log.delete_record(RecordKind::Key, "\u{e9}").await.unwrap());
    assert!(!log.delete_record(RecordKind::Key, "\u{e9}").await.unwrap());
    assert!(!log.delete_record(RecordKind::Webhook, "b").await.unwrap());
    for _ in 0..2 {
        let log = backend.log();
        let keys = [("a".to_owned(), json!({ "is": "changed" })), ("b".to_owned(), json!({ "is": "b" }))];
        assert_eq!(log.records(RecordKind::Key).await.unwrap(), keys);
        assert_eq!(log.record(RecordKind::Webhook, "a").await.unwrap(), Some(Value::Null));
        assert_eq!(log.record(RecordKind::Webhook, "b").await.unwrap(), None);
        backend.reopen();
    }
    let log = backend.log();
    // Callers that write at the same time share a transaction and get an answer each.
    let (first, second, removed): (Result<()>, Result<()>, Result<bool>) = tokio::join!(
        log.put_record(RecordKind::Chat, "x", json!(1)),
        log.put_record(RecordKind::Chat, "y", json!(2)),
        log.delete_record(RecordKind::Key, "b"),
    );
    assert!(first.is_ok() && second.is_ok() && removed.unwrap());
    assert_eq!(log.records(RecordKind::Chat).await.unwrap().len(), 2);
}
