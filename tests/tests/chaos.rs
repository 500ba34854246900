//! The fleet changes, nodes lose their data and the gateway is killed while clients read and write: no search fails or is
//! wrong, nothing accepted is lost.
//!
//! `MIROIR_DOCUMENTS` sets how much is loaded first.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use miroir_tests::{Client, Cluster, cluster, eventually, from_environment};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_miroir-under-test");
/// Clients that search at once.
const READERS: usize = 3;
/// Documents of one write.
const BATCH: u64 = 20;

/// What the clients know.
#[derive(Default)]
struct Ledger {
    /// Documents of writes that have been sent, and of those whose task has succeeded.
    sent: AtomicU64,
    done: AtomicU64,
    searches: AtomicU64,
    slowest_ms: AtomicU64,
    stop: AtomicBool,
}

fn documents(from: u64, count: u64) -> Value {
    (from..from + count)
        .map(|id| json!({ "id": id, "text": format!("item number {id} of many"), "even": id % 2 }))
        .collect()
}

fn load(client: &Client, ledger: &Ledger, count: u64) {
    client.post("/indexes").json(&json!({ "uid": "items", "primaryKey": "id" })).succeeds();
    let settings = json!({ "filterableAttributes": ["even"], "sortableAttributes": ["id"] });
    client.patch("/indexes/items/settings").json(&settings).succeeds();
    ledger.sent.store(count, SeqCst);
    client.post("/indexes/items/documents").json(&documents(0, count)).succeeds();
    ledger.done.store(count, SeqCst);
}

/// Searches without end. Each answer has every document that was there when it was asked for, and none twice.
fn search(client: &Client, ledger: &Ledger, kind: usize) {
    while !ledger.stop.load(SeqCst) {
        let least = ledger.done.load(SeqCst);
        let start = Instant::now();
        let total = match kind {
            0 => client.search("items", &json!({ "hitsPerPage": 1 })).ok()["totalHits"].clone(),
            1 => {
                let body = json!({ "hitsPerPage": 1, "page": 1, "q": "item", "sort": ["id:desc"] });
                client.search("items", &body).ok()["totalHits"].clone()
            }
            _ => {
                let page = client.post("/indexes/items/documents/fetch").json(&json!({ "limit": 2 })).send();
                page.ok()["total"].clone()
            }
        };
        let most = ledger.sent.load(SeqCst);
        let total = total.as_u64().expect("a number");
        assert!(
            (least..=most).contains(&total),
            "{total} documents are found by {kind}, not {least} to {most}"
        );
        ledger.searches.fetch_add(1, SeqCst);
        ledger.slowest_ms.fetch_max(start.elapsed().as_millis() as u64, SeqCst);
    }
}

fn write(client: &Client, ledger: &Ledger) {
    while !ledger.stop.load(SeqCst) {
        let from = ledger.sent.fetch_add(BATCH, SeqCst);
        client.post("/indexes/items/documents").json(&documents(from, BATCH)).succeeds();
        ledger.done.fetch_add(BATCH, SeqCst);
        thread::sleep(Duration::from_millis(20));
    }
}

/// Runs `act` while clients search, and so many write.
fn under_load(client: &Client, ledger: &Ledger, writers: usize, act: impl FnOnce()) {
    thread::scope(|scope| {
        for kind in 0..READERS {
            scope.spawn(move || search(client, ledger, kind));
        }
        for _ in 0..writers {
            scope.spawn(|| write(client, ledger));
        }
        // Whatever becomes of it, the others end.
        let acted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        ledger.stop.store(true, SeqCst);
        if let Err(panic) = acted {
            std::panic::resume_unwind(panic);
        }
    });
    ledger.stop.store(false, SeqCst);
    println!(
        "{} searches, the slowest took {} ms; {} documents",
        ledger.searches.load(SeqCst),
        ledger.slowest_ms.load(SeqCst),
        ledger.done.load(SeqCst)
    );
}

fn change(client: &Client, change: &Value) {
    client.post("/_miroir/rebalance").json(change).send().ok();
}

