//! Documents that a node would refuse, and deletions of tasks in their turn.

use std::collections::BTreeMap;

use miroir_log::{Log, Method, Operation, Uids};
use serde_json::{Value, json};

use crate::rig::Rig;

fn settings(settings: Value) -> Operation {
    Operation::SettingsUpdate { settings, is_deletion: false, allow_index_creation: true }
}

fn given(ids: std::ops::Range<u32>, vector: &Value) -> Vec<Value> {
    ids.map(|id| json!({ "id": id, "_vectors": { "m": vector } })).collect()
}

/// An index with an embedder `m` of two dimensions that is given its vectors, and ten documents.
async fn with_vectors(rig: &Rig) {
    let embedders = json!({ "embedders": { "m": { "source": "userProvided", "dimensions": 2 } } });
    rig.append("movies", settings(embedders)).await;
    let uid = rig.add("movies", &given(0..10, &json!([1, 2]))).await;
    rig.succeeded(uid).await;
}

fn count(rig: &Rig) -> usize {
    rig.nodes.iter().map(|node| node.documents("movies").len()).sum()
}

#[tokio::test]
async fn one_refused_document_leaves_nothing_of_its_write_anywhere() {
    let rig = Rig::start(&[3]).await;
    with_vectors(&rig).await;
    let mut documents = given(100..150, &json!([1, 2]));
    documents.extend(given(150..151, &json!([1, 2, 3])));
    let uid = rig.add("movies", &documents).await;
    let task = rig.failed(uid, "invalid_vector_dimensions").await;
    let message = task.error.expect("an error").message().to_owned();
    assert!(
        message.starts_with("Index `movies`: Invalid vector dimensions in document with id `150`"),
        "{message}"
    );
    let geo = rig.append("movies", settings(json!({ "sortableAttributes": ["_geo"] }))).await;
    let bad = rig.add("movies", &[json!({ "id": 200, "_geo": 3, "_vectors": { "m": null } })]).await;
    rig.succeeded(geo).await;
    rig.failed(bad, "invalid_document_geo_field").await;
    assert_eq!(count(&rig), 10);
}

#[tokio::test]
async fn documents_without_vectors_are_taken_where_they_are_there() {
    let rig = Rig::start(&[3]).await;
    with_vectors(&rig).await;
    let known: Vec<Value> = (0..10).map(|id| json!({ "id": id, "title": "x" })).collect();
    let update = rig.documents(&known, Method::Update, false);
    let update = rig.append("movies", update).await;
    rig.succeeded(update).await;
    let new = rig.add("movies", &[json!({ "id": 3 }), json!({ "id": 77 })]).await;
    let task = rig.failed(new, "vector_embedding_error").await;
    let message = task.error.expect("an error").message().to_owned();
    assert!(message.contains("no vectors provided for document `77`\n"), "{message}");
    // What an earlier write deletes, though no node has done it yet, is not there.
    rig.nodes.iter().for_each(|node| node.hold(true));
    rig.delete("movies", &[5]).await;
    let gone = rig.add("movies", &[json!({ "id": 5 })]).await;
    rig.nodes.iter().for_each(|node| node.hold(false));
    rig.failed(gone, "vector_embedding_error").await;
    // Documents that are not there are passed by.
    let skipping = rig.documents(&[json!({ "id": 5 }), json!({ "id": 6 })], Method::Replace, true);
    let skipping = rig.append("movies", skipping).await;
    rig.succeeded(skipping).await;
}

#[tokio::test]
async fn a_deletion_of_tasks_waits_for_those_before_it_that_it_is_about() {
    let rig = Rig::start(&[2]).await;
    let first = rig.add("movies", &[json!({ "id": 1 })]).await;
    rig.succeeded(first).await;
    rig.nodes.iter().for_each(|node| node.hold(true));
    let slow = rig.add("movies", &[json!({ "id": 2 })]).await;
    let delete = |uids: &[u32]| {
        let tasks: Uids = uids.iter().copied().collect();
        Operation::TaskDeletion { query: "?".to_owned(), tasks }
    };
    let both = rig.append_to(None, delete(&[first, slow])).await;
    let behind = rig.add("movies", &[json!({ "id": 3 })]).await;
    rig.until("what comes behind it is decided", || rig.progress().decided() > behind).await;
    assert!(rig.log().task(first).await.expect("read").is_some());
    let one = rig.append_to(None, delete(&[first])).await;
    rig.over(one).await;
    assert!(rig.log().task(first).await.expect("read").is_none(), "it waits for nothing");
    rig.nodes.iter().for_each(|node| node.hold(false));
    rig.succeeded(both).await;
    assert!(rig.log().task(slow).await.expect("read").is_none());
    rig.succeeded(behind).await;
}

#[tokio::test]
async fn a_function_that_fails_on_one_document_changes_none_anywhere() {
    let rig = Rig::start(&[3, 2]).await;
    let documents: Vec<Value> = (0..30).map(|id| json!({ "id": id, "n": 0, "a": id % 2 })).collect();
    rig.add("movies", &documents).await;
    let stubborn = rig.add("movies", &[json!({ "id": 30, "n": 0, "a": 0, "stubborn": true })]).await;
    rig.applied_everywhere(stubborn).await;
    let edit = |filter: Option<&str>| Operation::DocumentEdition {
        function: "doc.n += 1".to_owned(),
        context: None,
        filter: filter.map(Value::from),
    };
    let failed = rig.append("movies", edit(None)).await;
    let task = rig.failed(failed, "invalid_document").await;
    assert_eq!(task.details.expect("details")["editedDocuments"], 0);
    let edited = |node: &crate::fake::FakeNode| {
        node.documents("movies").values().filter(|document| document["n"] != 0).count()
    };
    assert_eq!(rig.nodes.iter().map(edited).sum::<usize>(), 0);
    // It is not about the document that it would fail on.
    let succeeded = rig.append("movies", edit(Some("a = 1"))).await;
    assert_eq!(rig.succeeded(succeeded).await.details.expect("details")["editedDocuments"], 15);
    rig.applied_everywhere(succeeded).await;
    assert_eq!(rig.nodes.iter().map(edited).sum::<usize>(), 2 * 15);
}

