//! The task queue: order, batches, errors, cancelation, restarts.

use crate::common::{TestNode, films};
use hyper::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn write_is_accepted_first_and_done_later() {
    let node = TestNode::start().await;
    let (status, accepted) = node.post("/indexes", json!({ "uid": "films", "primaryKey": "id" })).await;
    assert_eq!(status, 202);
    assert_eq!((&accepted["taskUid"], &accepted["status"]), (&json!(0), &json!("enqueued")));
    assert_eq!(accepted["type"], "indexCreation");
    let task = node.finished(0).await;
    assert_eq!((&task["status"], &task["error"]), (&json!("succeeded"), &Value::Null));
    assert_eq!(task["details"], json!({ "primaryKey": "id" }));
    let (_, index) = node.get("/indexes/films").await;
    assert_eq!((&index["uid"], &index["primaryKey"]), (&json!("films"), &json!("id")));
}

#[tokio::test]
async fn waiting_additions_to_one_index_are_one_batch() {
    let node = TestNode::start().await;
    // While the first payload is being indexed, the others queue up.
    let first: Vec<_> =
        (0..2_000).map(|id| json!({ "id": id, "text": format!("text number {id}") })).collect();
    let mut uids = vec![node.enqueue(Method::POST, "/indexes/a/documents", first.into()).await];
    for id in 0..10 {
        let body = json!([{ "id": id, "extra": true }]);
        uids.push(node.enqueue(Method::PUT, "/indexes/a/documents", body).await);
    }
    let other = node.enqueue(Method::POST, "/indexes/b/documents", films()).await;
    let mut batches = Vec::new();
    for uid in &uids {
        let task = node.finished(*uid).await;
        assert_eq!(task["status"], "succeeded", "{task}");
        batches.push(task["batchUid"].as_u64().expect("a batch"));
    }
    batches.dedup();
    assert!(batches.len() <= 3, "11 tasks took batches {batches:?}");
    assert!(!batches.contains(&node.finished(other).await["batchUid"].as_u64().expect("a batch")));
    let (_, document) = node.get("/indexes/a/documents/3").await;
    assert_eq!(document, json!({ "id": 3, "text": "text number 3", "extra": true }));
    let (status, batch) = node.get(&format!("/batches/{}", batches[batches.len() - 1])).await;
    assert_eq!((status, &batch["stats"]["status"]["failed"]), (200, &Value::Null));
}

#[tokio::test]
async fn bad_payload_fails_its_own_task_only() {
    let node = TestNode::start().await;
    node.done(Method::POST, "/indexes", json!({ "uid": "films", "primaryKey": "id" })).await;
    let bodies =
        [json!([{ "id": 1 }]), json!([{ "title": "no id" }]), json!([{ "id": "a b" }]), json!([{ "id": 2 }])];
    let mut uids = Vec::new();
    for body in bodies {
        uids.push(node.enqueue(Method::POST, "/indexes/films/documents", body).await);
    }
    let mut codes = Vec::new();
    for uid in uids {
        codes.push(node.finished(uid).await["error"]["code"].clone());
    }
    let expected = [Value::Null, json!("missing_document_id"), json!("invalid_document_id"), Value::Null];
    assert_eq!(codes, expected);
    let (_, stats) = node.get("/indexes/films/stats").await;
    assert_eq!(stats["numberOfDocuments"], 2);
}

#[tokio::test]
async fn bad_document_spoils_no_other_task_of_its_batch() {
    let node = TestNode::start().await;
    node.done(Method::PATCH, "/indexes/places/settings", json!({ "filterableAttributes": ["_geo"] })).await;
    let mut uids = Vec::new();
    // The engine finds the bad place only while it indexes, when the tasks of a batch cannot be told apart.
    for (id, lat) in [(1, json!(1.0)), (2, json!("north")), (3, json!(3.0))] {
        let body = json!([{ "id": id, "_geo": { "lat": lat, "lng": 1.0 } }]);
        uids.push(node.enqueue(Method::POST, "/indexes/places/documents", body).await);
    }
    let mut codes = Vec::new();
    for uid in uids {
        codes.push(node.finished(uid).await["error"]["code"].clone());
    }
    assert_eq!(codes, [Value::Null, json!("invalid_document_geo_field"), Value::Null]);
}

#[tokio::test]
async fn task_carries_its_metadata() {
    let node = TestNode::start().await;
    for (method, path, body) in [
        (Method::POST, "/indexes/films/documents?customMetadata=miroir%3Ax%3A7", films()),
        (Method::PATCH, "/indexes/films/settings?customMetadata=miroir%3Ax%3A7", json!({})),
        (Method::DELETE, "/indexes/films?customMetadata=miroir%3Ax%3A7", Value::Null),
    ] {
        let task = node.done(method, path, body).await;
        assert_eq!(task["customMetadata"], "miroir:x:7", "{path}");
    }
}

