//! Documents: added in all formats, read, deleted.

use crate::common::{TestNode, node_with_films};
use hyper::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn documents_come_in_three_formats() {
    let node = TestNode::start().await;
    let bodies = [
        ("application/json", r#"[{"id":1,"n":1.5}]"#),
        ("application/x-ndjson", "{\"id\":2,\"n\":1.5}\n"),
        ("text/csv", "id:number,n:number,s\n3,1.5,\"a, b\"\n"),
    ];
    for (content_type, body) in bodies {
        let (status, task) = node.send(Method::POST, "/indexes/a/documents", content_type, body).await;
        assert_eq!(status, 202, "{task}");
        let task = node.finished(task["taskUid"].as_u64().expect("a uid")).await;
        assert_eq!(task["details"], json!({ "receivedDocuments": 1, "indexedDocuments": 1 }), "{task}");
    }
    let (_, document) = node.get("/indexes/a/documents/3").await;
    assert_eq!(document, json!({ "id": 3, "n": 1.5, "s": "a, b" }));
}

#[tokio::test]
async fn replacing_drops_fields_and_updating_keeps_them() {
    let node = node_with_films().await;
    node.done(Method::POST, "/indexes/films/documents", json!([{ "id": 1, "title": "Replaced" }])).await;
    assert_eq!(node.get("/indexes/films/documents/1").await.1, json!({ "id": 1, "title": "Replaced" }));
    node.done(Method::PUT, "/indexes/films/documents", json!([{ "id": 2, "seen": true }])).await;
    let (_, updated) = node.get("/indexes/films/documents/2").await;
    assert_eq!((&updated["title"], &updated["seen"]), (&json!("Star Trek"), &json!(true)));
}

#[tokio::test]
async fn skipped_creation_changes_only_what_is_there() {
    let node = node_with_films().await;
    let body = json!([{ "id": 1, "seen": true }, { "id": 100, "seen": true }]);
    let task = node.done(Method::PUT, "/indexes/films/documents?skipCreation=true", body).await;
    assert_eq!(task["details"], json!({ "receivedDocuments": 2, "indexedDocuments": 1 }));
    assert_eq!(node.get("/indexes/films/documents/100").await.0, 404);
    assert_eq!(node.get("/indexes/films/documents/1").await.1["seen"], json!(true));
}

#[tokio::test]
async fn refused_payload_makes_no_task() {
    let node = TestNode::start().await;
    let (status, error) = node.send(Method::POST, "/indexes/a/documents", "application/json", "[{]").await;
    assert_eq!((status, &error["code"]), (400, &json!("malformed_payload")));
    let (status, error) = node.send(Method::POST, "/indexes/a/documents", "text/plain", "x").await;
    assert_eq!((status, &error["code"]), (415, &json!("invalid_content_type")));
    assert_eq!(node.get("/tasks").await.1["total"], 0);
    assert_eq!(node.get("/indexes/a").await.0, 404);
}

#[tokio::test]
async fn listing_pages_selects_and_filters() {
    let node = node_with_films().await;
    let (_, page) = node.get("/indexes/films/documents?offset=1&limit=2&fields=id").await;
    let expected = json!({ "results": [{ "id": 2 }, { "id": 3 }], "offset": 1, "limit": 2, "total": 5 });
    assert_eq!(page, expected);
    let fetch = json!({ "filter": "genre = Drama", "fields": ["id"] });
    let (_, found) = node.post("/indexes/films/documents/fetch", fetch).await;
    assert_eq!(found["results"], json!([{ "id": 4 }, { "id": 5 }]));
    let (_, found) =
        node.post("/indexes/films/documents/fetch", json!({ "ids": [5, "1", 77], "fields": ["id"] })).await;
    assert_eq!((&found["results"], &found["total"]), (&json!([{ "id": 1 }, { "id": 5 }]), &json!(2)));
    let (status, error) = node.post("/indexes/films/documents/fetch", json!({ "filter": "nope = 1" })).await;
    assert_eq!((status, &error["code"]), (400, &json!("invalid_document_filter")));
}

#[tokio::test]
async fn listing_sorts_with_missing_values_last() {
    let node = node_with_films().await;
    let order = |sort: Value| {
        let client = node.client.clone();
        async move {
            let query = json!({ "sort": sort, "fields": ["id"] });
            let (status, found) = client.post("/indexes/films/documents/fetch", query).await;
            assert_eq!(status, 200, "{found}");
            let results = found["results"].as_array().expect("results").clone();
            results.iter().filter_map(|film| film["id"].as_u64()).collect::<Vec<_>>()
        }
    };
    assert_eq!(order(json!(["year:asc"])).await, [4, 5, 1, 2, 3]);
    assert_eq!(order(json!(["year:desc"])).await, [3, 2, 1, 5, 4]);
    assert_eq!(order(json!(["director:desc"])).await, [2, 3, 1, 4, 5]);
    let (status, error) = node.post("/indexes/films/documents/fetch", json!({ "sort": ["nope:asc"] })).await;
    assert_eq!((status, &error["code"]), (400, &json!("invalid_document_sort")));
}

#[tokio::test]
async fn documents_are_deleted_by_id_list_filter_and_all() {
    let node = node_with_films().await;
    let task = node.done(Method::DELETE, "/indexes/films/documents/1", Value::Null).await;
    let expected = json!({ "providedIds": 1, "deletedDocuments": 1, "originalFilter": null });
    assert_eq!(task["details"], expected);
    let task = node.done(Method::POST, "/indexes/films/documents/delete-batch", json!(["2", 2, 77])).await;
    assert_eq!(task["details"]["deletedDocuments"], 1);
    let filter = json!({ "filter": "genre = Drama" });
    let task = node.done(Method::POST, "/indexes/films/documents/delete", filter).await;
    assert_eq!(task["details"]["deletedDocuments"], 2);
    let bad =
        node.write(Method::POST, "/indexes/films/documents/delete", json!({ "filter": "nope = 1" })).await;
    assert_eq!(bad["error"]["code"], "invalid_document_filter");
    let task = node.done(Method::DELETE, "/indexes/films/documents", Value::Null).await;
    assert_eq!(task["details"], json!({ "deletedDocuments": 1 }));
    assert_eq!(node.get("/indexes/films/stats").await.1["numberOfDocuments"], 0);
}

#[tokio::test]
async fn internal_field_is_stored_filtered_on_and_never_searched() {
    let node = TestNode::start().await;
    node.done(Method::PATCH, "/indexes/a/settings", json!({ "filterableAttributes": ["_miroir.s"] })).await;
    let body = json!([
        { "id": 1, "title": "one", "_miroir": { "s": [";:", ",!"], "n": "::" } },
        { "id": 2, "title": "two", "_miroir": { "s": ["::", ";;"], "n": ":;" } },
    ]);
    node.done(Method::POST, "/indexes/a/documents", body).await;
    let query = json!({ "filter": "_miroir.s IN [\";:\"]" });
    assert_eq!(node.search("a", query, "id").await, [json!(1)]);
    let stored =
        node.search("a", json!({ "q": "two", "attributesToRetrieve": ["_miroir"] }), "_miroir").await;
    assert_eq!(stored, [json!({ "s": ["::", ";;"], "n": ":;" })]);
    assert!(node.search("a", json!({ "q": "\";;\"" }), "id").await.len() != 1);
}
