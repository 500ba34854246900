//! What arrives where.

use miroir_log::{Log, Method, Operation, Selection};
use serde_json::{Value, json};

use crate::{fake::Op, rig::Rig};

fn movies(ids: impl IntoIterator<Item = u32>, title: &str) -> Vec<Value> {
    ids.into_iter().map(|id| json!({ "id": id, "title": title })).collect()
}

/// The code of a place.
fn code(task: u32, ordinal: u32) -> String {
    let code = miroir_shard::Sequence { task, ordinal }.code();
    code.into_iter().map(char::from).collect()
}

#[tokio::test]
async fn every_document_arrives_once_at_its_owner_in_each_group() {
    let rig = Rig::start(&[3, 2]).await;
    let mut last = 0;
    for batch in 0..20 {
        last = rig.add("movies", &movies(batch * 10..batch * 10 + 10, "one")).await;
    }
    rig.succeeded(last).await;
    rig.applied_everywhere(last).await;
    for id in (0..200).map(|id: u32| id.to_string()) {
        for node in &rig.nodes {
            let expected = usize::from(rig.owns(node, &id));
            assert_eq!(node.times_put(&id), expected, "{id} on {}", node.name);
            assert_eq!(node.documents("movies").contains_key(&id), expected == 1);
        }
    }
}

#[tokio::test]
async fn the_last_write_of_a_document_wins_and_codes_tell_which_it_was() {
    let rig = Rig::start(&[2]).await;
    let first = rig.add("movies", &movies(0..4, "round 0")).await;
    for round in 1..30 {
        rig.add("movies", &movies(0..4, &format!("round {round}"))).await;
    }
    let update = rig.documents(&[json!({"id": 1, "year": 1977})], Method::Update, false);
    let update = rig.append("movies", update).await;
    let deleted = rig.delete("movies", &[2, 3, 999]).await;
    let task = rig.succeeded(deleted).await;
    assert_eq!(task.details.expect("details")["deletedDocuments"], 2);
    let documents: Vec<_> = rig.nodes.iter().flat_map(|node| node.documents("movies")).collect();
    assert_eq!(documents.len(), 2);
    assert!(documents.iter().all(|(_, document)| document["title"] == "round 29"));
    let stored = rig.nodes.iter().find_map(|node| node.index("movies")?.documents.get("1").cloned());
    let stored = stored.expect("the document");
    assert_eq!(stored["year"], 1977);
    assert_eq!(stored["_miroir"]["n"], code(first, 1));
    assert_eq!(
        miroir_shard::task_of_code(stored["_miroir"]["w"].as_str().expect("text").as_bytes()),
        Some(update)
    );
}

#[tokio::test]
async fn small_writes_that_wait_go_together() {
    let rig = Rig::start(&[1]).await;
    let first = rig.add("movies", &movies([0], "first")).await;
    rig.succeeded(first).await;
    rig.node("g0n0").hold(true);
    let before = rig.node("g0n0").done().len();
    // While this one is on its way, the others gather.
    for id in 1..=100 {
        rig.add("movies", &movies([id], "more")).await;
    }
    rig.node("g0n0").hold(false);
    rig.succeeded(100).await;
    assert!(rig.node("g0n0").done().len() - before < 100);
    assert_eq!(rig.node("g0n0").documents("movies").len(), 101);
}

#[tokio::test]
async fn a_large_payload_arrives_whole_in_several_requests() {
    let rig = Rig::start(&[2]).await;
    let filler = "x".repeat(2000);
    let documents: Vec<Value> = (0..40_000).map(|id| json!({ "id": id, "text": filler })).collect();
    let uid = rig.add("movies", &documents).await;
    rig.succeeded(uid).await;
    let counts: Vec<usize> = rig.nodes.iter().map(|node| node.documents("movies").len()).collect();
    assert_eq!(counts.iter().sum::<usize>(), 40_000, "{counts:?}");
    let puts = |node: &crate::fake::FakeNode| {
        node.done().iter().filter(|(_, op)| matches!(op, Op::Put { .. })).count()
    };
    assert!(rig.nodes.iter().any(|node| puts(node) > 1));
}

#[tokio::test]
async fn a_large_payload_is_applied_by_all_nodes_at_once_after_a_restart() {
    let mut rig = Rig::start(&[4]).await;
    rig.nodes.iter().for_each(|node| node.set_down(true));
    let filler = "x".repeat(1000);
    let documents: Vec<Value> = (0..8_000).map(|id| json!({ "id": id, "text": filler })).collect();
    let uid = rig.add("movies", &documents).await;
    rig.until("the write is decided", || rig.progress().decided() > uid).await;
    // Nobody keeps an index of it now: every applier needs one at the same time.
    rig.stop().await;
    rig.nodes.iter().for_each(|node| node.set_down(false));
    rig.resume().await;
    rig.succeeded(uid).await;
    let count: usize = rig.nodes.iter().map(|node| node.documents("movies").len()).sum();
    assert_eq!(count, 8_000);
}

#[tokio::test]
async fn payloads_are_let_go_of_once_every_node_has_applied_them() {
    let rig = Rig::start(&[2]).await;
    let filler = "x".repeat(1000);
    let documents: Vec<Value> = (0..500).map(|id| json!({ "id": id, "text": filler })).collect();
    let uid = rig.add("movies", &documents).await;
    rig.succeeded(uid).await;
    let log = rig.log();
    rig.until("the payload is let go of", || log.positions().trimmed > uid).await;
    let left = || std::fs::read_dir(log.spool().directory()).expect("the spool").count();
    rig.until("the spool is empty", || left() == 0).await;
}

#[tokio::test]
async fn counts_come_from_one_copy_and_all_its_nodes() {
    let rig = Rig::start(&[3, 3]).await;
    rig.add("movies", &movies(0..50, "x")).await;
    let settings = json!({ "filterableAttributes": ["id"] });
    let settings = Operation::SettingsUpdate { settings, is_deletion: false, allow_index_creation: true };
    rig.append("movies", settings).await;
    let by_filter = Selection::ByFilter { filter: json!("id = 7") };
    let by_filter = rig.append("movies", Operation::DocumentDeletion { selection: by_filter }).await;
    let edit = Operation::DocumentEdition { function: "doc.n += 1".to_owned(), context: None, filter: None };
    let edit = rig.append("movies", edit).await;
    let all = rig.append("movies", Operation::DocumentDeletion { selection: Selection::All }).await;
    let count = |details: Option<Value>, name: &str| details.expect("details")[name].clone();
    assert_eq!(count(rig.succeeded(by_filter).await.details, "deletedDocuments"), 1);
    assert_eq!(count(rig.succeeded(edit).await.details, "editedDocuments"), 49);
    assert_eq!(count(rig.succeeded(all).await.details, "deletedDocuments"), 49);
}

#[tokio::test]
async fn tasks_tell_when_they_began() {
    let rig = Rig::start(&[1]).await;
    let uid = rig.add("movies", &movies([1], "x")).await;
    let task = rig.succeeded(uid).await;
    assert!(task.started_at.is_some() && task.duration.is_some(), "{task:?}");
}
