//! A node on a free port, and a small client for it.

use std::path::Path;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use miroir_node::{Node, NodeConfig, NodeHandle};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The key of every node under test.
pub(crate) const KEY: &str = "masterKey";

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// A client of one node.
#[derive(Clone)]
pub(crate) struct Client {
    url: String,
    http: HyperClient<HttpConnector, Full<Bytes>>,
}

/// A node that runs in this process, with its data.
pub(crate) struct TestNode {
    pub(crate) client: Client,
    pub(crate) directory: TempDir,
    handle: NodeHandle,
}

/// A configuration for a node on a free port.
pub(crate) fn config(directory: &Path) -> NodeConfig {
    NodeConfig::new(([127, 0, 0, 1], 0).into(), directory).with_master_key(KEY)
}

impl TestNode {
    /// Starts an empty node.
    pub(crate) async fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("a temporary directory")).await
    }

    /// Starts a node on data that are there already.
    pub(crate) async fn start_in(directory: TempDir) -> Self {
        let handle = Node::start(config(directory.path())).await.expect("the node starts");
        Self { client: Client::new(handle.url()), directory, handle }
    }

    /// Stops the node and keeps its data.
    pub(crate) async fn stop(self) -> TempDir {
        self.handle.shutdown().await;
        self.directory
    }

    /// Stops the node and starts another one on its data.
    pub(crate) async fn restart(self) -> Self {
        Self::start_in(self.stop().await).await
    }
}

impl std::ops::Deref for TestNode {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Client {
    pub(crate) fn new(url: String) -> Self {
        Self { url, http: HyperClient::builder(TokioExecutor::new()).build_http() }
    }

    /// Sends a request; `None` when the node cannot be reached.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Option<(u16, Value)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("Authorization", format!("Bearer {KEY}"))
            .header("Content-Type", content_type)
            .body(Full::new(body.into()))
            .expect("a request");
        let response = self.http.request(request).await.ok()?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("JSON") };
        Some((status, body))
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> (u16, Value) {
        self.try_send(method, path, content_type, body).await.expect("the node answers")
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.send(Method::GET, path, "application/json", "").await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::POST, path, "application/json", body.to_string()).await
    }

    /// Sends a write that must be accepted; the uid of its task.
    pub(crate) async fn enqueue(&self, method: Method, path: &str, body: Value) -> u64 {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, task) = self.send(method, path, "application/json", body).await;
        assert_eq!(status, 202, "{path}: {task}");
        task["taskUid"].as_u64().expect("a uid")
    }

    /// Sends a write and waits for its task.
    pub(crate) async fn write(&self, method: Method, path: &str, body: Value) -> Value {
        let uid = self.enqueue(method, path, body).await;
        self.finished(uid).await
    }

    /// Sends a write that must succeed.
    pub(crate) async fn done(&self, method: Method, path: &str, body: Value) -> Value {
        let task = self.write(method, path, body).await;
        assert_eq!(task["status"], "succeeded", "{path}: {task}");
        task
    }

    /// The task once it has ended.
    pub(crate) async fn finished(&self, uid: u64) -> Value {
        let start = Instant::now();
        loop {
            let (status, task) = self.get(&format!("/tasks/{uid}")).await;
            assert_eq!(status, 200, "{task}");
            if !matches!(task["status"].as_str(), Some("enqueued" | "processing")) {
                return task;
            }
            assert!(start.elapsed() < DEADLINE, "task does not end: {task}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The hits of a search, each as the value of one field.
    pub(crate) async fn search(&self, index: &str, query: Value, field: &str) -> Vec<Value> {
        let (status, answer) = self.post(&format!("/indexes/{index}/search"), query).await;
        assert_eq!(status, 200, "{answer}");
        answer["hits"].as_array().expect("hits").iter().map(|hit| hit[field].clone()).collect()
    }
}

/// A few films.
pub(crate) fn films() -> Value {
    json!([
        { "id": 1, "title": "Star Wars", "year": 1977, "genre": "Adventure", "director": "George Lucas" },
        { "id": 2, "title": "Star Trek", "year": 1979, "genre": "Adventure", "director": "Robert Wise" },
        { "id": 3, "title": "War Games", "year": 1983, "genre": "Thriller", "director": "John Badham" },
        { "id": 4, "title": "The Godfather", "year": 1972, "genre": "Drama", "cast": [{ "name": "Al Pacino" }] },
        { "id": 5, "title": "A Star Is Born", "year": 1976, "genre": "Drama" },
    ])
}

/// A node with the films in `films`, ready to filter and sort.
pub(crate) async fn node_with_films() -> TestNode {
    let node = TestNode::start().await;
    let settings = json!({
        "filterableAttributes": ["year", "genre", "director"],
        "sortableAttributes": ["year", "title", "director"],
        "searchableAttributes": ["title", "director", "cast.name"],
    });
    node.done(Method::PATCH, "/indexes/films/settings", settings).await;
    node.done(Method::POST, "/indexes/films/documents", films()).await;
    node
}
