//! Keys, health, stopping, and what happens around the process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Client, KEY, TestNode, config};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;
use miroir_node::Node;
use serde_json::{Value, json};

async fn status_with(url: &str, path: &str, authorization: Option<&str>) -> (u16, Value) {
    let mut request = Request::get(format!("{url}{path}"));
    if let Some(authorization) = authorization {
        request = request.header("Authorization", authorization);
    }
    let http = HyperClient::builder(TokioExecutor::new()).build_http();
    let request = request.body(Empty::<Bytes>::new()).expect("a request");
    let response = http.request(request).await.expect("the node answers");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn only_the_master_key_opens_and_health_needs_none() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let node = Node::start(config(directory.path())).await.expect("the node starts");
    let url = node.url();
    assert_eq!(status_with(&url, "/health", None).await.1, json!({ "status": "available" }));
    assert_eq!(status_with(&url, "/version", Some(&format!("Bearer {KEY}"))).await.1["pkgVersion"], "1.15.1");
    let (status, error) = status_with(&url, "/version", None).await;
    assert_eq!((status, &error["code"]), (401, &json!("missing_authorization_header")));
    let (status, error) = status_with(&url, "/version", Some("Bearer other")).await;
    assert_eq!((status, &error["code"]), (403, &json!("invalid_api_key")));
    assert_eq!(status_with(&url, "/nope", None).await.0, 404);
    node.shutdown().await;
}

#[tokio::test]
async fn second_node_on_the_same_data_is_refused() {
    let first = TestNode::start().await;
    let error = Node::start(config(first.directory.path())).await.expect_err("refused");
    assert!(error.to_string().ends_with("another node is using it"), "{error}");
    first.stop().await;
}

#[tokio::test]
async fn several_nodes_run_in_one_process() {
    let nodes = [TestNode::start().await, TestNode::start().await, TestNode::start().await];
    for (id, node) in nodes.iter().enumerate() {
        node.done(Method::POST, "/indexes/a/documents", json!([{ "id": id }])).await;
    }
    for (id, node) in nodes.into_iter().enumerate() {
        assert_eq!(node.search("a", json!({}), "id").await, [json!(id)]);
        node.stop().await;
    }
}

/// A node as a process of its own.
struct Process {
    child: Child,
    client: Client,
}

impl Process {
    fn start(directory: &std::path::Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_miroir-node"))
            .args(["--http-addr", "127.0.0.1:0", "--master-key", KEY, "--db-path"])
            .arg(directory)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let url = lines.find_map(|line| {
            let line = line.expect("a line");
            line.strip_prefix("listening on ").map(str::to_owned)
        });
        let url = url.expect("the program says where it listens");
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, client: Client::new(url) }
    }

    fn kill(&mut self) {
        self.child.kill().expect("the program is killed");
        self.child.wait().expect("the program is gone");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone where the test has killed it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every round adds documents, deletes one of each addition and kills the node at another moment. A deletion that is applied
/// twice gives itself away: the second time there is nothing to delete.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_node_goes_on_and_applies_nothing_twice() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut accepted = Vec::new();
    for round in 0..6_u64 {
        let mut process = Process::start(directory.path());
        let kill_at = Instant::now() + Duration::from_millis(40 + 70 * round);
        for step in 0.. {
            if Instant::now() > kill_at {
                break;
            }
            let id = round * 10_000 + step * 10;
            let documents: Vec<_> =
                (id..id + 10).map(|id| json!({ "id": id, "text": format!("text {id}") })).collect();
            accepted.push((
                process.client.enqueue(Method::POST, "/indexes/a/documents", documents.into()).await,
                id,
                10,
            ));
            let deleted = format!("/indexes/a/documents/{id}");
            accepted.push((process.client.enqueue(Method::DELETE, &deleted, Value::Null).await, id, 1));
        }
        process.kill();
    }
    let process = Process::start(directory.path());
    let client = &process.client;
    let (mut documents, mut last) = (0, None);
    for (uid, _, count) in &accepted {
        assert!(last < Some(*uid), "uids grow");
        last = Some(*uid);
        let task = client.finished(*uid).await;
        assert_eq!(task["status"], "succeeded", "{task}");
        let details = &task["details"];
        // A deletion that had been applied before it was applied again would find nothing to delete.
        let done = details["indexedDocuments"].as_u64().or(details["deletedDocuments"].as_u64());
        assert_eq!(done, Some(*count), "{task}");
        documents += if *count == 1 { -1 } else { 10 };
    }
    let (_, stats) = client.get("/indexes/a/stats").await;
    assert_eq!(stats["numberOfDocuments"], json!(documents));
    let (_, tasks) = client.get("/tasks").await;
    assert_eq!(tasks["total"], json!(accepted.len()));
}
