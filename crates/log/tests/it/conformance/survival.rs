//! What a restart keeps: all of it.

use bytes::Bytes;
use miroir_log::{Finished, Outcome, RecordKind, StoredMap};
use miroir_protocol::{Code, ResponseError};
use serde_json::json;

use super::Backend;
use crate::support::{append, documents, payload, put, snapshot, succeeded};

pub(crate) async fn everything_survives_a_restart<B: Backend>() {
    let mut backend = B::create();
    write_some_of_everything(&backend).await;
    let (id, before) = (backend.log().id().to_owned(), snapshot(backend.log()).await);
    backend.reopen();
    assert_eq!(snapshot(backend.log()).await, before);
    assert_eq!(backend.log().id(), id);
    // And it goes on from there.
    assert_eq!(append(backend.log(), 1).await[0].uid, 6);
    backend.log().start(&[6]).await.unwrap();
    assert_eq!(backend.log().task(6).await.unwrap().unwrap().batch_uid, Some(4));
}

async fn write_some_of_everything<B: Backend>(backend: &B) {
    let log = backend.log();
    append(log, 3).await;
    log.append(documents("movies", payload(log, 3, 100))).await.unwrap();
    log.append(documents("books", payload(log, 4, 100_000))).await.unwrap();
    append(log, 1).await;
    log.record_prepared((0..4).map(|uid| (uid, json!({ "uid": uid }))).collect()).await.unwrap();
    log.start(&[0, 1]).await.unwrap();
    log.start(&[3]).await.unwrap();
    let error = ResponseError::new(Code::IndexNotFound, "Index `movies` not found.");
    let failed = Finished { outcome: Outcome::Failed(error), ..succeeded(2) };
    let made = Finished {
        details: Some(json!({ "primaryKey": "id" })),
        catalog: vec![put("movies"), put("books")],
        ..succeeded(0)
    };
    log.finish(vec![made]).await.unwrap();
    log.finish(vec![failed]).await.unwrap();
    log.start(&[4]).await.unwrap();
    log.advance("a", 2, None).await.unwrap();
    log.advance("b", 5, None).await.unwrap();
    log.trim(1).await.unwrap();
    log.save_map(StoredMap { epoch: 7, bytes: Bytes::from_static(b"map") }).await.unwrap();
    log.put_record(RecordKind::Key, "k", json!({ "name": "mine" })).await.unwrap();
}
