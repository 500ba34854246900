//! `kill -9` of the gateway, and ends of its nodes, while documents are being added: what was accepted is there afterwards,
//! once, on every copy, and the copies are equal.
//!
//! `MIROIR_CRASHES`, `MIROIR_NODE_CRASHES` (of each node), `MIROIR_DOCUMENTS` and `MIROIR_REQUESTS` set the size of the run;
//! 50, 20, 1000000 and 5000 are the full one. Real servers (`MEILISEARCH_BIN`) are killed, embedded nodes shut down.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use miroir_tests::{Client, Cluster, Dice, cluster, eventually, eventually_within, from_environment};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_miroir-under-test");
/// Clients that write at once.
const WRITERS: usize = 4;
/// A kill comes up to so many microseconds after the moment it waits for.
const JITTER: usize = 40_000;
/// Within this time some task ends, as long as any is open: a node does all that waits in one batch.
const BATCH: Duration = Duration::from_secs(900);
/// Documents looked at in one request at the end.
const PAGE: usize = 5_000;

/// The size of a run.
#[derive(Clone, Copy)]
struct Sizes {
    documents: usize,
    requests: usize,
    crashes: usize,
    /// Ends of each node.
    node_crashes: usize,
}

/// What the clients have been told.
#[derive(Default)]
struct Record {
    next: AtomicUsize,
    accepted: AtomicUsize,
    broken: AtomicUsize,
    /// Task and request.
    tasks: Mutex<BTreeMap<u64, usize>>,
}

#[test]
fn nothing_accepted_is_lost_and_nothing_is_there_twice() {
    let sizes = Sizes {
        documents: from_environment("MIROIR_DOCUMENTS", 50_000),
        requests: from_environment("MIROIR_REQUESTS", 500),
        crashes: from_environment("MIROIR_CRASHES", 10),
        node_crashes: from_environment("MIROIR_NODE_CRASHES", 2),
    };
    let mut dice = Dice::from_environment();
    let mut cluster = cluster(PROGRAM).nodes(2).groups(2).start();
    let client = cluster.client();
    client.post("/indexes").json(&json!({ "uid": "items", "primaryKey": "id" })).succeeds();

    let record = Record::default();
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            let client = cluster.client();
            scope.spawn(|| write(client, sizes, &record));
        }
        crash(&mut cluster, sizes, &record, &mut dice);
    });
    let broken = record.broken.load(SeqCst);
    println!("{} requests accepted, {broken} sends broken off by {} kills", sizes.requests, sizes.crashes);

    check_tasks(&client, sizes, &record);
    cluster.wait_until_applied();
    check_documents(&client, sizes);
    check_nodes(&mut cluster, sizes);
    check_copies(&mut cluster, sizes);
}

/// Sends requests until all are accepted; one that breaks off is sent again, as a careful client does.
fn write(client: Client, sizes: Sizes, record: &Record) {
    loop {
        let number = record.next.fetch_add(1, SeqCst);
        if number >= sizes.requests {
            return;
        }
        let documents = documents(number, sizes);
        let task = eventually("a request is accepted", || {
            match client.post("/indexes/items/documents").json(&documents).try_send() {
                Ok(answer) => {
                    assert_eq!(answer.status, 202, "{}", answer.text);
                    Some(answer.task())
                }
                Err(_) => {
                    record.broken.fetch_add(1, SeqCst);
                    None
                }
            }
        });
        let earlier = record.tasks.lock().unwrap_or_else(PoisonError::into_inner).insert(task, number);
        assert_eq!(earlier, None, "task {task} was given twice");
        record.accepted.fetch_add(1, SeqCst);
    }
}

fn documents(request: usize, sizes: Sizes) -> Value {
    let each = sizes.documents / sizes.requests;
    let document = |number: usize| json!({ "id": number, "request": request, "text": format!("item number {number} of many"), "even": number % 2 });
    (request * each..(request + 1) * each).map(document).collect()
}

/// Kills the gateway at moments spread over the writing, and then some more, while what was accepted is being applied.
fn crash(cluster: &mut Cluster, sizes: Sizes, record: &Record, dice: &mut Dice) {
    let nodes = cluster.nodes().len();
    let mut victims = vec![None; sizes.crashes];
    victims.extend((0..nodes).flat_map(|node| vec![Some(node); sizes.node_crashes]));
    let afterwards = victims.len().div_ceil(3);
    let mut moments: Vec<(usize, Option<usize>)> = Vec::new();
    while !victims.is_empty() {
        let victim = victims.swap_remove(dice.below(victims.len()));
        let late = moments.len() < afterwards;
        moments.push((if late { sizes.requests } else { dice.below(sizes.requests) }, victim));
    }
    moments.sort_by_key(|(moment, _)| *moment);
    for (moment, victim) in moments {
        eventually("writing goes on", || (record.accepted.load(SeqCst) >= moment).then_some(()));
        thread::sleep(Duration::from_micros(dice.below(JITTER) as u64));
        match victim {
            None => {
                cluster.gateway().kill();
                cluster.gateway().start();
            }
            Some(node) => {
                cluster.nodes()[node].stop();
                thread::sleep(Duration::from_micros(dice.below(JITTER) as u64));
                cluster.nodes()[node].start();
            }
        }
    }
}

