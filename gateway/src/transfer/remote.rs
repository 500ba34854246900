//! A running server with Meilisearch's API: one that content comes from, or goes to.

use std::{collections::VecDeque, path::PathBuf, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use miroir_nodes::{Answer, Node, NodeConfig, NodeRequest, Tls, full};
use serde_json::{Value, json};

use super::TransferError;

/// Long enough for a payload into a server that is busy.
const TIMEOUT: Duration = Duration::from_secs(120);
const CONNECT: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);
/// The largest answer: one page of long documents.
const MAX_ANSWER: usize = 512 << 20;
/// Payloads that may wait at the server at once.
const WAITING: usize = 8;
/// How often a request that got no answer is sent again. Everything sent here may come twice.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// A client of one server.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    name: String,
    /// The path below which the server is: that of a proxy before it.
    base: String,
    node: Node,
}

/// Tasks that a server was given and has not ended yet, as far as is known.
#[derive(Debug, Default)]
pub(crate) struct Waiting(VecDeque<u64>);

impl Remote {
    /// The server at a URL.
    pub(crate) fn new(
        url: &str,
        key: Option<String>,
        authorities: Option<PathBuf>,
    ) -> Result<Self, TransferError> {
        let wrong = || TransferError::Url(url.to_owned());
        let uri: Uri = url.trim_end_matches('/').parse().map_err(|_| wrong())?;
        let by_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        if uri.query().is_some() {
            return Err(wrong());
        }
        let port = uri.port_u16().unwrap_or(if by_tls { 443 } else { 80 });
        let node = Node::new(NodeConfig {
            name: url.to_owned(),
            authority: format!("{}:{port}", uri.host().ok_or_else(wrong)?),
            key,
            connect_timeout: CONNECT,
            max_idle: 4,
            max_answer: MAX_ANSWER,
        })
        .ok_or_else(wrong)?;
        let node = if by_tls { node.with_tls(Tls::new(authorities)?) } else { node };
        Ok(Self { name: url.to_owned(), base: uri.path().trim_end_matches('/').to_owned(), node })
    }

    /// A `GET`.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, TransferError> {
        self.json(Method::GET, path, None).await
    }

    /// A `GET` of what may not be there.
    pub(crate) async fn find(&self, path: &str) -> Result<Option<Value>, TransferError> {
        let answer = self.ask(&Method::GET, path, None, Bytes::new()).await?;
        if answer.status == StatusCode::NOT_FOUND { Ok(None) } else { self.read(path, &answer).map(Some) }
    }

    /// A request with a body of JSON.
    pub(crate) async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, TransferError> {
        let answer = self.answer(&method, path, body).await?;
        self.read(path, &answer)
    }

    /// The whole answer to a request with a body of JSON.
    pub(crate) async fn answer(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, TransferError> {
        let json = body.map(|_| HeaderValue::from_static("application/json"));
        let bytes = body.map(Value::to_string).unwrap_or_default();
        self.ask(method, path, json, bytes.into()).await
    }

    /// Sends a write and waits until its task has ended well.
    pub(crate) async fn write(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(), TransferError> {
        let answer = self.json(method, path, body).await?;
        self.wait(self.task_uid(path, &answer)?).await
    }

    /// Sends lines of documents. Their task is waited for later, see [`Remote::settle`].
    pub(crate) async fn documents(
        &self,
        index: &str,
        lines: Bytes,
        waiting: &mut Waiting,
    ) -> Result<(), TransferError> {
        while waiting.0.len() >= WAITING {
            if let Some(task) = waiting.0.pop_front() {
                self.wait(task).await?;
            }
        }
        let path = format!("/indexes/{index}/documents");
        let kind = HeaderValue::from_static("application/x-ndjson");
        let answer = self.ask(&Method::POST, &path, Some(kind), lines).await?;
        waiting.0.push_back(self.task_uid(&path, &self.read(&path, &answer)?)?);
        Ok(())
    }

    /// Waits until everything that waits has ended well.
    pub(crate) async fn settle(&self, waiting: &mut Waiting) -> Result<(), TransferError> {
        while let Some(task) = waiting.0.pop_front() {
            self.wait(task).await?;
        }
        Ok(())
    }

    /// All of a list that comes in pages by `offset` and `limit`.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>, TransferError> {
        const PAGE: usize = 100;
        let mut all = Vec::new();
        loop {
            let page = self.get(&format!("{path}?offset={}&limit={PAGE}", all.len())).await?;
            let results = page["results"].as_array().cloned().unwrap_or_default();
            let last = results.len() < PAGE;
            all.extend(results);
            if last {
                return Ok(all);
            }
        }
    }

    /// Makes an index with this primary key, if it is not there.
    pub(crate) async fn ensure_index(&self, uid: &str, primary_key: &Value) -> Result<(), TransferError> {
        if self.find(&format!("/indexes/{uid}")).await?.is_some() {
            return Ok(());
        }
        let body = json!({ "uid": uid, "primaryKey": primary_key });
        self.write(Method::POST, "/indexes", Some(&body)).await
    }

    async fn wait(&self, task: u64) -> Result<(), TransferError> {
        loop {
            let view = self.get(&format!("/tasks/{task}")).await?;
            match view["status"].as_str() {
                Some("succeeded") => return Ok(()),
                Some("failed" | "canceled") => {
                    let message = view["error"]["message"].as_str().unwrap_or("canceled").to_owned();
                    return Err(TransferError::Task { server: self.name.clone(), task, message });
                }
                _ => tokio::time::sleep(LOOK).await,
            }
        }
    }

    fn task_uid(&self, what: &str, answer: &Value) -> Result<u64, TransferError> {
        answer["taskUid"].as_u64().ok_or_else(|| self.nonsense(what))
    }

    /// The error of an answer that is not what it should be.
    pub(crate) fn nonsense(&self, what: &str) -> TransferError {
        TransferError::Nonsense { server: self.name.clone(), what: what.to_owned() }
    }

    fn read(&self, what: &str, answer: &Answer) -> Result<Value, TransferError> {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status.is_success() {
            return Ok(value);
        }
        let message = value["message"].as_str().map_or_else(|| answer.status.to_string(), str::to_owned);
        Err(TransferError::Refused { server: self.name.clone(), what: what.to_owned(), message })
    }

    async fn ask(
        &self,
        method: &Method,
        path: &str,
        kind: Option<HeaderValue>,
        body: Bytes,
    ) -> Result<Answer, TransferError> {
        let uri: Uri = format!("{}{path}", self.base).parse().map_err(|_| self.nonsense(path))?;
        let mut tries = 0;
        loop {
            tries += 1;
            let asked = match (*method == Method::GET, &kind) {
                (true, _) => self.node.ask(&NodeRequest::get(uri.clone()), TIMEOUT).await,
                (_, kind) => {
                    let mut request = Request::new(full(body.clone()));
                    *request.method_mut() = method.clone();
                    *request.uri_mut() = uri.clone();
                    if let Some(kind) = kind {
                        request.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
                    }
                    self.node.ask_once(request, TIMEOUT).await
                }
            };
            match asked {
                // Busy, starting or shutting down: that passes.
                Ok(answer) if is_busy(answer.status) && tries < TRIES => {}
                Ok(answer) => return Ok(answer),
                Err(_) if tries < TRIES => {}
                Err(error) => return Err(TransferError::Unreachable { server: self.name.clone(), error }),
            }
            tokio::time::sleep(PAUSE * tries).await;
        }
    }
}

fn is_busy(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::GATEWAY_TIMEOUT
    )
}
