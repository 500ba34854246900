//! The places of first writes, which documents keep.

use miroir_log::{Method, Operation, Selection};
use miroir_shard::Sequence;
use serde_json::{Value, json};

use crate::{
    fake::{FakeNode, Op, State},
    rig::Rig,
};

/// Where a document of a node was written first, and whether it was again.
fn place(node: &FakeNode, id: u32) -> (u32, u32, bool) {
    let document = node.index("movies").and_then(|index| index.documents.get(&id.to_string()).cloned());
    let internal = document.expect("the document")["_miroir"].clone();
    let place = Sequence::from_code(internal["n"].as_str().expect("a code").as_bytes()).expect("a place");
    (place.task, place.ordinal, internal.get("w").is_some())
}

/// Waits until the node has so many tasks for documents.
async fn is_sent(rig: &Rig, count: usize) {
    let puts = |state: &mut State| {
        let of_documents = |op: &Op| matches!(op, Op::Put { .. } | Op::DeleteIds(_) | Op::Clear);
        state.tasks.iter().filter(|task| of_documents(&task.op)).count()
    };
    rig.until("it is sent", || rig.node("g0n0").with_state(puts) >= count).await;
}

fn movies(ids: impl IntoIterator<Item = u32>) -> Vec<Value> {
    ids.into_iter().map(|id| json!({ "id": id, "title": "one" })).collect()
}

/// So many bytes that what comes behind them does not wait until they are done.
fn long_movies(ids: impl IntoIterator<Item = u32>) -> Vec<Value> {
    let text = "x".repeat(200_000);
    ids.into_iter().map(|id| json!({ "id": id, "text": text })).collect()
}

#[tokio::test]
async fn documents_that_are_written_again_keep_their_place() {
    let rig = Rig::start(&[1, 1]).await;
    let first = rig.add("movies", &movies(0..5)).await;
    rig.succeeded(first).await;
    let second = rig.add("movies", &movies([7, 3, 8, 1, 8])).await;
    rig.succeeded(second).await;
    let update = rig.documents(&[json!({ "id": 0, "year": 1977 })], Method::Update, false);
    let last = rig.append("movies", update).await;
    rig.applied_everywhere(last).await;
    for node in &rig.nodes {
        let places = [0, 1, 2, 3, 7, 8].map(|id| place(node, id));
        let (first, again) = ([0, 1, 2, 3], [true, true, false, true]);
        let kept = first.map(|id| (0, id, again[id as usize]));
        assert_eq!(places[..4], kept);
        // The same document twice in a payload: the first time counts.
        assert_eq!(places[4..], [(second, 0, false), (second, 2, true)]);
    }
}

#[tokio::test]
async fn what_a_node_has_not_done_yet_counts() {
    let rig = Rig::start(&[1]).await;
    let node = rig.node("g0n0");
    let first = rig.add("movies", &movies(0..3)).await;
    rig.succeeded(first).await;
    node.hold(true);
    let second = rig.add("movies", &long_movies([5, 6])).await;
    is_sent(&rig, 2).await;
    rig.add("movies", &movies([6, 0])).await;
    is_sent(&rig, 3).await;
    rig.delete("movies", &[1, 6]).await;
    is_sent(&rig, 4).await;
    let last = rig.add("movies", &movies([1, 5, 6])).await;
    is_sent(&rig, 5).await;
    node.hold(false);
    rig.succeeded(last).await;
    assert_eq!([0, 2, 5].map(|id| place(node, id)), [(first, 0, true), (first, 2, false), (second, 0, true)]);
    assert_eq!([1, 6].map(|id| place(node, id)), [(last, 0, false), (last, 2, false)]);
}

#[tokio::test]
async fn an_index_that_is_emptied_begins_anew() {
    let rig = Rig::start(&[1]).await;
    let node = rig.node("g0n0");
    let first = rig.add("movies", &movies(0..3)).await;
    rig.succeeded(first).await;
    node.hold(true);
    rig.add("movies", &long_movies([8, 9])).await;
    is_sent(&rig, 2).await;
    rig.append("movies", Operation::DocumentDeletion { selection: Selection::All }).await;
    let last = rig.add("movies", &movies([2, 1])).await;
    is_sent(&rig, 4).await;
    node.hold(false);
    rig.succeeded(last).await;
    assert_eq!([2, 1].map(|id| place(node, id)), [(last, 0, false), (last, 1, false)]);
}

#[tokio::test]
async fn what_is_found_or_sent_again_after_a_restart_keeps_its_place() {
    let mut rig = Rig::start(&[1]).await;
    let first = rig.add("movies", &movies(0..3)).await;
    rig.succeeded(first).await;
    rig.node("g0n0").hold(true);
    let second = rig.add("movies", &long_movies([5, 0])).await;
    is_sent(&rig, 2).await;
    rig.stop().await;
    // The last one is taken, but nobody is told.
    rig.node("g0n0").drop_after(1);
    rig.resume().await;
    let last = rig.add("movies", &movies([5, 1, 9])).await;
    is_sent(&rig, 3).await;
    rig.node("g0n0").hold(false);
    rig.succeeded(last).await;
    let node = rig.node("g0n0");
    assert_eq!([0, 1].map(|id| place(node, id)), [(first, 0, true), (first, 1, true)]);
    assert_eq!([5, 9].map(|id| place(node, id)), [(second, 0, true), (last, 2, false)]);
}