/// Every accepted task has succeeded, uids have no gaps, none is stuck.
fn check_tasks(client: &Client, sizes: Sizes, record: &Record) {
    let tasks = record.tasks.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let open = || {
        let page = client.get("/tasks?statuses=enqueued,processing&limit=1").try_send().ok()?;
        page.body["total"].as_u64()
    };
    let mut left = u64::MAX;
    while left > 0 {
        let some_end = || open().filter(|now| *now < left);
        left = eventually_within(BATCH, "some tasks end", some_end);
    }
    for task in tasks.keys() {
        let ended = client.ended(*task);
        assert_eq!(ended["status"], "succeeded", "{ended}");
        assert_eq!(ended["details"]["indexedDocuments"], sizes.documents / sizes.requests, "{ended}");
    }
    // A request that broke off may have been accepted too, without its client hearing of it.
    let all = client.get("/tasks?limit=100000").send().ok();
    let uids: BTreeSet<u64> = entries(&all).iter().filter_map(|task| task["uid"].as_u64()).collect();
    let count = uids.len() as u64;
    assert_eq!(uids, (0..count).collect(), "uids have gaps");
    assert!(tasks.keys().all(|task| uids.contains(task)));
    for task in uids {
        client.ended(task);
    }
}

/// In one listing: what a client wrote twice, as it had not heard of the first time, may stand elsewhere in another group, and
/// pages come from another one where a node of the first is slow.
fn check_documents(client: &Client, sizes: Sizes) {
    let mut found = BTreeMap::<u64, usize>::new();
    let all = json!({ "limit": sizes.documents + 1, "fields": ["id"] });
    let page = client.post("/indexes/items/documents/fetch").json(&all).send().ok();
    assert_eq!(page["total"], sizes.documents);
    for document in entries(&page) {
        *found.entry(document["id"].as_u64().expect("an id")).or_default() += 1;
    }
    assert_eq!(found.len(), sizes.documents, "documents are missing");
    assert!(found.values().all(|times| *times == 1), "documents are there twice");
}

/// The nodes themselves: together they hold each document once, and no dispatch came to a node twice.
fn check_nodes(cluster: &mut Cluster, sizes: Sizes) {
    let mut total = 0;
    for node in cluster.nodes() {
        let client = node.client();
        let stats = client.get("/indexes/items/stats").send().ok();
        total += stats["numberOfDocuments"].as_u64().expect("a number");
        let tasks = client.get("/tasks?limit=100000").send().ok();
        let mut tags = BTreeSet::new();
        for task in entries(&tasks) {
            assert_eq!(task["status"], "succeeded", "{}: {task}", node.name());
            if let Some(tag) = task["customMetadata"].as_str() {
                assert!(tags.insert(tag.to_owned()), "{} has {tag} twice", node.name());
            }
        }
        println!("{}: {} tasks, {} documents", node.name(), tags.len(), stats["numberOfDocuments"]);
    }
    assert_eq!(total, 2 * sizes.documents as u64, "on all nodes of both groups together");
}

/// The documents of one group are those of the other, field by field, the internal one too.
fn check_copies(cluster: &mut Cluster, sizes: Sizes) {
    let all = |nodes: &[miroir_tests::Node]| {
        let mut found = BTreeMap::new();
        for client in nodes.iter().map(miroir_tests::Node::client) {
            for offset in (0..sizes.documents + PAGE).step_by(PAGE) {
                let page =
                    client.get(format!("/indexes/items/documents?offset={offset}&limit={PAGE}")).send().ok();
                for document in entries(&page) {
                    let id = document["id"].as_u64().expect("an id");
                    assert!(found.insert(id, document.clone()).is_none(), "{id} is twice in a group");
                }
            }
        }
        found
    };
    let (one, other) = cluster.nodes().split_at(2);
    assert!(all(one) == all(other), "the groups hold different documents");
}

fn entries(page: &Value) -> &[Value] {
    page["results"].as_array().map_or(&[], Vec::as_slice)
}
