//! A client as any other: JSON over HTTP, connections kept alive.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

use crate::{
    runtime::wait_for,
    wait::{DEADLINE, eventually},
};

/// Asks one server, wherever it is at the moment. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    address: Address,
    key: Option<String>,
    http: HyperClient<HttpConnector, Full<Bytes>>,
}

/// Where a server listens; another place after each start.
#[derive(Clone, Debug)]
pub(crate) struct Address(Arc<Mutex<SocketAddr>>);

/// A request that is being put together.
#[derive(Clone, Debug)]
#[must_use = "a request is sent by one of its last methods"]
pub struct Request {
    client: Client,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; null where it is empty, and a text where it is no JSON.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

/// No answer, or not a whole one.
#[derive(Debug)]
pub struct Unreachable(pub String);

// === impl Address ===

impl Address {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self(Arc::new(Mutex::new(address)))
    }

    pub(crate) fn get(&self) -> SocketAddr {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, address: SocketAddr) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }
}

// === impl Client ===

impl Client {
    pub(crate) fn new(address: Address, key: &str) -> Self {
        let http = HyperClient::builder(TokioExecutor::new()).build_http();
        Self { address, key: Some(key.to_owned()), http }
    }

    /// The same client with another key, or none.
    #[must_use]
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self.clone() }
    }

    /// Where the server is now.
    pub fn address(&self) -> SocketAddr {
        self.address.get()
    }

    /// A request.
    pub fn request(&self, method: Method, path: impl Into<String>) -> Request {
        let key = self.key.iter().map(|key| ("authorization".to_owned(), format!("Bearer {key}")));
        Request {
            client: self.clone(),
            method,
            path: path.into(),
            headers: key.collect(),
            body: Bytes::new(),
        }
    }

    /// A `GET`.
    pub fn get(&self, path: impl Into<String>) -> Request {
        self.request(Method::GET, path)
    }

    /// A `POST`.
    pub fn post(&self, path: impl Into<String>) -> Request {
        self.request(Method::POST, path)
    }

    /// A `PUT`.
    pub fn put(&self, path: impl Into<String>) -> Request {
        self.request(Method::PUT, path)
    }

    /// A `PATCH`.
    pub fn patch(&self, path: impl Into<String>) -> Request {
        self.request(Method::PATCH, path)
    }

    /// A `DELETE`.
    pub fn delete(&self, path: impl Into<String>) -> Request {
        self.request(Method::DELETE, path)
    }

    /// A search in an index.
    pub fn search(&self, index: &str, query: &Value) -> Answer {
        self.post(format!("/indexes/{index}/search")).json(query).send()
    }

    /// A task once it has ended. Being unreachable for a while does not count.
    pub fn ended(&self, task: u64) -> Value {
        eventually(&format!("task {task} ends"), || {
            let answer = self.get(format!("/tasks/{task}")).try_send().ok()?;
            assert_eq!(answer.status, 200, "task {task}: {}", answer.text);
            let waits = matches!(answer.body["status"].as_str(), Some("enqueued" | "processing"));
            (!waits).then_some(answer.body)
        })
    }
}

// === impl Request ===

impl Request {
    /// With a header more.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// With lines of JSON as the body.
    pub fn ndjson(self, lines: &[&str]) -> Self {
        self.header("content-type", "application/x-ndjson").body(lines.join("\n"))
    }

    /// With a body of any kind.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it; fails the test where there is no answer.
    pub fn send(self) -> Answer {
        let what = format!("{} {}", self.method, self.path);
        self.try_send().unwrap_or_else(|Unreachable(error)| panic!("{what}: {error}"))
    }

    /// Sends it.
    pub fn try_send(self) -> Result<Answer, Unreachable> {
        wait_for(self.answer(DEADLINE))
    }

    /// Sends it, and waits so long for the answer.
    pub(crate) async fn answer(self, deadline: Duration) -> Result<Answer, Unreachable> {
        let exchange = tokio::time::timeout(deadline, self.exchange());
        exchange.await.unwrap_or_else(|_| Err(Unreachable("no answer in time".to_owned())))
    }

    /// Sends a write that has to be accepted; its task.
    pub fn accepted(self) -> u64 {
        let answer = self.send();
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.task()
    }

    /// Sends a write and waits for the end of its task.
    pub fn ended(self) -> Value {
        let client = self.client.clone();
        let task = self.accepted();
        client.ended(task)
    }

    /// Sends a write that has to succeed; its task.
    pub fn succeeds(self) -> Value {
        let task = self.ended();
        assert_eq!(task["status"], "succeeded", "{task}");
        task
    }

    async fn exchange(self) -> Result<Answer, Unreachable> {
        let unreachable = |error: &dyn std::error::Error| {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            Unreachable(format!("{error}{cause}"))
        };
        let uri = format!("http://{}{}", self.client.address(), self.path);
        let mut request = http::Request::builder().method(self.method).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        // Said always, as most clients do: a server may ask for it where a body is expected.
        if !self.body.is_empty() {
            request = request.header(header::CONTENT_LENGTH, self.body.len());
        }
        let request = request.body(Full::new(self.body)).map_err(|error| unreachable(&error))?;
        let response = self.client.http.request(request).await.map_err(|error| unreachable(&error))?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map_err(|error| unreachable(&error))?.to_bytes();
        Ok(Answer::new(parts.status.as_u16(), parts.headers, &bytes))
    }
}

// === impl Answer ===

impl Answer {
    fn new(status: u16, headers: HeaderMap, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let body = match serde_json::from_slice(bytes) {
            Ok(body) => body,
            Err(_) if text.is_empty() => Value::Null,
            Err(_) => Value::from(text.as_str()),
        };
        Self { status, headers, body, text }
    }

    /// The body of an answer that has to be a good one.
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, self.text);
        self.body
    }

    /// The code of an answer that has to be an error of this status.
    pub fn refused(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{}", self.text);
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The task that an accepted write became.
    pub fn task(&self) -> u64 {
        self.body["taskUid"].as_u64().unwrap_or_else(|| panic!("no task: {}", self.text))
    }

    /// The text of a header, empty where it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
