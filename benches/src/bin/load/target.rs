//! A server under load.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, Uri};
use miroir_nodes::{Answer, Node, NodeConfig, NodeRequest};
use serde_json::Value;

/// How long any request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One index of a server.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// What it is called in the report.
    pub(crate) name: &'static str,
    node: Node,
    index: String,
}

// === impl Target ===

impl Target {
    pub(crate) fn new(name: &'static str, url: &str, key: Option<&str>, index: &str) -> Result<Self, String> {
        let wrong = || format!("{url}: write http://HOST:PORT");
        let authority = url.strip_prefix("http://").ok_or_else(wrong)?.trim_end_matches('/');
        let node = Node::new(NodeConfig {
            name: name.to_owned(),
            authority: authority.to_owned(),
            key: key.map(str::to_owned),
            connect_timeout: Duration::from_secs(5),
            max_idle: 1024,
            max_answer: 1 << 30,
        });
        Ok(Self { name, node: node.ok_or_else(wrong)?, index: index.to_owned() })
    }

    /// Some documents of the index.
    pub(crate) async fn documents(&self, limit: usize) -> Result<Vec<Value>, String> {
        let request = NodeRequest::get(self.path(&format!("documents?limit={limit}"))?);
        let page: Value = parsed(&self.ask(&request, StatusCode::OK).await?)?;
        Ok(page["results"].as_array().cloned().unwrap_or_default())
    }

    /// A search.
    pub(crate) async fn search(&self, query: Bytes) -> Result<(), String> {
        self.ask(&NodeRequest::query(self.path("search")?, query), StatusCode::OK).await.map(drop)
    }

    /// A document's write; its task.
    pub(crate) async fn write(&self, document: Bytes) -> Result<u64, String> {
        let request = NodeRequest::write(Method::POST, self.path("documents")?, document);
        let task: Value = parsed(&self.ask(&request, StatusCode::ACCEPTED).await?)?;
        task["taskUid"].as_u64().ok_or_else(|| format!("no task in {task}"))
    }

    /// How a task has ended, if it has.
    pub(crate) async fn ended(&self, task: u64) -> Result<Option<String>, String> {
        let path = format!("/tasks/{task}").parse().map_err(|_| "no such task".to_owned())?;
        let task: Value = parsed(&self.ask(&NodeRequest::get(path), StatusCode::OK).await?)?;
        let status = task["status"].as_str().unwrap_or_default();
        Ok((!matches!(status, "enqueued" | "processing")).then(|| status.to_owned()))
    }

    fn path(&self, end: &str) -> Result<Uri, String> {
        let path = format!("/indexes/{}/{end}", self.index);
        path.parse().map_err(|_| format!("`{}` is no name of an index", self.index))
    }

    async fn ask(&self, request: &NodeRequest, expected: StatusCode) -> Result<Bytes, String> {
        let Answer { status, body, .. } =
            self.node.ask(request, PATIENCE).await.map_err(|error| error.to_string())?;
        if status == expected {
            return Ok(body);
        }
        let error: Value = serde_json::from_slice(&body).unwrap_or_default();
        Err(format!("{status}: {}", error["message"].as_str().unwrap_or("no message")))
    }
}

fn parsed(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| format!("the answer is no JSON: {error}"))
}
