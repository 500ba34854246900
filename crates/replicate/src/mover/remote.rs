//! What is asked of nodes beside searches and the log: lists, copies, whether tasks are done.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, Uri};
use miroir_nodes::{Answer, Node, NodeRequest};
use miroir_protocol::error::ResponseError;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};
use tokio::time::{sleep, timeout};

use crate::applier::{Blame, NodeTasks, Report};

const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a node that has nothing else to do may take over a task.
const WRITE: Duration = Duration::from_secs(120);
/// How often tasks are looked at.
const POLL: Duration = Duration::from_millis(10);
/// More than any slot holds.
const ALL: u32 = 10_000_000;

/// Why a step of a move was not done. It is tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MoveError {
    /// A node does not do what it is asked.
    #[error("node `{node}`: {reason}")]
    Node {
        /// The node.
        node: String,
        /// Why.
        reason: String,
    },
    /// There is nobody to copy from.
    #[error("no copy of shard {0} can be read")]
    NoSource(u16),
    /// The plan has changed.
    #[error("the plan has changed")]
    Changed,
    /// The log or the map cannot be read or written.
    #[error("{0}")]
    Stored(String),
    /// The log has no room for what has to be kept.
    #[error("no space left for the write log")]
    Full,
}

/// An index as a node lists it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    pub(crate) uid: String,
    #[serde(default)]
    pub(crate) primary_key: Option<String>,
}

#[derive(Deserialize)]
struct List<T> {
    results: Vec<T>,
}

/// Documents as a node gave them, each as its text.
#[derive(Debug, Deserialize)]
pub(crate) struct Documents {
    pub(crate) results: Vec<Box<RawValue>>,
    pub(crate) total: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    task_uid: u32,
}

/// One node.
pub(crate) struct Remote<'a>(pub(crate) &'a Node);

impl Remote<'_> {
    pub(crate) fn failed(&self, reason: impl ToString) -> MoveError {
        MoveError::Node { node: self.0.name().to_owned(), reason: reason.to_string() }
    }

    async fn ask<T: DeserializeOwned>(&self, request: NodeRequest) -> Result<T, MoveError> {
        self.read(&self.answer(request).await?)
    }

    async fn answer(&self, request: NodeRequest) -> Result<Answer, MoveError> {
        self.0.ask(&request, TIMEOUT).await.map_err(|error| self.failed(error))
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, MoveError> {
        if !answer.status.is_success() {
            let body = String::from_utf8_lossy(&answer.body);
            return Err(self.failed(format!(
                "{}: {}",
                answer.status,
                body.chars().take(300).collect::<String>()
            )));
        }
        serde_json::from_slice(&answer.body).map_err(|error| self.failed(error))
    }

    fn path(&self, path: &str) -> Result<Uri, MoveError> {
        path.parse().map_err(|_| self.failed(format!("`{path}` is no path")))
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, MoveError> {
        self.ask(NodeRequest::get(self.path(path)?)).await
    }

    /// Changes what takes effect at once.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<(), MoveError> {
        let request = NodeRequest::write(Method::PATCH, self.path(path)?, body.to_string());
        self.ask::<Value>(request).await.map(drop)
    }

    /// The names of the indexes that there are.
    pub(crate) async fn indexes(&self) -> Result<Vec<String>, MoveError> {
        Ok(self.listed().await?.into_iter().map(|index| index.uid).collect())
    }

    /// The indexes that there are.
    pub(crate) async fn listed(&self) -> Result<Vec<Listed>, MoveError> {
        let list: List<Listed> = self.ask(NodeRequest::get(self.path("/indexes?limit=1000000")?)).await?;
        Ok(list.results)
    }

    /// How many documents there are, of all indexes.
    pub(crate) async fn documents_held(&self) -> Result<u64, MoveError> {
        let stats = self.get("/stats").await?;
        let indexes = stats["indexes"].as_object().into_iter().flatten();
        Ok(indexes.filter_map(|(_, index)| index["numberOfDocuments"].as_u64()).sum())
    }

    /// How many documents of an index match; none where there is no such index.
    pub(crate) async fn count(&self, index: &str, filter: &str) -> Result<u64, MoveError> {
        Ok(self.fetch(index, filter, 0).await?.map_or(0, |documents| documents.total))
    }

    /// All documents of an index that match, as they are at one moment, with what clients do not see; `None` where there is no
    /// such index.
    pub(crate) async fn documents(&self, index: &str, filter: &str) -> Result<Option<Documents>, MoveError> {
        let documents = self.fetch(index, filter, ALL).await?;
        if documents.as_ref().is_some_and(|given| given.results.len() as u64 != given.total) {
            return Err(self.failed("it does not give all documents"));
        }
        Ok(documents)
    }

    async fn fetch(&self, index: &str, filter: &str, limit: u32) -> Result<Option<Documents>, MoveError> {
        let body = json!({ "filter": filter, "limit": limit, "retrieveVectors": true });
        let path = self.path(&format!("/indexes/{index}/documents/fetch"))?;
        let answer = self.answer(NodeRequest::query(path, body.to_string())).await?;
        if is_without_index(&answer) {
            return Ok(None);
        }
        self.read(&answer).map(Some)
    }

    /// How often somebody else than this log has written documents of an index, as far as the node still knows.
    pub(crate) async fn foreign_writes(&self, index: &str, log: &str) -> Result<u64, MoveError> {
        let kinds = "documentAdditionOrUpdate,documentDeletion,documentEdition";
        let (mut foreign, mut from) = (0, String::new());
        loop {
            let page = self.get(&format!("/tasks?limit=1000&indexUids={index}&types={kinds}{from}")).await?;
            let own = |task: &&Value| {
                let tag = task["customMetadata"].as_str().and_then(|tag| tag.strip_prefix("miroir:"));
                tag.is_some_and(|tag| tag.starts_with(log))
            };
            let tasks = page["results"].as_array().map_or(&[][..], Vec::as_slice);
            foreign += tasks.iter().filter(|task| !own(task)).count() as u64;
            match page["next"].as_u64() {
                Some(next) => from = format!("&from={next}"),
                None => return Ok(foreign),
            }
        }
    }

    /// Whether it may yet do anything beside its own part of the log: copies that were sent are not there before that.
    pub(crate) async fn waits_for_copies(&self, log: &str) -> Result<bool, MoveError> {
        let kinds = "documentAdditionOrUpdate,documentDeletion,documentEdition";
        let mut from = String::new();
        loop {
            let path = format!("/tasks?limit=1000&statuses=enqueued,processing&types={kinds}{from}");
            let page = self.get(&path).await?;
            let own = |task: &Value| {
                let tag = task["customMetadata"].as_str().and_then(|tag| tag.strip_prefix("miroir:"));
                tag.and_then(|tag| tag.strip_prefix(log)).is_some_and(|rest| rest.starts_with(':'))
            };
            if !page["results"].as_array().is_some_and(|tasks| tasks.iter().all(own)) {
                return Ok(true);
            }
            match page["next"].as_u64() {
                Some(next) => from = format!("&from={next}"),
                None => return Ok(false),
            }
        }
    }

    /// Writes to a node that is sent nothing else, and waits until that is done.
    pub(crate) async fn write(
        &self,
        tasks: &NodeTasks,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(), MoveError> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let accepted: Accepted = self.ask(NodeRequest::write(method, self.path(path)?, body)).await?;
        let done = timeout(WRITE, self.done(tasks, &[accepted.task_uid])).await;
        done.unwrap_or_else(|_| Err(self.failed("it does not get on with its tasks")))
    }

    /// Waits until tasks are done. Where one failed for a reason that may pass, or that may be another task's, that is an
    /// error. Where there is no index, there is nothing to be done.
    pub(crate) async fn done(&self, tasks: &NodeTasks, uids: &[u32]) -> Result<(), MoveError> {
        let mut open = uids.to_vec();
        while !open.is_empty() {
            let reports = tasks.look(&open).await.map_err(|error| self.failed(error))?;
            if reports.len() < open.len() {
                return Err(self.failed("it has forgotten a task"));
            }
            for report in reports.values() {
                if let Report::Failed { error } = report
                    && error.code_name() != "index_not_found"
                {
                    let blame = Blame::of(error);
                    return Err(self.failed(format!("a task failed ({blame:?}): {error}")));
                }
            }
            open.retain(|uid| reports.get(uid) == Some(&Report::Open));
            if !open.is_empty() {
                sleep(POLL).await;
            }
        }
        Ok(())
    }
}

