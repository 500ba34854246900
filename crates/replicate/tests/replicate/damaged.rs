//! Payloads that the gateway's disk has lost or changed.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
};

use miroir_log::{Log, Method, NewEntry, SqliteLog, SqliteOptions};
use miroir_replicate::Change;
use serde_json::{Value, json};

use crate::{
    fake::Op,
    moving::{add_node, settled},
    refused::held_by,
    rig::{Rig, payload_in},
};

/// Enough documents for a file of their own.
fn many(ids: std::ops::Range<u32>) -> Vec<Value> {
    ids.map(|id| json!({ "id": id, "text": "x".repeat(1_000) })).collect()
}

/// Does something to each payload file of a log.
fn each_payload(directory: &Path, does: impl Fn(&Path)) {
    let files = fs::read_dir(directory.join("payloads")).expect("a directory");
    let files = files.map(|file| file.expect("a file").path());
    let payloads: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "payload")).collect();
    assert!(!payloads.is_empty());
    payloads.iter().for_each(|path| does(path));
}

fn is_put(op: &Op) -> bool {
    matches!(op, Op::Put { .. })
}

/// Turns a letter inside a document into another one: nothing that would be no JSON.
fn change(path: &Path) {
    let file = File::options().write(true).open(path).expect("a file");
    file.write_all_at(b"y", 500).expect("written");
}

/// Makes a document no JSON.
fn break_off(path: &Path) {
    let file = File::options().write(true).open(path).expect("a file");
    file.write_all_at(b"\n", 500).expect("written");
}

#[tokio::test]
async fn a_write_that_is_damaged_before_its_turn_fails_and_holds_nothing_up() {
    for damage in [change as fn(&Path), break_off, |path| fs::remove_file(path).expect("removed")] {
        let mut rig = Rig::start(&[2]).await;
        let first = rig.add("movies", &many(0..3)).await;
        rig.applied_everywhere(first).await;
        rig.stop().await;
        // Nobody decides anything as long as only the log is there.
        let log = SqliteLog::open(SqliteOptions::new(rig.directory())).expect("a log");
        let entry = |documents: &[Value]| NewEntry {
            index_uid: Some("movies".to_owned()),
            operation: Rig::addition(payload_in(&log, documents), Method::Replace, false),
            custom_metadata: None,
        };
        let lost = log.append(entry(&many(0..200))).await.expect("appended").uid;
        each_payload(rig.directory(), damage);
        let behind = log.append(entry(&many(3..6))).await.expect("appended").uid;
        drop(log);
        rig.resume().await;
        let task = rig.failed(lost, "miroir_payload_lost").await;
        let message = task.error.expect("an error").message().to_owned();
        assert!(message.ends_with("Send them again."), "{message}");
        rig.succeeded(behind).await;
        assert_eq!(held_by(&rig, "g0").len(), 6, "nothing of it was written");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_is_damaged_before_a_node_has_it_comes_from_another_copy() {
    for damage in [change as fn(&Path), |path| fs::remove_file(path).expect("removed")] {
        let mut rig = Rig::start_moving(&[1, 2]).await;
        let first = rig.add("movies", &many(0..3)).await;
        rig.applied_everywhere(first).await;
        rig.node("g1n0").set_down(true);
        let written = rig.add("movies", &many(0..200)).await;
        rig.succeeded(written).await;
        rig.applied("g1n1", written).await;
        each_payload(rig.directory(), damage);
        rig.restart().await;
        let behind = rig.add("movies", &many(200..203)).await;
        rig.node("g1n0").set_down(false);
        rig.applied("g1n0", behind).await;
        rig.until("copies are equal", || held_by(&rig, "g0") == held_by(&rig, "g1")).await;
        assert_eq!(held_by(&rig, "g1").len(), 203);
        assert!(held_by(&rig, "g1").values().all(|document| !document["text"].to_string().contains('y')));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_that_move_are_copied_again_where_a_write_to_be_done_again_is_lost() {
    let mut rig = Rig::start_moving(&[2]).await;
    let first = rig.add("movies", &many(0..30)).await;
    rig.applied_everywhere(first).await;
    // Both nodes have been sent the write and have not done it: copies are taken from before it.
    for name in ["g0n0", "g0n1"] {
        rig.node(name).hold(true);
    }
    let written = rig.add("movies", &many(20..200)).await;
    rig.until("it is sent", || ["g0n0", "g0n1"].iter().all(|name| rig.node(name).waiting() == 1)).await;
    each_payload(rig.directory(), |path| fs::remove_file(path).expect("removed"));
    let nodes = vec![add_node(&mut rig, "x").await];
    rig.rebalancer().start(&Change::Add { nodes }).await.expect("started");
    rig.until("it is given documents", || rig.node("x").done().iter().any(|(_, op)| is_put(op))).await;
    for name in ["g0n0", "g0n1"] {
        rig.node(name).hold(false);
    }
    rig.succeeded(written).await;
    settled(&rig).await;
    let count = |name: &str| rig.node(name).documents("movies").len();
    assert!(count("x") > 40, "{}", count("x"));
    rig.until("every document is there once", || held_by(&rig, "").len() == 200).await;
    rig.until("no more than once", || ["g0n0", "g0n1", "x"].map(count).iter().sum::<usize>() == 200).await;
}
