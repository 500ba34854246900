//! What a node says of its tasks.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    time::Duration,
};

use http::Uri;
use miroir_nodes::{Node, NodeRequest};
use miroir_protocol::error::{Code, ResponseError};
use serde::Deserialize;

use super::{ApplyError, window::Dispatch};
use crate::{scrub::hide_internal_field, tag::Tag};

const TIMEOUT: Duration = Duration::from_secs(10);
/// Tasks asked for at once.
const PAGE: u32 = 500;

/// A task that the node accepted for a dispatch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NodeTask {
    pub(crate) uid: u32,
    /// The code of the failure that says it was done before.
    pub(crate) done: Option<&'static str>,
    pub(crate) report: Report,
}

/// How far a task is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Report {
    /// Waiting or being processed.
    Open,
    /// Done, with what it counted.
    Succeeded { deleted: u64, edited: u64 },
    /// Failed.
    Failed { error: ResponseError },
}

/// One node's task list, seen through the tags of one log.
pub(crate) struct NodeTasks {
    node: Node,
    log: String,
    /// Tasks whose entries are sent again: their tags mean nothing any more.
    disregarded: HashSet<u32>,
}

#[derive(Deserialize)]
struct Page {
    results: Vec<View>,
    #[serde(default)]
    next: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    uid: u32,
    status: String,
    #[serde(default)]
    details: Option<Details>,
    #[serde(default)]
    error: Option<ResponseError>,
    #[serde(default)]
    custom_metadata: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(default)]
    deleted_documents: Option<u64>,
    #[serde(default)]
    edited_documents: Option<u64>,
}

impl NodeTasks {
    pub(crate) fn new(node: Node, log: String) -> Self {
        Self { node, log, disregarded: HashSet::new() }
    }

    /// The tasks that the node has accepted for entries from `from` on: what a crash, or a connection that broke, may
    /// have left unrecorded.
    pub(crate) async fn accepted(&mut self, from: u32) -> Result<BTreeMap<Tag, u32>, ApplyError> {
        let mut accepted = BTreeMap::new();
        let mut page_from = None;
        loop {
            let mut path = format!("/tasks?limit={PAGE}");
            if let Some(uid) = page_from {
                let _ = write!(path, "&from={uid}");
            }
            let page = self.page(&path).await?;
            let mut older = false;
            for view in page.results {
                let Some(tag) = view.custom_metadata.as_deref().and_then(|text| Tag::parse(text, &self.log)) else {
                    continue;
                };
                older |= tag.last < from;
                if tag.first >= from && !self.disregarded.contains(&view.uid) {
                    accepted.insert(tag, view.uid);
                }
            }
            match page.next {
                Some(next) if !older => page_from = Some(next),
                _ => return Ok(accepted),
            }
        }
    }

    /// How far these tasks are; one that the node does not know is not in the answer.
    pub(crate) async fn look(&mut self, uids: &[u32]) -> Result<BTreeMap<u32, Report>, ApplyError> {
        let mut reports = BTreeMap::new();
        for chunk in uids.chunks(PAGE as usize) {
            let list: Vec<String> = chunk.iter().map(u32::to_string).collect();
            let page = self.page(&format!("/tasks?limit={PAGE}&uids={}", list.join(","))).await?;
            reports.extend(page.results.into_iter().map(|view| (view.uid, view.report())));
        }
        Ok(reports)
    }

    /// The tasks of dispatches that are sent again are not taken for them a second time.
    pub(crate) fn disregard<'a>(&mut self, dispatches: impl IntoIterator<Item = &'a Dispatch>) {
        let tasks = dispatches.into_iter().flat_map(|dispatch| &dispatch.tasks);
        self.disregarded.extend(tasks.map(|task| task.uid));
    }

    async fn page(&self, path: &str) -> Result<Page, ApplyError> {
        let path: Uri = path.parse().unwrap_or_else(|_| Uri::from_static("/tasks"));
        let answer = self.node.ask(&NodeRequest::get(path), TIMEOUT).await?;
        let unwilling = |message: String| ApplyError::Unwilling { status: answer.status, message };
        if !answer.status.is_success() {
            return Err(unwilling(String::from_utf8_lossy(&answer.body).into_owned()));
        }
        serde_json::from_slice(&answer.body).map_err(|error| unwilling(format!("unreadable tasks: {error}")))
    }
}

impl View {
    fn report(self) -> Report {
        let details = self.details.unwrap_or_default();
        match self.status.as_str() {
            "succeeded" => Report::Succeeded {
                deleted: details.deleted_documents.unwrap_or(0),
                edited: details.edited_documents.unwrap_or(0),
            },
            "failed" | "canceled" => Report::Failed { error: client_error(self.error) },
            _ => Report::Open,
        }
    }
}

/// A node's error as the client's task shows it.
fn client_error(error: Option<ResponseError>) -> ResponseError {
    let canceled = || ResponseError::new(Code::MiroirNodeError, "The task was canceled on the node.");
    error.unwrap_or_else(canceled).map_message(|text| hide_internal_field(&text))
}

impl NodeTask {
    pub(crate) fn new(uid: u32, done: Option<&'static str>) -> Self {
        Self { uid, done, report: Report::Open }
    }
}
