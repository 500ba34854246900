//! Sending a node what an entry is for it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Limited};
use miroir_nodes::{Body, BoxError, Node, NodeError, full};
use miroir_protocol::error::ResponseError;
use miroir_shard::SlotSet;
use serde::Deserialize;
use serde_json::Value;

use super::{
    ApplyError,
    node_tasks::{NodeTask, Report},
};
use crate::{
    payloads::Payloads,
    scrub::hide_internal_field,
    steps::Step,
    tag::{Tag, TagText},
    work::Work,
};

/// How long a node may take over a request, whose body is at most a piece of a payload.
const TIMEOUT: Duration = Duration::from_secs(120);
const LARGEST_ANSWER: usize = 1 << 20;

/// Sends steps to one node.
pub(crate) struct Sender {
    node: Node,
    payloads: Arc<Payloads>,
    log: String,
    /// What the node has accepted already, by tag.
    pub(crate) accepted: BTreeMap<Tag, u32>,
    /// Whether the node's version takes `customMetadata`.
    tags: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    task_uid: u32,
}

/// What a node said to a request.
enum Reply {
    Accepted(u32),
    /// It will never take it: the write's own fault.
    Refused(ResponseError),
}

impl Sender {
    pub(crate) fn new(node: Node, payloads: Arc<Payloads>, log: String) -> Self {
        Self { node, payloads, log, accepted: BTreeMap::new(), tags: true }
    }

    /// The last entry of the group that went out together from `first` on, where the node has accepted it.
    pub(crate) fn accepted_range(&self, first: u32) -> Option<u32> {
        let from = Tag { first, last: 0, step: 0 };
        let (tag, _) = self.accepted.range(from..).next()?;
        (tag.first == first).then_some(tag.last)
    }

    /// Sends the steps of a group of entries, but for those the node has accepted, and gives the node's tasks. A step
    /// that the node refuses ends the group.
    pub(crate) async fn send(
        &mut self,
        group: &[Work],
        steps: &[Step],
        slots: &Arc<SlotSet>,
        code_bits: u32,
    ) -> Result<Vec<NodeTask>, ApplyError> {
        let (first, last) = (group[0].uid(), group[group.len() - 1].uid());
        let mut tasks = Vec::with_capacity(steps.len());
        let mut number = 0;
        for step in steps {
            match step {
                Step::Json { method, path, body, done } => {
                    let tag = Tag { first, last, step: number };
                    number += 1;
                    let reply = match self.accepted.remove(&tag) {
                        Some(uid) => Reply::Accepted(uid),
                        None => {
                            let body = body.as_ref().map(Value::to_string).unwrap_or_default();
                            self.request(tag, method, path, || Ok((full(body.clone()), "application/json"))).await?
                        }
                    };
                    if !note(&mut tasks, reply, *done) {
                        return Ok(tasks);
                    }
                }
                Step::Documents { method, path } => {
                    let pieces = self.payloads.pieces(group, slots, code_bits).await?;
                    for piece in pieces {
                        let tag = Tag { first, last, step: number };
                        number += 1;
                        let reply = match self.accepted.remove(&tag) {
                            Some(uid) => Reply::Accepted(uid),
                            None => {
                                let ndjson = "application/x-ndjson";
                                self.request(tag, method, path, || Ok((piece.body()?, ndjson))).await?
                            }
                        };
                        if !note(&mut tasks, reply, None) {
                            return Ok(tasks);
                        }
                    }
                }
            }
        }
        Ok(tasks)
    }

    async fn request(
        &mut self,
        tag: Tag,
        method: &Method,
        path: &str,
        body: impl Fn() -> Result<(Body, &'static str), ApplyError>,
    ) -> Result<Reply, ApplyError> {
        if self.tags {
            let text = TagText { log: &self.log, tag };
            let separator = if path.contains('?') { '&' } else { '?' };
            let tagged = format!("{path}{separator}customMetadata={text}");
            match self.request_once(method, &tagged, body()?).await? {
                Reply::Refused(error) if is_about_the_tag(&error) => {
                    tracing::info!(node = self.node.name(), "node takes no tags, it is told the same twice after a crash");
                    self.tags = false;
                }
                reply => return Ok(reply),
            }
        }
        self.request_once(method, path, body()?).await
    }

    async fn request_once(
        &self,
        method: &Method,
        path: &str,
        (body, content_type): (Body, &'static str),
    ) -> Result<Reply, ApplyError> {
        let uri: Uri = path.parse().map_err(|_| ApplyError::Unwilling {
            status: StatusCode::BAD_REQUEST,
            message: format!("`{path}` is no path"),
        })?;
        let mut request = Request::new(body);
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri;
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        let exchange = async {
            let response = self.node.send(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
            let body = body.map_err(|error: BoxError| NodeError::RequestBody(error))?;
            Ok::<_, NodeError>((status, body.to_bytes()))
        };
        let (status, body) =
            tokio::time::timeout(TIMEOUT, exchange).await.unwrap_or(Err(NodeError::Timeout(TIMEOUT)))?;
        reply(status, &body)
    }
}

fn reply(status: StatusCode, body: &[u8]) -> Result<Reply, ApplyError> {
    let unwilling =
        || ApplyError::Unwilling { status, message: String::from_utf8_lossy(body).chars().take(500).collect() };
    if status.is_success() {
        let accepted: Accepted = serde_json::from_slice(body).map_err(|_| unwilling())?;
        return Ok(Reply::Accepted(accepted.task_uid));
    }
    // Keys, overload and the node's own trouble pass; what it says of the write itself stays.
    let about_the_write = matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let error: ResponseError = serde_json::from_slice(body).map_err(|_| unwilling())?;
    if !about_the_write {
        return Err(unwilling());
    }
    Ok(Reply::Refused(error.map_message(|text| hide_internal_field(&text))))
}

fn is_about_the_tag(error: &ResponseError) -> bool {
    error.message().contains("customMetadata")
}

/// Adds what became of a step; false where it was refused, which is a task that failed at once.
fn note(tasks: &mut Vec<NodeTask>, reply: Reply, done: Option<&'static str>) -> bool {
    match reply {
        Reply::Accepted(uid) => tasks.push(NodeTask::new(uid, done)),
        Reply::Refused(error) => {
            tasks.push(NodeTask { uid: u32::MAX, done, report: Report::Failed { error } });
            return false;
        }
    }
    true
}