/// By id the document, of all nodes of a group together.
pub(crate) fn held_by(rig: &Rig, group: &str) -> BTreeMap<String, Value> {
    held_of("movies", rig, group)
}

fn held_of(index: &str, rig: &Rig, group: &str) -> BTreeMap<String, Value> {
    let nodes = rig.nodes.iter().filter(|node| node.name.starts_with(group));
    nodes.flat_map(|node| node.documents(index)).map(|(id, document)| (id, document.into())).collect()
}

fn numbered(ids: std::ops::Range<u32>, n: u32) -> Vec<Value> {
    ids.map(|id| json!({ "id": id, "n": n })).collect()
}

/// Writes documents, and then some of them again with one that the nodes refuse that are to have it. Gives that task.
async fn fails_in_part(rig: &Rig) -> u32 {
    rig.add("movies", &numbered(0..60, 0)).await;
    let mut second = numbered(30..90, 5);
    second.push(json!({ "id": 90, "bad": true }));
    let failed = rig.add("movies", &second).await;
    rig.failed(failed, "invalid_document_geo_field").await;
    failed
}

/// In each group another part of the write fails: what is left of it is the same in the end, once the gateway has been
/// started again and `meanwhile` has happened.
async fn copies_become_equal_after_a_failure(meanwhile: impl FnOnce(&Rig)) {
    let mut rig = Rig::start_moving(&[2, 3]).await;
    let failed = fails_in_part(&rig).await;
    meanwhile(&rig);
    // What is to be done is not forgotten.
    rig.restart().await;
    rig.applied_everywhere(failed).await;
    rig.until("copies are equal", || held_by(&rig, "g0") == held_by(&rig, "g1")).await;
    let left = held_by(&rig, "g0");
    assert!(!left.contains_key("90") && (0..60).all(|id| left.contains_key(&id.to_string())));
    assert!(left.values().any(|document| document["n"] == 5), "both parts did not fail as a whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_do_not_differ_after_a_write_that_some_nodes_failed() {
    copies_become_equal_after_a_failure(|_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_copies_equal_is_sent_again_where_it_was_lost() {
    copies_become_equal_after_a_failure(|rig| rig.nodes.iter().for_each(|node| node.drop_before(2))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_do_not_differ_after_a_failed_write_though_the_index_has_got_another_name() {
    let mut rig = Rig::start(&[2, 3]).await;
    fails_in_part(&rig).await;
    let rename = Operation::IndexUpdate { primary_key: None, new_uid: Some("films".to_owned()) };
    let renamed = rig.append("movies", rename).await;
    rig.succeeded(renamed).await;
    // Another one has its name now.
    let last = rig.add("movies", &numbered(0..5, 1)).await;
    rig.succeeded(last).await;
    rig.applied_everywhere(last).await;
    let held = |rig: &Rig, group| held_of("films", rig, group);
    assert_ne!(held(&rig, "g0"), held(&rig, "g1"));
    rig.start_to_move().await;
    rig.until("copies are equal", || held(&rig, "g0") == held(&rig, "g1")).await;
    assert_eq!(held_by(&rig, "g0").len(), 5);
}

/// Reads have given up on a node, and nothing has come from it since.
async fn falls_silent(rig: &Rig, node: &str) {
    let client = rig.client(node).expect("a node");
    (0..2).for_each(|_| _ = client.health().failed());
}

#[tokio::test]
async fn a_node_that_hangs_while_others_wait_for_what_it_says_is_given_up_once_that_is_known() {
    let rig = Rig::start(&[2, 2]).await;
    with_vectors(&rig).await;
    rig.node("g0n0").set_hanging(true);
    let edit = Operation::DocumentEdition { function: "doc.n = 1".to_owned(), context: None, filter: None };
    let edited = rig.append("movies", edit).await;
    rig.until("it is asked to try the function out", || rig.node("g0n0").has_left_unanswered()).await;
    falls_silent(&rig, "g0n0").await;
    rig.succeeded(edited).await;
    rig.node("g0n0").set_hanging(false);
    rig.applied_everywhere(edited).await;

    // The same while it is asked which documents it has.
    rig.node("g0n0").set_hanging(true);
    let known: Vec<Value> = (0..10).map(|id| json!({ "id": id, "title": "x" })).collect();
    let asked = std::time::Instant::now();
    let update = rig.append("movies", rig.documents(&known, Method::Update, false)).await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    falls_silent(&rig, "g0n0").await;
    rig.succeeded(update).await;
    let next = rig.append("movies", rig.documents(&known, Method::Update, false)).await;
    rig.succeeded(next).await;
    assert!(
        asked.elapsed() < std::time::Duration::from_secs(4),
        "no question was waited for: {:?}",
        asked.elapsed()
    );
}
