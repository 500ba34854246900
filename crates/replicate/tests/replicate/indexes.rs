//! Indexes and settings.

use miroir_log::{Log, Method, Operation};
use miroir_protocol::tasks::{Swap, TaskStatus};
use serde_json::json;

use crate::{
    fake::{FakeNode, Op},
    rig::Rig,
};

fn create(primary_key: Option<&str>) -> Operation {
    Operation::IndexCreation { primary_key: primary_key.map(str::to_owned) }
}

fn settings(settings: serde_json::Value, is_deletion: bool) -> Operation {
    Operation::SettingsUpdate { settings, is_deletion, allow_index_creation: true }
}

#[tokio::test]
async fn an_index_is_on_every_node_before_its_documents_with_physical_settings() {
    let rig = Rig::start(&[3]).await;
    let uid = rig.add("movies", &[json!({"id": 1})]).await;
    rig.succeeded(uid).await;
    for node in &rig.nodes {
        let index = node.index("movies").expect("the index");
        assert_eq!(index.primary_key.as_deref(), Some("id"));
        assert_eq!(index.settings["filterableAttributes"], json!(["_miroir.s"]));
        assert!(!index.was_guessed);
    }
    let record = rig.log().catalog().index("movies").cloned().expect("clients see it");
    assert_eq!((record.primary_key.as_deref(), record.settings), (Some("id"), json!({})));
}

