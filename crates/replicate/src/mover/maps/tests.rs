use std::collections::BTreeMap;

use futures_util::FutureExt;
use miroir_log::{
    Log, SqliteLog, SqliteOptions,
    failpoints::{Action, Failpoints},
};
use miroir_shard::{NodeId, diff};
use tempfile::TempDir;

use super::*;
use crate::{
    crew::Crew,
    mover::{NewNode, Rebalancer},
    payloads::Payloads,
    progress::Progress,
    release::Release,
    testing::{client, layout, topology},
    topology::CurrentTopology,
};

/// A mover of two groups of two nodes that nobody reaches.
async fn mover(directory: &TempDir) -> Arc<Mover> {
    mover_on(SqliteOptions::new(directory.path())).await
}

async fn mover_on(options: SqliteOptions) -> Arc<Mover> {
    let log: Arc<dyn Log> = Arc::new(SqliteLog::open(options).expect("a log"));
    let progress = Progress::new(BTreeMap::new(), 0, 0);
    let release = Arc::new(Release::new(log.clone(), progress.clone(), 0));
    let topology = CurrentTopology::new(topology(&[2, 2], 1));
    let parts = (release, Arc::new(Payloads::new(log.clone())));
    let crew = Arc::new(Crew::new(log.clone(), progress.clone(), parts, topology.clone()));
    let connect = Arc::new(|node: &NewNode| Some(client(&node.name, "127.0.0.1:1")));
    Rebalancer::new(log, progress, topology, crew, connect).await.expect("a mover").mover()
}

async fn kept_map(mover: &Mover) -> ShardMap {
    ShardMap::from_bytes(&mover.log.load_map().await.expect("read").expect("a map").bytes).expect("a map")
}

/// A map, one in which the first node's shards are the second one's, and the moves between the two.
fn handed_over() -> (ShardMap, ShardMap, Vec<Move>) {
    let map = ShardMap::place(&layout(&[2], 1)).expect("a map");
    let goal = Change::Drain { node: "g0n0".to_owned() }.target(&map).expect("a map");
    let moves = diff(&map, &goal);
    let (is, was) = (OwnerState::Readable, Some(OwnerState::Parting));
    let swapped = with_states(&map, &moves, "g0n1", is, was).expect("a map");
    (map, swapped, moves)
}

fn states(map: &ShardMap, node: NodeId) -> Vec<OwnerState> {
    map.shards_of(node).map(|(_, state)| state).collect()
}

#[test]
fn what_is_given_away_is_written_until_it_is_let_go_of() {
    let (map, swapped, moves) = handed_over();
    let from = map.node_id("g0n0").expect("a node");
    assert!(!moves.is_empty() && states(&swapped, from).iter().all(|state| !state.is_read()));
    // Reads that began by the map before, and copies that other waves read, find all that is written.
    assert_eq!(swapped.written_slots(from), map.written_slots(from));
    assert_eq!(given_up(&map, &moves).written_slots(from), map.written_slots(from));
    let parted = parted(&swapped);
    assert!(parted.written_slots(from).is_empty() && parted != swapped);
    assert!(states(&parted, from).iter().all(|state| *state == OwnerState::Draining));
    assert_eq!(super::parted(&map), map);
}

#[test]
fn nobody_gives_away_to_somebody_whom_the_map_does_not_know() {
    let (map, _, moves) = handed_over();
    let given = with_states(&map, &moves, "x", OwnerState::Readable, Some(OwnerState::Parting));
    assert_eq!(given, Err(MoveError::Changed));
}

#[test]
fn what_was_removed_leaves_the_map_as_it_is_now() {
    let (_, swapped, moves) = handed_over();
    let copies: Vec<_> = moves.iter().map(|step| (step.shard, "g0n0".to_owned())).collect();
    let joining = Change::Add { nodes: vec![new_node("x")] }.target(&swapped).expect("a map");
    let now = swapped.united(&joining);
    let without = removed(&now, &copies, now.shard_bits()).expect("a map");
    let from = without.node_id("g0n0").expect("a node");
    assert!(without.node_id("x").is_some() && states(&without, from).is_empty());
    // The shards have other numbers now.
    let split = now.split().expect("a map");
    assert_eq!(removed(&split, &copies, now.shard_bits()), Err(MoveError::Changed));
}

