//! Order of entries, decisions and watermarks.

use miroir_log::{LogError, Positions, RecordKind};
use serde_json::json;

use super::Backend;
use crate::support::{all, append, creation, succeeded};

pub(crate) async fn uids_count_from_zero<B: Backend>() {
    let mut backend = B::create();
    for expected in 0..3 {
        assert_eq!(append(backend.log(), 1).await[0].uid, expected);
    }
    backend.reopen();
    assert_eq!(append(backend.log(), 1).await[0].uid, 3);
    assert_eq!(backend.log().positions(), Positions { next: 4, head: 0, trimmed: 0 });
}

pub(crate) async fn appending_wakes_whoever_waits<B: Backend>() {
    let backend = B::create();
    let mut appended = backend.log().appended();
    assert_eq!(*appended.borrow_and_update(), 0);
    let (changed, entry) = tokio::join!(appended.changed(), backend.log().append(creation("movies")));
    changed.unwrap();
    assert_eq!((*appended.borrow(), entry.unwrap().uid), (1, 0));
}

pub(crate) async fn entries_are_read_in_order_from_anywhere<B: Backend>() {
    let backend = B::create();
    let appended = append(backend.log(), 10).await;
    let read: Vec<_> = all(backend.log()).await.into_iter().map(|logged| logged.entry).collect();
    assert_eq!(read, appended);
    let some: Vec<_> = backend.log().entries(4, 3).await.unwrap();
    assert_eq!(some.iter().map(|logged| logged.entry.uid).collect::<Vec<_>>(), [4, 5, 6]);
    assert!(backend.log().entries(10, 3).await.unwrap().is_empty());
}

pub(crate) async fn decisions_follow_one_another<B: Backend>() {
    let backend = B::create();
    let log = backend.log();
    append(log, 3).await;
    let refused = log.record_prepared(vec![(0, json!(0)), (2, json!(2))]).await;
    assert!(matches!(refused, Err(LogError::OutOfOrder { expected: 1, found: 2 })), "{refused:?}");
    assert_eq!(log.positions().head, 0);
    assert_eq!(log.entries(0, 1).await.unwrap()[0].prepared, None);
    log.record_prepared(vec![(0, json!(0)), (1, json!({ "nodes": [1, 2] }))]).await.unwrap();
    assert_eq!(log.positions().head, 2);
    assert_eq!(log.entries(1, 1).await.unwrap()[0].prepared, Some(json!({ "nodes": [1, 2] })));
    let refused = log.record_prepared(vec![(2, json!(2)), (3, json!(3))]).await;
    assert!(matches!(refused, Err(LogError::UnknownEntry(3))), "{refused:?}");
    assert_eq!(log.positions().head, 2);
}

pub(crate) async fn a_decision_is_replaced_until_the_task_is_over<B: Backend>() {
    let backend = B::create();
    let log = backend.log();
    append(log, 1).await;
    log.record_prepared(vec![(0, json!("first"))]).await.unwrap();
    log.record_prepared(vec![(0, json!("second"))]).await.unwrap();
    log.finish(vec![succeeded(0)]).await.unwrap();
    let refused = log.record_prepared(vec![(0, json!("third"))]).await;
    assert!(matches!(refused, Err(LogError::AlreadyFinished(0))), "{refused:?}");
    assert_eq!(log.entries(0, 1).await.unwrap()[0].prepared, Some(json!("second")));
    assert_eq!(log.positions().head, 1);
}

pub(crate) async fn watermarks_never_go_back<B: Backend>() {
    let backend = B::create();
    let log = backend.log();
    append(log, 5).await;
    assert_eq!(log.watermark("a").await.unwrap(), None);
    log.advance("a", 3, None).await.unwrap();
    log.advance("a", 1, None).await.unwrap();
    log.advance("b", 0, None).await.unwrap();
    assert_eq!(log.watermark("a").await.unwrap(), Some(3));
    let watermarks = log.watermarks().await.unwrap();
    assert_eq!(watermarks.into_iter().collect::<Vec<_>>(), [("a".to_owned(), 3), ("b".to_owned(), 0)]);
    let refused = log.advance("a", 5, None).await;
    assert!(matches!(refused, Err(LogError::UnknownEntry(5))), "{refused:?}");
}

pub(crate) async fn a_node_is_forgotten<B: Backend>() {
    let backend = B::create();
    let log = backend.log();
    append(log, 5).await;
    log.advance("a", 3, Some(7)).await.unwrap();
    let ended = || log.record(RecordKind::EndedTask, "a");
    assert_eq!(ended().await.unwrap(), Some(json!(7)));
    log.forget_node("a").await.unwrap();
    assert_eq!((log.watermark("a").await.unwrap(), ended().await.unwrap()), (None, None));
    log.advance("a", 1, None).await.unwrap();
    assert_eq!(log.watermark("a").await.unwrap(), Some(1));
}
