//! The fleet changes while writes go on and everything fails.
//!
//! `MOVING_SEEDS` sets how many runs there are, `MOVING_SEED` picks one.

use std::{collections::BTreeMap, time::Duration};

use miroir_replicate::{Change, NewNode};
use miroir_shard::{OwnerState, Slot};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Map, Value, json};

use crate::{
    fake::{FakeNode, Index, Op},
    rig::Rig,
    simulation::{Write, append, write},
};

const LONG: Duration = Duration::from_secs(30);

async fn add_node(rig: &mut Rig, name: &str) -> NewNode {
    let node = FakeNode::start(name).await;
    let url = format!("http://{}", node.authority);
    rig.nodes.push(node);
    NewNode { name: name.to_owned(), url, key: None, group: "g0".to_owned(), weight: 1 }
}

/// Waits until no change is under way.
async fn settled(rig: &Rig) {
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
fn check(rig: &Rig, expected: &BTreeMap<String, Index>, what: &str) {
    let map = rig.current_map();
    for node in rig.nodes.iter().filter(|node| map.node_id(&node.name).is_some()) {
        let id = map.node_id(&node.name).expect("a node");
        let owned = map.written_slots(id);
        let uids: Vec<String> = expected.keys().cloned().collect();
        assert_eq!(node.indexes(), uids, "{what}: {}", node.name);
        for (uid, index) in expected {
            let own = |id: &String| owned.contains(Slot::of(id));
            let documents: BTreeMap<String, Map<String, Value>> = index
                .documents
                .iter()
                .filter(|(id, _)| own(id))
                .map(|(id, d)| (id.clone(), d.clone()))
                .collect();
            assert_eq!(node.documents(uid), documents, "{what}: {uid} on {}", node.name);
            let found = node.index(uid).expect("an index");
            assert_eq!(found.settings.get("stopWords"), index.settings.get("stopWords"), "{what}: {uid}");
            assert_eq!(found.settings.get("filterableAttributes"), Some(&json!(["_miroir.s"])), "{what}");
        }
    }
}

/// What one node with all documents would hold.
#[derive(Default)]
struct Model(BTreeMap<String, Index>);

impl Model {
    fn apply(&mut self, uid: &str, write: &Write) {
        match write {
            Write::DeleteIndex => drop(self.0.remove(uid)),
            Write::Swap => {
                if self.0.len() == 2 {
                    let uids: Vec<String> = self.0.keys().cloned().collect();
                    let mut indexes: Vec<Index> = std::mem::take(&mut self.0).into_values().collect();
                    indexes.reverse();
                    self.0.extend(uids.into_iter().zip(indexes));
                }
            }
            Write::Cancel(_) => {}
            Write::Settings(number) => {
                let index = self.0.entry(uid.to_owned()).or_default();
                index.settings.insert("stopWords".to_owned(), json!([number.to_string()]));
            }
            Write::Documents(op) => {
                if matches!(op, Op::Put { .. }) {
                    self.0.entry(uid.to_owned()).or_default();
                }
                if let Some(index) = self.0.get_mut(uid) {
                    index.primary_key.get_or_insert_with(|| "id".to_owned());
                    index.change(op).expect("good");
                }
            }
        }
    }
}

fn movies(ids: std::ops::Range<u32>) -> Vec<Value> {
    ids.map(|id| json!({ "id": id, "n": 0, "a": id % 3 })).collect()
}

/// A fleet with some documents, and what they are.
async fn loaded(groups: &[usize], documents: u32) -> (Rig, Model) {
    let rig = Rig::start_moving(groups).await;
    let mut model = Model::default();
    put(&rig, &mut model, 0..documents).await;
    (rig, model)
}

async fn put(rig: &Rig, model: &mut Model, ids: std::ops::Range<u32>) -> u32 {
    let documents = movies(ids);
    let uid = rig.add("movies", &documents).await;
    let documents = documents.iter().filter_map(Value::as_object).cloned().collect();
    model.apply(
        "movies",
        &Write::Documents(Op::Put { documents, merge: false, skip: false, primary_key: None }),
    );
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
    let (mut rig, mut model) = loaded(&[2], 300).await;
    let before = rig.current_map();
    let nodes = vec![add_node(&mut rig, "x").await];
    let change = Change::Add { nodes };
    assert!(rig.rebalancer().preview(&change).expect("a plan")["shardsToMove"].as_u64() > Some(15));
    rig.rebalancer().start(&change).await.expect("started");
    let last = put(&rig, &mut model, 200..400).await;
    at_rest(&rig, last).await;
    check(&rig, &model.0, "joined");
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
async fn a_node_is_drained_removed_and_replaced() {
    let (mut rig, mut model) = loaded(&[3], 300).await;
    let drain = Change::Drain { node: "g0n1".to_owned() };
    rig.rebalancer().start(&drain).await.expect("started");
    settled(&rig).await;
    let last = put(&rig, &mut model, 100..150).await;
    at_rest(&rig, last).await;
    check(&rig, &model.0, "drained");
    assert!(rig.node("g0n1").documents("movies").is_empty());

    rig.rebalancer().start(&Change::Remove { node: "g0n1".to_owned() }).await.expect("started");
    settled(&rig).await;
    assert!(rig.current_map().node_id("g0n1").is_none() && rig.client("g0n1").is_none());

    let with = add_node(&mut rig, "x").await;
    let replace = Change::Replace { node: "g0n0".to_owned(), with };
    rig.rebalancer().start(&replace).await.expect("started");
    let last = put(&rig, &mut model, 300..350).await;
    at_rest(&rig, last).await;
    check(&rig, &model.0, "replaced");
    assert!(rig.current_map().node_id("g0n0").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_taken_back() {
    let (mut rig, mut model) = loaded(&[2], 300).await;
    let before = rig.current_map();
    let nodes = vec![add_node(&mut rig, "x").await];
    rig.rebalancer().start(&Change::Add { nodes }).await.expect("started");
    let twice = rig.rebalancer().start(&Change::Drain { node: "g0n0".to_owned() }).await;
    assert!(twice.expect_err("one at a time").to_string().contains("under way"));
    rig.until("some shards have moved", || rig.rebalancer().status()["shardsMoved"].as_u64() > Some(0)).await;
    rig.rebalancer().abort().await.expect("aborted");
    let last = put(&rig, &mut model, 250..320).await;
    at_rest(&rig, last).await;
    check(&rig, &model.0, "taken back");
    assert_eq!(rig.rebalancer().status()["state"], "aborted");
    assert_eq!(rig.current_map().with_epoch(before.epoch()), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_goes_on_after_a_restart() {
    let (mut rig, mut model) = loaded(&[2, 1], 300).await;
    let nodes = vec![add_node(&mut rig, "x").await];
    rig.rebalancer().start(&Change::Add { nodes }).await.expect("started");
    for moved in [0, 8] {
        rig.until("it moves", || rig.rebalancer().status()["shardsMoved"].as_u64() >= Some(moved)).await;
        rig.restart().await;
    }
    let last = put(&rig, &mut model, 250..320).await;
    at_rest(&rig, last).await;
    check(&rig, &model.0, "after restarts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lost_its_data_is_filled_from_the_other_group() {
    let (rig, mut model) = loaded(&[2, 1], 200).await;
    rig.applied_everywhere(0).await;
    let node = rig.client("g0n1").expect("a node");
    rig.node("g0n1").lose_everything();
    assert!(!miroir_nodes::probe(&node, LONG).await, "it is found out");
    rig.until("it is filled anew", || rig.rebalancer().status()["state"] == "done").await;
    let last = put(&rig, &mut model, 100..250).await;
    at_rest(&rig, last).await;
    check(&rig, &model.0, "filled anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_copy_has_lost_is_found_and_mended_while_writes_run() {
    let (rig, mut model) = loaded(&[2, 1], 300).await;
    rig.applied_everywhere(0).await;
    let lost: Vec<String> = rig.ids_of("g0n0", 3).iter().map(u32::to_string).collect();
    rig.node("g0n0").lose_documents("movies", &lost.iter().map(String::as_str).collect::<Vec<_>>());
    rig.rebalancer().verify(true);
    let mut last = 0;
    for round in 0..10 {
        last = put(&rig, &mut model, 200 + round..230 + round).await;
    }
    rig.until("it is looked through", || rig.rebalancer().verified()["state"] == "done").await;
    let report = rig.rebalancer().verified();
    assert_eq!(
        (&report["documentsDiffering"], &report["documentsMended"]),
        (&json!(3), &json!(3)),
        "{report}"
    );
    at_rest(&rig, last).await;
    check(&rig, &model.0, "mended");
    rig.rebalancer().verify(false);
    rig.until("it is looked through", || rig.rebalancer().verified()["state"] == "done").await;
    assert_eq!(rig.rebalancer().verified()["documentsDiffering"], 0);
}

/// A change by chance, where none is under way; or the one that is, taken back.
async fn change_fleet(rig: &mut Rig, dice: &mut StdRng, number: &mut u32) {
    let state = rig.rebalancer().status()["state"].as_str().unwrap_or_default().to_owned();
    if state == "running" {
        if dice.random_ratio(1, 4) {
            // It may have ended meanwhile.
            let _ = rig.rebalancer().abort().await;
        }
        return;
    }
    let map = rig.current_map();
    let names: Vec<String> =
        map.nodes().iter().filter(|node| node.group == 0).map(|node| node.name.clone()).collect();
    let node = names[dice.random_range(0..names.len())].clone();
    let change = match dice.random_range(0..4) {
        0 if names.len() > 1 => Change::Drain { node },
        1 if names.len() > 1 => Change::Remove { node },
        kind => {
            *number += 1;
            let new = add_node(rig, &format!("x{number}")).await;
            if kind == 2 { Change::Replace { node, with: new } } else { Change::Add { nodes: vec![new] } }
        }
    };
    // What is not possible now is refused.
    let _ = rig.rebalancer().start(&change).await;
}

async fn fault(rig: &mut Rig, dice: &mut StdRng) {
    let node = rig.nodes[dice.random_range(0..rig.nodes.len())].clone();
    match dice.random_range(0..10) {
        0 => node.drop_before(1),
        1 | 2 => node.drop_after(1),
        3 => node.set_down(true),
        4 | 5 => node.set_down(false),
        6 => node.fill_disk(1),
        7 => node.set_batch(dice.random_range(1..20)),
        8 => rig.restart().await,
        _ => {}
    }
}

async fn simulate(seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let groups: &[usize] = if dice.random() { &[2] } else { &[2, 1] };
    let mut rig = Rig::start_moving(groups).await;
    let (mut model, mut number, mut last) = (Model::default(), 0, 0);
    for _ in 0..20 {
        for _ in 0..dice.random_range(1..5) {
            let index = ["movies", "books"][usize::from(dice.random_ratio(1, 4))];
            let write = write(&mut dice, false);
            if matches!(write, Write::Cancel(_)) {
                // Whether it comes in time is chance.
                continue;
            }
            last = append(&rig, index, &write).await;
            model.apply(index, &write);
        }
        if dice.random_ratio(1, 3) {
            change_fleet(&mut rig, &mut dice, &mut number).await;
        }
        if dice.random_ratio(1, 4) {
            fault(&mut rig, &mut dice).await;
        }
        if dice.random_ratio(1, 2) {
            tokio::time::sleep(Duration::from_millis(dice.random_range(0..60))).await;
        }
    }
    for node in &rig.nodes {
        node.set_down(false);
        node.fill_disk(0);
        node.drop_before(0);
        node.drop_after(0);
    }
    at_rest(&rig, last).await;
    check(&rig, &model.0, &format!("seed {seed}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_while_the_fleet_changes_every_copy_is_right_in_the_end() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("MOVING_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MOVING_SEEDS").unwrap_or(6),
    };
    for seed in seeds {
        println!("seed {seed}");
        simulate(seed).await;
    }
}