fn new_node(name: &str) -> NewNode {
    let (name, group) = (name.to_owned(), "g0".to_owned());
    NewNode { name, url: "http://127.0.0.1:1".to_owned(), key: None, group, weight: 1 }
}

#[tokio::test]
async fn no_change_begins_on_a_map_that_has_become_another_since_it_was_asked_for() {
    let directory = TempDir::new().expect("a directory");
    let mover = mover(&directory).await;
    let change = Change::Add { nodes: vec![new_node("x")] };
    // While the new node is looked at, another one is found to have lost its data.
    mover.refill("g0n1").await.expect("it is refilled");
    let refused = mover.begin(&change, vec![client("x", "127.0.0.1:1")]).await;
    assert!(matches!(refused, Err(ChangeError::UnderWay(what)) if what == "rebuild g0n1"));
    let map = kept_map(&mover).await;
    assert!(map.node_id("x").is_none());
    assert!(states(&map, map.node_id("g0n1").expect("a node")).iter().all(|state| !state.is_read()));
}

#[tokio::test]
async fn what_is_removed_meanwhile_takes_back_nothing_of_a_change_that_begins() {
    let directory = TempDir::new().expect("a directory");
    let mover = mover(&directory).await;
    let (before, given) = (mover.topology.load().map.clone(), |shard| vec![(shard, "g0n0".to_owned())]);
    let shard = before.shards_of(before.node_id("g0n0").expect("a node")).next().expect("a shard").0;
    let change = Change::Add { nodes: vec![new_node("x")] };
    mover.begin(&change, vec![client("x", "127.0.0.1:1")]).await.expect("begun");
    mover.change_map(|now| removed(now, &given(shard), before.shard_bits())).await.expect("removed");
    let map = kept_map(&mover).await;
    assert_eq!((&map, map.epoch()), (&mover.topology.load().map, before.epoch() + 2));
    assert!(map.node_id("x").is_some() && mover.topology.load().fleet.get("x").is_some());
}

#[tokio::test]
async fn whoever_joins_by_a_plan_is_taken_into_a_map_that_does_not_know_it() {
    let directory = TempDir::new().expect("a directory");
    let mover = mover(&directory).await;
    let before = mover.topology.load().map.clone();
    let target = Change::Add { nodes: vec![new_node("x")] }.target(&before).expect("a map");
    let plan = Plan::new("add x".to_owned(), before.clone(), target);
    assert!(mover.lacks_members(&before, &plan));
    mover.take_in(&plan).await.expect_err("nobody knows how it is reached");
    mover.remember(&new_node("x")).await.expect("kept");
    mover.take_in(&plan).await.expect("taken in");
    let topology = mover.topology.load();
    assert!(!mover.lacks_members(&topology.map, &plan) && topology.fleet.get("x").is_some());
}

#[tokio::test]
async fn a_map_that_was_kept_though_nobody_was_told_is_not_worked_by_and_stops_no_other() {
    let (directory, failpoints) = (TempDir::new().expect("a directory"), Failpoints::default());
    let mover = mover_on(SqliteOptions::new(directory.path()).failpoints(&failpoints)).await;
    let before = mover.topology.load().map.clone();
    // Whoever kept it is given up, and the log keeps it all the same.
    assert!(mover.change_map(|map| Ok(map.clone())).now_or_never().is_none());
    while mover.log.load_map().await.expect("read").is_none() {
        tokio::task::yield_now().await;
    }
    mover.log.settle().await.expect("whatever came before is done");
    assert!(mover.is_map_in_doubt() && mover.topology.load().map == before);
    // The disk fails once it is there.
    failpoints.arm("write.published", Action::Fail, 0);
    mover.change_map(|map| Ok(map.clone())).await.expect_err("the disk has failed");
    assert!(mover.is_map_in_doubt() && mover.topology.load().map == before);
    mover.change_map(|map| Ok(map.clone())).await.expect("the disk works");
    let now = mover.topology.load().map.clone();
    assert!(!mover.is_map_in_doubt() && now.epoch() == before.epoch() + 3);
    assert_eq!(kept_map(&mover).await, now);
}