/// Whether a node answers that there is no such index.
fn is_without_index(answer: &Answer) -> bool {
    let error = || serde_json::from_slice::<ResponseError>(&answer.body);
    answer.status == StatusCode::NOT_FOUND
        && error().is_ok_and(|error| error.code_name() == "index_not_found")
}

impl Documents {
    /// The documents as a payload: one a line. A node shows vectors where there are none, too; these are left out.
    pub(crate) fn payload(&self) -> Bytes {
        let mut payload = Vec::new();
        for document in &self.results {
            let text = document.get();
            match text.strip_suffix(r#","_vectors":{}}"#) {
                Some(rest) => {
                    payload.extend_from_slice(rest.as_bytes());
                    payload.push(b'}');
                }
                None => payload.extend_from_slice(text.as_bytes()),
            }
            payload.push(b'\n');
        }
        payload.into()
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::testing::client;

    /// A node that answers everything with this.
    async fn answering(status: &str, body: &str) -> Node {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let node = client("n", &listener.local_addr().expect("an address").to_string());
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut buffer = [0; 4096];
            while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                stream.write_all(answer.as_bytes()).await.expect("written");
            }
        });
        node
    }

    #[tokio::test]
    async fn an_index_that_is_gone_is_no_fault_of_the_node() {
        let gone = r#"{"message":"Index `x` not found.","code":"index_not_found","type":"invalid_request","link":"l"}"#;
        let node = answering("404 Not Found", gone).await;
        assert_eq!(Remote(&node).count("x", "a = 1").await, Ok(0));
        assert!(matches!(Remote(&node).documents("x", "a = 1").await, Ok(None)));
        for (status, body) in [("404 Not Found", "nothing here"), ("500 Internal Server Error", gone)] {
            let node = answering(status, body).await;
            assert!(Remote(&node).documents("x", "a = 1").await.is_err(), "{status} {body}");
        }
    }

    #[test]
    fn documents_are_passed_on_as_they_are_but_for_vectors_that_are_none() {
        let answer = r#"{"results":[{"id":1,"a": [1, 2],"_vectors":{}},{"id":2,"_vectors":{"e":{"regenerate":false}}}],"offset":0,"limit":9,"total":2}"#;
        let documents: Documents = serde_json::from_str(answer).expect("documents");
        let lines = "{\"id\":1,\"a\": [1, 2]}\n{\"id\":2,\"_vectors\":{\"e\":{\"regenerate\":false}}}\n";
        assert_eq!(documents.payload(), lines);
    }
}