#[tokio::test]
async fn tasks_are_listed_by_what_they_are() {
    let node = TestNode::start().await;
    node.done(Method::POST, "/indexes", json!({ "uid": "a" })).await;
    node.write(Method::POST, "/indexes", json!({ "uid": "a" })).await;
    node.done(Method::POST, "/indexes", json!({ "uid": "b" })).await;
    let uids = |answer: Value| -> Vec<u64> {
        let results = answer["results"].as_array().expect("results").clone();
        results.iter().filter_map(|task| task["uid"].as_u64()).collect()
    };
    assert_eq!(uids(node.get("/tasks").await.1), [2, 1, 0]);
    assert_eq!(uids(node.get("/tasks?statuses=failed").await.1), [1]);
    assert_eq!(uids(node.get("/tasks?indexUids=a&reverse=true").await.1), [0, 1]);
    let (_, page) = node.get("/tasks?limit=1&from=1").await;
    assert_eq!((&page["total"], &page["from"], &page["next"]), (&json!(3), &json!(1), &json!(0)));
    assert_eq!(node.get("/tasks/99").await.0, 404);
}

#[tokio::test]
async fn waiting_task_can_be_canceled_and_then_deleted() {
    let node = TestNode::start().await;
    let many: Vec<_> =
        (0..3_000).map(|id| json!({ "id": id, "text": format!("text number {id}") })).collect();
    node.enqueue(Method::POST, "/indexes/a/documents", many.into()).await;
    let waiting = node.enqueue(Method::PATCH, "/indexes/a/settings", json!({ "stopWords": ["a"] })).await;
    let (status, cancelation) = node.post(&format!("/tasks/cancel?uids={waiting}"), Value::Null).await;
    assert_eq!(status, 200);
    let cancelation = node.finished(cancelation["taskUid"].as_u64().expect("a uid")).await;
    let task = node.finished(waiting).await;
    assert_eq!((&task["status"], &task["canceledBy"]), (&json!("canceled"), &cancelation["uid"]));
    let (_, deletion) =
        node.send(Method::DELETE, &format!("/tasks?uids={waiting}"), "application/json", "").await;
    let deletion = node.finished(deletion["taskUid"].as_u64().expect("a uid")).await;
    assert_eq!(deletion["details"]["deletedTasks"], 1);
    assert_eq!(node.get(&format!("/tasks/{waiting}")).await.0, 404);
}

#[tokio::test]
async fn queue_and_finished_tasks_survive_a_restart() {
    let node = TestNode::start().await;
    let many: Vec<_> =
        (0..3_000).map(|id| json!({ "id": id, "text": format!("text number {id}") })).collect();
    let first = node.enqueue(Method::POST, "/indexes/a/documents", many.into()).await;
    let second = node.enqueue(Method::PATCH, "/indexes/a/settings", json!({ "stopWords": ["text"] })).await;
    let third = node.enqueue(Method::DELETE, "/indexes/a/documents/7", Value::Null).await;
    let node = node.restart().await;
    for uid in [first, second, third] {
        let task = node.finished(uid).await;
        assert_eq!(task["status"], "succeeded", "{task}");
    }
    let node = node.restart().await;
    assert_eq!(node.get(&format!("/tasks/{first}")).await.1["details"]["indexedDocuments"], 3_000);
    assert_eq!(node.get("/indexes/a/stats").await.1["numberOfDocuments"], 2_999);
    assert_eq!(node.get("/indexes/a/settings/stop-words").await.1, json!(["text"]));
    let next = node.enqueue(Method::DELETE, "/indexes/a", Value::Null).await;
    assert_eq!(next, third + 1);
}

#[tokio::test]
async fn indexes_are_renamed_swapped_and_deleted() {
    let node = TestNode::start().await;
    node.done(Method::POST, "/indexes/a/documents", json!([{ "id": 1 }])).await;
    node.done(Method::POST, "/indexes/b/documents", json!([{ "id": 2 }])).await;
    node.done(Method::POST, "/swap-indexes", json!([{ "indexes": ["a", "b"] }])).await;
    assert_eq!(node.get("/indexes/a/documents/2").await.0, 200);
    node.done(Method::PATCH, "/indexes/a", json!({ "uid": "c" })).await;
    let taken = node.write(Method::PATCH, "/indexes/b", json!({ "uid": "c" })).await;
    assert_eq!(taken["error"]["code"], "index_already_exists");
    let node = node.restart().await;
    assert_eq!(node.get("/indexes/a").await.0, 404);
    assert_eq!(node.get("/indexes/c/documents/2").await.0, 200);
    let deletion = node.done(Method::DELETE, "/indexes/c", Value::Null).await;
    assert_eq!(deletion["details"], json!({ "deletedDocuments": 1 }));
    assert_eq!(node.get("/indexes").await.1["total"], 1);
    node.done(Method::POST, "/indexes", json!({ "uid": "c" })).await;
    assert_eq!(node.get("/indexes/c/stats").await.1["numberOfDocuments"], 0);
}