#[tokio::test]
async fn what_has_no_documents_is_no_more_tasks_for_a_node_than_it_takes() {
    let rig = Rig::start(&[1]).await;
    rig.append("books", create(None)).await;
    rig.append("movies", create(Some("id"))).await;
    rig.append("movies", settings(json!({"stopWords": ["the"]}), false)).await;
    let rename =
        Operation::IndexUpdate { primary_key: Some("isbn".to_owned()), new_uid: Some("films".to_owned()) };
    rig.append("movies", rename).await;
    let last = rig.append("films", Operation::IndexDeletion).await;
    rig.succeeded(last).await;
    let done = rig.node("g0n0").done();
    let kinds = done.iter().map(|(_, op)| match op {
        Op::Create { .. } => "create",
        Op::Settings(_) => "settings",
        Op::Update { .. } => "update",
        Op::Delete => "delete",
        _ => "other",
    });
    let expected = ["settings", "create", "settings", "settings", "update", "delete"];
    assert_eq!(kinds.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn settings_on_their_way_at_a_crash_may_come_again_and_nothing_before_or_behind_them_does() {
    let mut rig = Rig::start(&[1]).await;
    rig.add("movies", &[json!({"id": 1})]).await;
    let before = rig.append("movies", settings(json!({"stopWords": ["a"]}), false)).await;
    rig.succeeded(before).await;
    rig.node("g0n0").hold(true);
    rig.append("movies", settings(json!({"stopWords": ["b"]}), false)).await;
    let last = rig.append("movies", settings(json!({"stopWords": ["c"]}), false)).await;
    rig.until("the first is sent", || rig.node("g0n0").waiting() > 0).await;
    rig.restart().await;
    rig.node("g0n0").hold(false);
    rig.succeeded(last).await;
    let done = rig.node("g0n0").done();
    let words = done.iter().filter_map(|(_, op)| match op {
        Op::Settings(settings) => settings["stopWords"][0].as_str(),
        _ => None,
    });
    assert_eq!(words.collect::<Vec<_>>(), ["a", "b", "b", "c"]);
}

#[tokio::test]
async fn settings_reach_nodes_as_physical_ones_and_clients_as_their_own() {
    let rig = Rig::start(&[2]).await;
    rig.append("movies", create(Some("id"))).await;
    let wanted = json!({
        "filterableAttributes": ["genre"], "displayedAttributes": ["title"],
        "faceting": {"maxValuesPerFacet": 3}, "stopWords": ["the"],
    });
    let uid = rig.append("movies", settings(wanted, false)).await;
    rig.succeeded(uid).await;
    for node in &rig.nodes {
        let physical = node.index("movies").expect("the index").settings;
        assert_eq!(physical["filterableAttributes"], json!(["genre", "_miroir.s"]));
        assert_eq!(physical["stopWords"], json!(["the"]));
        assert!(!physical.contains_key("displayedAttributes"));
        assert!(physical["faceting"]["maxValuesPerFacet"].as_u64() > Some(3));
    }
    let logical = rig.log().catalog().index("movies").expect("the index").settings.clone();
    assert_eq!(logical["filterableAttributes"], json!(["genre"]));
    assert_eq!(logical["displayedAttributes"], json!(["title"]));

    let reset = json!({"filterableAttributes": null, "stopWords": null});
    let uid = rig.append("movies", settings(reset, true)).await;
    rig.succeeded(uid).await;
    let physical = rig.nodes[0].index("movies").expect("the index").settings;
    assert_eq!(physical["filterableAttributes"], json!(["_miroir.s"]));
    assert!(!physical.contains_key("stopWords"));
}

#[tokio::test]
async fn settings_that_only_nodes_find_wrong_fail_and_change_nothing() {
    let mut rig = Rig::start(&[2, 1]).await;
    rig.append("movies", create(None)).await;
    let uid = rig.append("movies", settings(json!({"synonyms": "bad"}), false)).await;
    rig.failed(uid, "invalid_settings_synonyms").await;
    assert_eq!(rig.log().catalog().index("movies").expect("the index").settings, json!({}));
    rig.restart().await;
    rig.failed(uid, "invalid_settings_synonyms").await;
}

#[tokio::test]
async fn an_index_deleted_and_created_again_while_a_node_is_down_is_the_new_one_there_too() {
    let rig = Rig::start(&[2, 1]).await;
    rig.add("movies", &[json!({"id": 1}), json!({"id": 2}), json!({"id": 3})]).await;
    let uid = rig.append("movies", settings(json!({"stopWords": ["the"]}), false)).await;
    rig.applied_everywhere(uid).await;
    rig.node("g1n0").set_down(true);
    rig.append("movies", Operation::IndexDeletion).await;
    let gone = rig.append("movies", settings(json!({}), false)).await;
    rig.append("movies", Operation::IndexDeletion).await;
    rig.append("movies", create(Some("isbn"))).await;
    let documents = rig.documents(&[json!({"id": 9, "isbn": 77})], miroir_log::Method::Replace, false);
    let Operation::DocumentAdditionOrUpdate { payload, .. } = documents else { panic!("documents") };
    let documents = Operation::DocumentAdditionOrUpdate {
        method: miroir_log::Method::Replace,
        primary_key: None,
        payload,
        allow_index_creation: true,
        skip_creation: false,
    };
    let last = rig.append("movies", documents).await;
    assert_eq!(rig.finished(gone).await.status, TaskStatus::Succeeded, "the other group goes on");
    rig.succeeded(last).await;
    assert_eq!(rig.node("g1n0").documents("movies").len(), 3, "it is down");
    assert!(!rig.progress().is_fresh("g1n0", "movies"));
    rig.node("g1n0").set_down(false);
    rig.applied_everywhere(last).await;
    let index = rig.node("g1n0").index("movies").expect("the new one");
    assert_eq!(index.primary_key.as_deref(), Some("isbn"));
    assert_eq!(index.documents.keys().collect::<Vec<_>>(), ["77"]);
    assert!(!index.settings.contains_key("stopWords") && !index.was_guessed);
    assert!(rig.progress().is_fresh("g1n0", "movies"));
}

#[tokio::test]
async fn a_renamed_index_keeps_its_documents() {
    let rig = Rig::start(&[2]).await;
    rig.add("movies", &[json!({"id": 1}), json!({"id": 2})]).await;
    let rename = Operation::IndexUpdate { primary_key: None, new_uid: Some("films".to_owned()) };
    rig.append("movies", rename).await;
    let last = rig.add("films", &[json!({"id": 3})]).await;
    rig.succeeded(last).await;
    let count: usize = rig.nodes.iter().map(|node| node.documents("films").len()).sum();
    assert_eq!(count, 3);
    assert!(rig.nodes.iter().all(|node| node.indexes() == ["films"]));
    assert_eq!(rig.log().catalog().indexes.keys().collect::<Vec<_>>(), ["films"]);
}

#[tokio::test]
async fn writes_to_an_index_that_is_not_there_fail_without_asking_a_node() {
    let rig = Rig::start(&[2]).await;
    rig.nodes.iter().for_each(|node| node.set_down(true));
    let deletion = rig.delete("movies", &[1]).await;
    rig.failed(deletion, "index_not_found").await;
    let deletion = rig.append("movies", Operation::IndexDeletion).await;
    rig.failed(deletion, "index_not_found").await;
}

#[tokio::test]
async fn refused_documents_still_create_their_index() {
    let rig = Rig::start(&[2]).await;
    let refused = rig.add("movies", &[json!({"id": 1}), json!({"title": "no id"})]).await;
    rig.failed(refused, "missing_document_id").await;
    let record = rig.log().catalog().index("movies").cloned().expect("an empty index");
    assert_eq!(record.primary_key, None);
    assert!(
        rig.nodes.iter().all(|node| node.index("movies").is_some_and(|index| index.documents.is_empty()))
    );
    let next = rig.add("movies", &[json!({"id": 1})]).await;
    rig.succeeded(next).await;
    assert!(rig.nodes.iter().all(|node| node.index("movies").is_some_and(|index| !index.was_guessed)));
}

#[tokio::test]
async fn the_primary_key_changes_while_an_index_is_empty_and_a_lagging_group_delays_it_not() {
    let rig = Rig::start(&[2, 1]).await;
    let uid = rig.append("movies", create(Some("isbn"))).await;
    rig.applied_everywhere(uid).await;
    rig.node("g1n0").set_down(true);
    let change = |key: &str| Operation::IndexUpdate { primary_key: Some(key.to_owned()), new_uid: None };
    let uid = rig.append("movies", change("id")).await;
    rig.succeeded(uid).await;
    let uid = rig.add("movies", &[json!({"id": 1})]).await;
    rig.succeeded(uid).await;
    let uid = rig.append("movies", change("isbn")).await;
    rig.failed(uid, "index_primary_key_already_exists").await;
    rig.node("g1n0").set_down(false);
    rig.applied_everywhere(uid).await;
    assert_eq!(rig.node("g1n0").index("movies").expect("the index").primary_key.as_deref(), Some("id"));
}

#[tokio::test]
async fn a_write_without_documents_may_name_another_primary_key() {
    let rig = Rig::start(&[2]).await;
    rig.add("movies", &[json!({"id": 1})]).await;
    let named = |documents: &[serde_json::Value]| {
        let mut operation = rig.documents(documents, Method::Replace, false);
        if let Operation::DocumentAdditionOrUpdate { primary_key, .. } = &mut operation {
            *primary_key = Some("isbn".to_owned());
        }
        operation
    };
    let nothing = rig.append("movies", named(&[])).await;
    rig.succeeded(nothing).await;
    let something = rig.append("movies", named(&[json!({"isbn": 1})])).await;
    rig.failed(something, "index_primary_key_already_exists").await;
}

fn swap(left: &str, right: &str, rename: bool) -> Operation {
    let indexes = (left.to_owned(), right.to_owned());
    Operation::IndexSwap { swaps: vec![Swap { indexes, rename }] }
}

#[tokio::test]
async fn swapped_indexes_take_their_tasks_along_and_a_swap_is_not_done_twice() {
    let mut rig = Rig::start(&[2]).await;
    rig.add("movies", &[json!({ "id": 1 })]).await;
    let books = rig.add("books", &[json!({ "id": 2 }), json!({ "id": 3 })]).await;
    rig.succeeded(books).await;
    for node in &rig.nodes {
        // The answers to the swap are lost, and the gateway with them.
        node.hold(true);
    }
    let uid = rig.append_to(None, swap("movies", "books", false)).await;
    rig.until("the swap is sent", || rig.nodes.iter().all(|node| node.has_swaps(1))).await;
    rig.restart().await;
    for node in &rig.nodes {
        node.hold(false);
    }
    rig.succeeded(uid).await;
    rig.applied_everywhere(uid).await;
    assert!(rig.nodes.iter().all(|node| node.has_swaps(1)), "sent once");
    let documents = |uid: &str| rig.nodes.iter().map(|node| node.documents(uid).len()).sum::<usize>();
    assert_eq!((documents("movies"), documents("books")), (2, 1));
    assert_eq!(rig.task(books).await.index_uid.as_deref(), Some("movies"));
    let missing = rig.append_to(None, swap("movies", "ghosts", false)).await;
    rig.failed(missing, "index_not_found").await;
}

#[tokio::test]
async fn what_no_node_was_sent_is_canceled_and_what_comes_after_it_knows() {
    let rig = Rig::start(&[2]).await;
    rig.nodes.iter().for_each(|node| node.set_down(true));
    // The first may be sent at once; nodes that are down do not say that they were not.
    let first = rig.add("movies", &[json!({ "id": 1 })]).await;
    let creates = rig.add("books", &[json!({ "id": 2 })]).await;
    let adds = rig.add("books", &[json!({ "id": 3 })]).await;
    rig.until("decided", || rig.progress().decided() > adds).await;
    let tasks = [first, creates].into_iter().collect();
    let by = rig.append_to(None, Operation::TaskCancelation { query: "?uids=0,1".to_owned(), tasks }).await;
    rig.over(by).await;
    assert_eq!(rig.task(creates).await.status, TaskStatus::Canceled);
    rig.nodes.iter().for_each(|node| node.set_down(false));
    rig.succeeded(adds).await;
    rig.applied_everywhere(adds).await;
    let documents = |uid: &str| rig.nodes.iter().map(|node| node.documents(uid).len()).sum::<usize>();
    assert_eq!(documents("books"), 1, "the index was created by the one that was left");
    let sent = usize::from(rig.task(first).await.status == TaskStatus::Succeeded);
    assert_eq!(documents("movies"), sent);
}

#[tokio::test]
async fn a_swap_or_an_edition_that_a_node_was_stopped_in_is_done_once() {
    let rig = Rig::start(&[2]).await;
    rig.add("movies", &[json!({ "id": 1, "n": 0 }), json!({ "id": 2, "n": 0 })]).await;
    let books = rig.add("books", &[json!({ "id": 3 })]).await;
    rig.succeeded(books).await;
    rig.node("g0n0").stop_between_commits();
    let uid = rig.append_to(None, swap("movies", "books", false)).await;
    rig.succeeded(uid).await;
    let documents = |uid: &str| rig.nodes.iter().map(|node| node.documents(uid).len()).sum::<usize>();
    assert_eq!((documents("movies"), documents("books")), (1, 2));
    assert!(rig.node("g0n0").has_swaps(2) && rig.node("g0n1").has_swaps(1), "one was sent again");
    rig.node("g0n1").stop_between_commits();
    let function = "doc.n += 1".to_owned();
    let edition = Operation::DocumentEdition { function, context: None, filter: None };
    rig.succeeded(rig.append_to(Some("books"), edition).await).await;
    let edited = |node: &FakeNode| node.documents("books").values().all(|document| document["n"] == 1);
    assert!(rig.nodes.iter().all(edited));
}
