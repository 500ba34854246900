//! Tasks about tasks, indexes that change places, writes that come twice, and who is told.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use flate2::read::GzDecoder;
use miroir_tests::{Client, Cluster, cluster, eventually};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_miroir-under-test");

fn start() -> (Cluster, Client) {
    let cluster = cluster(PROGRAM).nodes(2).start();
    let client = cluster.client();
    (cluster, client)
}

fn add(client: &Client, index: &str, ids: std::ops::Range<u32>) -> u64 {
    let documents: Vec<Value> = ids.map(|id| json!({ "id": id, "name": format!("{index} {id}") })).collect();
    client.post(format!("/indexes/{index}/documents?primaryKey=id")).json(&json!(documents)).accepted()
}

fn count(client: &Client, index: &str) -> Value {
    client.get(format!("/indexes/{index}/stats")).send().ok()["numberOfDocuments"].clone()
}

#[test]
fn what_waits_for_nodes_that_are_down_can_be_canceled() {
    let (mut cluster, client) = start();
    client.ended(add(&client, "a", 0..10));
    cluster.nodes().iter_mut().for_each(miroir_tests::Node::stop);
    let tasks: Vec<u64> = (0..5).map(|round| add(&client, "b", round * 10..round * 10 + 10)).collect();
    let canceled: Value = client.post("/tasks/cancel?statuses=enqueued&indexUids=b").send().ok();
    let cancelation = client.ended(canceled["taskUid"].as_u64().expect("a task"));
    assert_eq!(cancelation["status"], "succeeded");
    let of = |uid: u64| client.get(format!("/tasks/{uid}")).send().ok();
    let gone: Vec<Value> =
        tasks.iter().map(|uid| of(*uid)).filter(|task| task["status"] == "canceled").collect();
    assert_eq!(cancelation["details"]["canceledTasks"], gone.len());
    assert!(gone.len() >= 4, "the first one may have been on its way: {gone:?}");
    assert!(gone.iter().all(|task| task["canceledBy"] == cancelation["uid"]));
    let batch = client.get(format!("/batches/{}", cancelation["batchUid"])).send().ok();
    assert_eq!(batch["stats"]["totalNbTasks"], gone.len() + 1);

    cluster.nodes().iter_mut().for_each(miroir_tests::Node::start);
    client.ended(add(&client, "b", 100..110));
    // Nodes that were away are asked again once a probe has seen them.
    let there = eventually("the nodes are seen", || {
        let stats = client.get("/indexes/b/stats").send();
        (stats.status == 200).then(|| stats.body["numberOfDocuments"].clone())
    });
    assert_eq!(there, (tasks.len() - gone.len()) * 10 + 10, "canceled documents are nowhere");

    let deleted = client.delete("/tasks?statuses=canceled").send().ok();
    let deletion = client.ended(deleted["taskUid"].as_u64().expect("a task"));
    assert_eq!(deletion["details"]["deletedTasks"], gone.len());
    assert_eq!(client.get(format!("/tasks/{}", gone[0]["uid"])).send().refused(404), "task_not_found");
}

