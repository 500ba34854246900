//! The fleet changes while writes go on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use miroir_log::{Log, LogError, failpoints::Action};
use miroir_nodes::HealthState;
use miroir_replicate::{Change, ChangeError, NewNode};
use miroir_shard::OwnerState;
use serde_json::{Value, json};

use crate::{
    fake::{FakeNode, Op},
    rig::Rig,
    simulation::{History, Write, holds_just_its_own},
};

const LONG: Duration = Duration::from_secs(30);

pub(crate) async fn add_node(rig: &mut Rig, name: &str) -> NewNode {
    let node = FakeNode::start(name).await;
    let url = format!("http://{}", node.authority);
    rig.nodes.push(node);
    NewNode { name: name.to_owned(), url, key: None, group: "g0".to_owned(), weight: 1 }
}

/// Waits until no change is under way.
pub(crate) async fn settled(rig: &Rig) {
    let waiting = async {
        loop {
            let status = rig.rebalancer().status();
            let state = status["state"].as_str().expect("a state").to_owned();
            if ["none", "done", "aborted"].contains(&state.as_str()) && whole(rig) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(LONG, waiting).await;
    let states = || {
        let nodes = rig.nodes.iter().filter_map(|node| rig.client(&node.name));
        nodes.map(|node| format!("{} {:?}", node.name(), node.health().state())).collect::<Vec<_>>()
    };
    assert!(waited.is_ok(), "it settles: {}, {}, {:?}", rig.rebalancer().status(), rig.positions(), states());
}

fn whole(rig: &Rig) -> bool {
    let map = rig.current_map();
    map.shards().all(|shard| map.shard_owners(shard).all(|owner| owner.state == OwnerState::Readable))
}

/// Every node holds just the documents of its slots, as they should be.
fn check(rig: &Rig, history: &History, what: &str) {
    let map = rig.current_map();
    for node in rig.nodes.iter().filter(|node| map.node_id(&node.name).is_some()) {
        holds_just_its_own(node, &map, history).unwrap_or_else(|violation| panic!("{what}: {violation}"));
    }
}

fn movies(ids: std::ops::Range<u32>) -> Vec<Value> {
    ids.map(|id| json!({ "id": id, "n": 0, "a": id % 3 })).collect()
}

/// A fleet with some documents, and what they are.
async fn loaded(groups: &[usize], documents: u32) -> (Rig, History) {
    let rig = Rig::start_moving(groups).await;
    let mut history = History::of(|_| true);
    put(&rig, &mut history, 0..documents).await;
    (rig, history)
}

async fn put(rig: &Rig, history: &mut History, ids: std::ops::Range<u32>) -> u32 {
    let documents = movies(ids);
    let uid = rig.add("movies", &documents).await;
    let documents = documents.iter().filter_map(Value::as_object).cloned().collect();
    let op = Op::Put { documents, merge: false, skip: false, primary_key: None };
    history.push("movies", &Write::Documents(op));
    rig.succeeded(uid).await;
    uid
}

async fn at_rest(rig: &Rig, last: u32) {
    settled(rig).await;
    rig.finished(last).await;
    let map = rig.current_map();
    for node in map.nodes() {
        rig.applied(&node.name, last).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_joins_gets_its_share_and_nothing_else_moves() {
    let (mut rig, mut history) = loaded(&[2], 300).await;
    let before = rig.current_map();
    let nodes = vec![add_node(&mut rig, "x").await];
    let change = Change::Add { nodes };
    assert!(rig.rebalancer().preview(&change).expect("a plan")["shardsToMove"].as_u64() > Some(15));
    rig.rebalancer().start(&change).await.expect("started");
    let last = put(&rig, &mut history, 200..400).await;
    at_rest(&rig, last).await;
    check(&rig, &history, "joined");
    let (after, node) = (rig.current_map(), rig.current_map().node_id("x").expect("there"));
    let got = after.shards_of(node).count();
    assert!((20..=22).contains(&got), "{got} of 64 shards");
    let stayed = before.shards().filter(|shard| {
        let owner = |map: &miroir_shard::ShardMap| {
            let owner = map.shard_owners(*shard).next().expect("an owner").node;
            map.node(owner).expect("a node").name.clone()
        };
        owner(&before) == owner(&after)
    });
    assert_eq!(stayed.count(), 64 - got);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_joins_is_introduced_before_it_is_given_anything() {
    let (mut rig, mut history) = loaded(&[2], 100).await;
    let introduced = Arc::new(AtomicUsize::new(0));
    let (node, times) = (add_node(&mut rig, "x").await, introduced.clone());
    let documents = rig.node("x").clone();
    // It cannot be told the first time.
    rig.rebalancer().introduce_with(Arc::new(move |node| {
        assert!(node.name() == "x" && documents.documents("movies").is_empty());
        let before = times.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { before > 0 })
    }));
    rig.rebalancer().start(&Change::Add { nodes: vec![node] }).await.expect("started");
    let last = put(&rig, &mut history, 50..120).await;
    at_rest(&rig, last).await;
    check(&rig, &history, "joined");
    assert_eq!(introduced.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_nodes_join_at_once_as_soon_as_all_of_them_answer() {
    let (mut rig, mut history) = loaded(&[2], 300).await;
    let nodes = vec![add_node(&mut rig, "x").await, add_node(&mut rig, "y").await];
    let change = Change::Add { nodes };
    rig.node("y").set_down(true);
    let silent = rig.rebalancer().start(&change).await.expect_err("one of them does not answer");
    assert!(matches!(&silent, ChangeError::Silent { node, .. } if node == "y"), "{silent}");
    assert_eq!(rig.rebalancer().status()["state"], "none");
    rig.node("y").set_down(false);
    rig.rebalancer().start(&change).await.expect("started");
    let last = put(&rig, &mut history, 200..400).await;
    at_rest(&rig, last).await;
    check(&rig, &history, "joined");
    let map = rig.current_map();
    for node in ["x", "y"] {
        let got = map.shards_of(map.node_id(node).expect("a member")).count();
        assert_eq!(got, 16, "{node}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_answers_errors_or_nothing_does_not_join_and_nobody_waits_long_for_it() {
    let (mut rig, mut history) = loaded(&[2], 300).await;
    let change = Change::Add { nodes: vec![add_node(&mut rig, "x").await] };
    rig.node("x").set_failing(true);
    let failing = rig.rebalancer().start(&change).await.expect_err("it answers with errors");
    assert!(
        matches!(&failing, ChangeError::Silent { node, reason } if node == "x" && reason.contains("500")),
        "{failing}"
    );
    rig.node("x").set_failing(false);
    rig.node("x").set_hanging(true);
    let asked = Instant::now();
    let (hanging, last) = tokio::join!(rig.rebalancer().start(&change), put(&rig, &mut history, 200..250));
    assert!(matches!(&hanging, Err(ChangeError::Silent { node, .. }) if node == "x"), "{hanging:?}");
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    rig.succeeded(last).await;
    rig.node("x").set_hanging(false);
    rig.rebalancer().start(&change).await.expect("started");
    let last = put(&rig, &mut history, 250..400).await;
    at_rest(&rig, last).await;
    check(&rig, &history, "joined");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_drained_removed_and_replaced() {
    let (mut rig, mut history) = loaded(&[3], 300).await;
    let drain = Change::Drain { node: "g0n1".to_owned() };
    rig.rebalancer().start(&drain).await.expect("started");
    settled(&rig).await;
    let last = put(&rig, &mut history, 100..150).await;
    at_rest(&rig, last).await;
    check(&rig, &history, "drained");
    assert!(rig.node("g0n1").documents("movies").is_empty());

    rig.rebalancer().start(&Change::Remove { node: "g0n1".to_owned() }).await.expect("started");
    settled(&rig).await;
    assert!(rig.current_map().node_id("g0n1").is_none() && rig.client("g0n1").is_none());

    let with = add_node(&mut rig, "x").await;
    let replace = Change::Replace { node: "g0n0".to_owned(), with };
    rig.rebalancer().start(&replace).await.expect("started");
    let last = put(&rig, &mut history, 300..350).await;
    at_rest(&rig, last).await;
    check(&rig, &history, "replaced");
    assert!(rig.current_map().node_id("g0n0").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_taken_back() {
    let (mut rig, mut history) = loaded(&[2], 300).await;
    let before = rig.current_map();
    // As long as old copies cannot be removed the change goes on.
    let old = rig.nodes.clone();
    old.iter().for_each(|node| node.hold(true));
    let nodes = vec![add_node(&mut rig, "x").await];
    rig.rebalancer().start(&Change::Add { nodes }).await.expect("started");
    let twice = rig.rebalancer().start(&Change::Drain { node: "g0n0".to_owned() }).await;
    assert!(twice.expect_err("one at a time").to_string().contains("under way"));
    rig.until("some shards have moved", || rig.rebalancer().status()["shardsMoved"].as_u64() > Some(0)).await;
    rig.rebalancer().abort().await.expect("aborted");
    old.iter().for_each(|node| node.hold(false));
    let last = put(&rig, &mut history, 250..320).await;
    at_rest(&rig, last).await;
    check(&rig, &history, "taken back");
    assert_eq!(rig.rebalancer().status()["state"], "aborted");
    assert_eq!(rig.current_map().with_epoch(before.epoch()), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_taken_back_though_the_new_node_does_nothing() {
    let (mut rig, mut history) = loaded(&[2], 100).await;
    let before = rig.current_map();
    let node = add_node(&mut rig, "x").await;
    rig.node("x").hold(true);
    rig.rebalancer().start(&Change::Add { nodes: vec![node] }).await.expect("started");
    rig.until("it is given something to do", || rig.node("x").waiting() > 0).await;
    rig.rebalancer().abort().await.expect("aborted");
    rig.until("it is taken back", || rig.rebalancer().status()["state"] == "aborted").await;
    assert_eq!(rig.current_map().with_epoch(before.epoch()), before);
    let last = put(&rig, &mut history, 50..120).await;
    at_rest(&rig, last).await;
    check(&rig, &history, "taken back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_goes_on_after_a_restart() {
    let (mut rig, mut history) = loaded(&[2, 1], 300).await;
    let nodes = vec![add_node(&mut rig, "x").await];
    rig.rebalancer().start(&Change::Add { nodes }).await.expect("started");
    for moved in [0, 8] {
        rig.until("it moves", || rig.rebalancer().status()["shardsMoved"].as_u64() >= Some(moved)).await;
        rig.restart().await;
    }
    let last = put(&rig, &mut history, 250..320).await;
    at_rest(&rig, last).await;
    check(&rig, &history, "after restarts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_the_log_has_no_room_for_is_not_under_way() {
    let (mut rig, mut history) = loaded(&[2], 100).await;
    rig.applied_everywhere(0).await;
    let before = rig.current_map();
    let nodes = vec![add_node(&mut rig, "x").await];
    let trimmed = || rig.log().positions().trimmed == rig.log().positions().next;
    rig.until("nothing else is committed any more", trimmed).await;
    // How the node is reached takes two commits, the plan one, and then there is no room for the map.
    rig.failpoints.arm("write.begin", Action::Full, 3);
    let refused = rig.rebalancer().start(&Change::Add { nodes: nodes.clone() }).await.expect_err("no room");
    assert!(matches!(refused, ChangeError::Log(LogError::StorageFull)), "{refused}");
    for _ in 0..2 {
        assert_eq!(rig.rebalancer().status()["state"], "none");
        assert_eq!(rig.current_map().with_epoch(before.epoch()), before);
        rig.restart().await;
    }
    rig.rebalancer().start(&Change::Add { nodes }).await.expect("there is room");
    let last = put(&rig, &mut history, 50..150).await;
    at_rest(&rig, last).await;
    check(&rig, &history, "added");
}

#[tokio::test]
async fn one_server_does_not_join_under_two_names() {
    let mut rig = Rig::start_moving(&[2]).await;
    let first = add_node(&mut rig, "x").await;
    let again =
        |name: &str, url: &str| NewNode { name: name.to_owned(), url: url.to_owned(), ..first.clone() };
    let own = format!("http://{}", rig.node("g0n0").authority);
    for nodes in [vec![first.clone(), again("y", &first.url)], vec![again("y", &own)]] {
        let refused = rig.rebalancer().start(&Change::Add { nodes }).await.expect_err("it is there already");
        assert!(matches!(refused, ChangeError::Unfit { ref node, .. } if node == "y"), "{refused}");
    }
    // In the place of the other it may.
    let replaced = Change::Replace { node: "g0n0".to_owned(), with: again("y", &own) };
    rig.rebalancer().start(&replaced).await.expect("nobody else is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_which_only_the_plan_was_kept_goes_on_after_a_restart() {
    let (mut rig, mut history) = loaded(&[2], 300).await;
    rig.applied_everywhere(0).await;
    let before = rig.current_map();
    let node = add_node(&mut rig, "x").await;
    // It gets no further than to the map.
    rig.node("x").hold(true);
    rig.rebalancer().start(&Change::Add { nodes: vec![node] }).await.expect("started");
    rig.restart_with(&before.with_epoch(u64::from(u32::MAX))).await;
    rig.node("x").hold(false);
    let last = put(&rig, &mut history, 250..320).await;
    at_rest(&rig, last).await;
    check(&rig, &history, "after a restart");
    let map = rig.current_map();
    assert!(map.shards_of(map.node_id("x").expect("a member")).count() > 15);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lost_its_data_is_filled_from_the_other_group() {
    let (rig, mut history) = loaded(&[2, 1], 200).await;
    rig.applied_everywhere(0).await;
    let node = rig.client("g0n1").expect("a node");
    rig.node("g0n1").lose_everything();
    assert!(!miroir_nodes::probe(&node, LONG).await, "it is found out");
    rig.until("it is filled anew", || rig.rebalancer().status()["state"] == "done").await;
    let last = put(&rig, &mut history, 100..250).await;
    at_rest(&rig, last).await;
    check(&rig, &history, "filled anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_handed_over_that_a_node_without_its_data_gave() {
    let (mut rig, _) = loaded(&[2], 200).await;
    rig.applied_everywhere(0).await;
    let held = |rig: &Rig| {
        let map = rig.current_map();
        let id = map.node_id("g0n1").expect("a member");
        map.shards_of(id).filter(|(_, state)| state.is_read()).count()
    };
    let before = held(&rig);
    // Nobody has looked at it since.
    rig.node("g0n1").lose_everything();
    let lost = rig.client("g0n1").expect("a node");
    let nodes = vec![add_node(&mut rig, "x").await];
    rig.rebalancer().start(&Change::Add { nodes }).await.expect("started");
    rig.until("it is found out", || lost.health().state() == HealthState::Lost).await;
    assert_eq!(held(&rig), before, "what it held is nowhere else");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_copy_has_lost_is_found_and_mended_while_writes_run() {
    let (rig, mut history) = loaded(&[2, 1], 300).await;
    rig.applied_everywhere(0).await;
    let lost: Vec<String> = rig.ids_of("g0n0", 3).iter().map(u32::to_string).collect();
    rig.node("g0n0").lose_documents("movies", &lost.iter().map(String::as_str).collect::<Vec<_>>());
    rig.rebalancer().verify(true);
    let mut last = 0;
    for round in 0..10 {
        last = put(&rig, &mut history, 200 + round..230 + round).await;
    }
    rig.until("it is looked through", || rig.rebalancer().verified()["state"] == "done").await;
    let report = rig.rebalancer().verified();
    assert_eq!(
        (&report["documentsDiffering"], &report["documentsMended"]),
        (&json!(3), &json!(3)),
        "{report}"
    );
    at_rest(&rig, last).await;
    check(&rig, &history, "mended");
    rig.rebalancer().verify(false);
    rig.until("it is looked through", || rig.rebalancer().verified()["state"] == "done").await;
    assert_eq!(rig.rebalancer().verified()["documentsDiffering"], 0);
}