fn settled(client: &Client, state: &str) -> Value {
    eventually("the fleet has changed", || {
        let status = client.get("/_miroir/rebalance").send().ok();
        (status["state"] == state).then_some(status)
    })
}

/// All documents are there once, and so they are on the nodes.
fn check(cluster: &mut Cluster, client: &Client, ledger: &Ledger, copies: u64) {
    let expected = ledger.done.load(SeqCst);
    let page = json!({ "limit": 1_000_000, "fields": ["id"], "sort": ["id:asc"] });
    let page = client.post("/indexes/items/documents/fetch").json(&page).send().ok();
    let ids: Vec<u64> = page["results"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|document| document["id"].as_u64())
        .collect();
    assert_eq!(ids, (0..expected).collect::<Vec<_>>());
    let stats = client.get("/indexes/items/stats").send().ok();
    assert_eq!(stats["numberOfDocuments"], expected);
    cluster.wait_until_applied();
    let fleet = client.get("/_miroir/nodes").send().ok();
    let members: Vec<&str> =
        fleet["nodes"].as_array().expect("nodes").iter().filter_map(|node| node["name"].as_str()).collect();
    let mut total = 0;
    for node in cluster.nodes().iter().filter(|node| members.contains(&node.name())) {
        total += node.client().get("/indexes/items/stats").send().ok()["numberOfDocuments"]
            .as_u64()
            .expect("a number");
    }
    assert_eq!(total, expected * copies, "on all nodes together");
}

#[test]
fn the_fleet_changes_while_clients_read_and_write() {
    let mut cluster = cluster(PROGRAM).nodes(3).start();
    let (client, ledger) = (cluster.client(), Ledger::default());
    load(&client, &ledger, from_environment("MIROIR_DOCUMENTS", 600) as u64);
    let n4 = cluster.spare_node("n4");
    under_load(&client, &ledger, 1, || {
        change(&client, &json!({ "add": { "nodes": [n4] } }));
        let status = settled(&client, "done");
        assert_eq!(status["shards"], status["shardsMoved"], "{status}");
        change(&client, &json!({ "drain": { "node": "n2" } }));
        settled(&client, "done");
        change(&client, &json!({ "remove": { "node": "n2" } }));
        settled(&client, "done");
    });
    check(&mut cluster, &client, &ledger, 1);
    let n5 = cluster.spare_node("n5");
    under_load(&client, &ledger, 1, || {
        change(&client, &json!({ "replace": { "node": "n1", "with": n5 } }));
        thread::sleep(Duration::from_millis(500));
        client.post("/_miroir/rebalance/abort").send().ok();
        settled(&client, "aborted");
    });
    check(&mut cluster, &client, &ledger, 1);
}

#[test]
fn a_change_survives_kills_of_the_gateway() {
    let mut cluster = cluster(PROGRAM).nodes(2).start();
    let (client, ledger) = (cluster.client(), Ledger::default());
    load(&client, &ledger, 500);
    let n3 = cluster.spare_node("n3");
    change(&client, &json!({ "add": { "nodes": [n3] } }));
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(300));
        cluster.gateway().kill();
        cluster.gateway().start();
    }
    settled(&client, "done");
    check(&mut cluster, &client, &ledger, 1);
    let nodes = client.get("/_miroir/nodes").send().ok();
    assert_eq!(nodes["nodes"].as_array().expect("nodes").len(), 3, "{nodes}");
}

#[test]
fn a_node_that_comes_back_empty_is_never_read_and_is_filled_anew() {
    let mut cluster = cluster(PROGRAM).nodes(2).groups(2).start();
    let (client, ledger) = (cluster.client(), Ledger::default());
    load(&client, &ledger, 600);
    cluster.wait_until_applied();
    let node = &mut cluster.nodes()[0];
    // Searches alone: what is written meanwhile is a test of its own, with nodes in memory.
    under_load(&client, &ledger, 0, || {
        node.stop();
        thread::sleep(Duration::from_millis(300));
        node.start_empty();
        settled(&client, "done");
    });
    check(&mut cluster, &client, &ledger, 2);
}