#[test]
fn what_is_not_equal_is_deleted_from_nodes_that_do_not_know_the_attribute_too() {
    let (_cluster, client) = start();
    let settings = json!({ "filterableAttributes": ["kept", "ghost", "id", "tag"] });
    client.patch("/indexes/a/settings").json(&settings).succeeds();
    client.ended(add(&client, "a", 0..40));
    // One document alone has the attribute: of two nodes one knows nothing of it.
    client.put("/indexes/a/documents").json(&json!([{ "id": 7, "kept": true }])).succeeds();
    let nobodys =
        client.post("/indexes/a/documents/delete").json(&json!({ "filter": "ghost != 1" })).succeeds();
    assert_eq!(nobodys["details"]["deletedDocuments"], 0, "as in Meilisearch: nobody ever had it");
    let some = json!({ "filter": ["kept != true", "id < 20"] });
    let some = client.post("/indexes/a/documents/delete").json(&some).succeeds();
    assert_eq!(some["details"]["deletedDocuments"], 19);
    assert_eq!(some["details"]["originalFilter"], r#"["kept != true","id < 20"]"#, "as the client wrote it");
    // The attribute comes with a write that no node has done yet.
    client.put("/indexes/a/documents").json(&json!([{ "id": 30, "tag": "new" }])).accepted();
    let rest = client.post("/indexes/a/documents/delete").json(&json!({ "filter": "tag != new" })).accepted();
    assert_eq!(client.ended(rest)["details"]["deletedDocuments"], 20);
    assert_eq!(count(&client, "a"), 1);
}

#[test]
fn swapped_indexes_take_everything_along() {
    let (_cluster, client) = start();
    let first = add(&client, "a", 0..10);
    client.ended(first);
    client.ended(add(&client, "b", 0..3));
    client.patch("/indexes/a/settings").json(&json!({ "searchableAttributes": ["name"] })).succeeds();
    client.post("/swap-indexes").json(&json!([{ "indexes": ["a", "b"] }])).succeeds();
    assert_eq!((count(&client, "a"), count(&client, "b")), (json!(3), json!(10)));
    let settings = |index: &str| client.get(format!("/indexes/{index}/settings")).send().ok();
    assert_eq!(settings("b")["searchableAttributes"], json!(["name"]));
    assert_eq!(settings("a")["searchableAttributes"], json!(["*"]));
    assert_eq!(client.get(format!("/tasks/{first}")).send().ok()["indexUid"], "b");
    client.post("/swap-indexes").json(&json!([{ "indexes": ["a", "c"], "rename": true }])).succeeds();
    assert_eq!(count(&client, "c"), 3);
    assert_eq!(client.get("/indexes/a").send().refused(404), "index_not_found");
}

#[test]
fn a_write_with_a_key_is_done_once() {
    let (mut cluster, client) = start();
    let write = |client: &Client, key: &str, id: u32| {
        let request = client.post("/indexes/a/documents?primaryKey=id").header("Idempotency-Key", key);
        request.json(&json!([{ "id": id }])).send()
    };
    let first = write(&client, "one", 1).ok();
    let again: Vec<Value> = thread::scope(|scope| {
        let sends: Vec<_> = (0..4).map(|_| scope.spawn(|| write(&client, "one", 1).ok())).collect();
        sends.into_iter().map(|send| send.join().expect("answered")).collect()
    });
    assert!(again.iter().all(|answer| *answer == first), "{first} {again:?}");
    assert_eq!(write(&client, "one", 2).refused(409), "miroir_idempotency_key_reused");
    cluster.gateway().kill();
    cluster.gateway().start();
    assert_eq!(write(&client, "one", 1).ok(), first);
    assert_ne!(write(&client, "two", 2).ok()["taskUid"], first["taskUid"]);
    let tasks = eventually("both are done", || {
        let tasks = client.get("/tasks?statuses=succeeded").send().ok();
        (tasks["total"] == 2).then_some(tasks)
    });
    assert_eq!(tasks["results"].as_array().map(Vec::len), Some(2));
}

/// Answers every request with 200, but the first `failing` ones, and says which tasks it was sent.
fn listener(failing: usize) -> (String, mpsc::Receiver<Vec<Value>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook?x=y", listener.local_addr().expect("an address"));
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(stream) = stream else { return };
            let tasks = told(&stream);
            let status = if number < failing { "500 Oops" } else { "200 OK" };
            // Whoever asks has gone away where this fails.
            let _ = write!(&stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            if number >= failing && sender.send(tasks).is_err() {
                return;
            }
        }
    });
    (url, receiver)
}

fn told(stream: &TcpStream) -> Vec<Value> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut head = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line.to_lowercase());
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    assert!(head.starts_with("post /hook?x=y"), "{head}");
    assert!(head.contains("content-encoding: gzip") && head.contains("x-secret: s"), "{head}");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let mut text = String::new();
    GzDecoder::new(&body[..]).read_to_string(&mut text).expect("gzip");
    text.lines().map(|line| serde_json::from_str(line).expect("a task")).collect()
}

#[test]
fn webhooks_are_told_of_every_task_once() {
    let (mut cluster, client) = start();
    let (url, heard) = listener(1);
    let webhook =
        client.post("/webhooks").json(&json!({ "url": url, "headers": { "X-Secret": "s" } })).send();
    assert_eq!(webhook.status, 201, "{}", webhook.text);
    let uuid = webhook.body["uuid"].as_str().expect("a uuid").to_owned();
    let tasks: Vec<u64> = (0..5).map(|round| add(&client, "a", round * 5..round * 5 + 5)).collect();
    let mut told: Vec<Value> = Vec::new();
    while told.len() < tasks.len() {
        told.extend(heard.recv_timeout(Duration::from_secs(30)).expect("the webhook is called"));
    }
    let uids: Vec<u64> = told.iter().filter_map(|task| task["uid"].as_u64()).collect();
    assert_eq!(uids, tasks);
    assert!(told.iter().all(|task| task["status"] == "succeeded" && task["finishedAt"].is_string()));
    // They are off the list before the gateway is killed, or are told again: at least once.
    cluster.gateway().kill();
    cluster.gateway().start();
    let last = add(&client, "a", 90..91);
    eventually("the last task is told", || {
        let told = heard.recv_timeout(Duration::from_secs(30)).expect("the webhook is called");
        told.iter().any(|task| task["uid"] == last).then_some(())
    });
    assert_eq!(client.delete(format!("/webhooks/{uuid}")).send().status, 204);
    assert_eq!(client.get(format!("/webhooks/{uuid}")).send().refused(404), "webhook_not_found");
}
