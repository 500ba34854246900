//! What a node says of its tasks.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use http::Uri;
use miroir_nodes::{Node, NodeRequest};
use miroir_protocol::{
    error::{Code, ResponseError},
    size_of_text,
    tasks::Kind,
};
use miroir_shard::SLOT_FIELD;
use serde::Deserialize;

use super::{dispatch::Report, error::ApplyError};
use crate::{counts::Counts, tag::Tag};

const TIMEOUT: Duration = Duration::from_secs(10);
/// Tasks asked for at once.
const PAGE: u32 = 500;

/// One node's task list, seen through the tags of one log.
pub(crate) struct NodeTasks {
    node: Node,
    log: String,
    /// The tags of tasks up to this one mean nothing any more: their entries are sent again.
    void: Option<u32>,
}

/// What a node has accepted, and whether it is done with that.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The tasks for entries that are not known to be applied.
    pub(crate) accepted: BTreeMap<Tag, u32>,
    /// Its newest task, for whatever it is, where that has not ended.
    pub(crate) open: Option<u32>,
    /// Whether another log has written to it.
    pub(crate) foreign: bool,
}

/// What a node has accepted for entries that are not known to be applied, seen from its newest task back.
#[derive(Debug, Default)]
struct Accepted {
    tasks: BTreeMap<Tag, u32>,
    /// The least entry and step so far. Everything was sent in log order, so an older task that is not for less was sent
    /// again later: what counts is the later one, wherever this process or an earlier one has stopped in between.
    least: Option<(u32, u32)>,
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
    #[serde(default)]
    index_uid: Option<String>,
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
    #[serde(default)]
    pre_compaction_size: Option<String>,
    #[serde(default)]
    post_compaction_size: Option<String>,
}

// === impl NodeTasks ===

impl NodeTasks {
    pub(crate) fn new(node: Node, log: String) -> Self {
        Self { node, log, void: None }
    }

    /// The tasks that the node has accepted for entries from `from` on: what a crash, or a connection that broke, may
    /// have left unrecorded.
    pub(crate) async fn queue(&self, from: u32) -> Result<Queue, ApplyError> {
        let mut accepted = Accepted::default();
        let (mut open, mut foreign) = (None, false);
        let mut page_from = None;
        loop {
            let mut path = format!("/tasks?limit={PAGE}");
            if let Some(uid) = page_from {
                let _ = write!(path, "&from={uid}");
            }
            let page = self.page(&path).await?;
            if page_from.is_none() {
                open = page.results.first().filter(|newest| !newest.has_ended()).map(|newest| newest.uid);
            }
            let more = page.results.iter().all(|view| {
                let text = view.custom_metadata.as_deref();
                let tag = text.and_then(|text| Tag::parse(text, &self.log));
                foreign |= tag.is_none() && text.is_some_and(|text| text.starts_with("miroir:"));
                let is_void = self.void.is_some_and(|void| view.uid <= void);
                !is_void && tag.is_none_or(|tag| accepted.look_at(tag, view.uid, from))
            });
            match page.next {
                Some(next) if more => page_from = Some(next),
                _ => return Ok(Queue { accepted: accepted.tasks, open, foreign }),
            }
        }
    }

    /// How far these tasks are; one that the node does not know is not in the answer.
    pub(crate) async fn look(&self, uids: &[u32]) -> Result<BTreeMap<u32, Report>, ApplyError> {
        let mut reports = BTreeMap::new();
        for chunk in uids.chunks(PAGE as usize) {
            let list: Vec<String> = chunk.iter().map(u32::to_string).collect();
            let page = self.page(&format!("/tasks?limit={PAGE}&uids={}", list.join(","))).await?;
            reports.extend(page.results.into_iter().map(|view| (view.uid, view.report())));
        }
        Ok(reports)
    }

    /// The index that a task is for, by its present name.
    pub(crate) async fn index_of(&self, uid: u32) -> Result<Option<String>, ApplyError> {
        let page = self.page(&format!("/tasks?limit=1&uids={uid}")).await?;
        Ok(page.results.into_iter().next().and_then(|view| view.index_uid))
    }

    /// The newest task of this type.
    pub(crate) async fn newest_of(&self, kind: Kind) -> Result<Option<u32>, ApplyError> {
        let page = self.page(&format!("/tasks?types={kind}&limit=1")).await?;
        Ok(page.results.first().map(|newest| newest.uid))
    }

    /// The entries of tasks up to this one are sent again.
    pub(crate) fn disregard(&mut self, newest: Option<u32>) {
        self.void = self.void.max(newest);
    }

    /// The node has given a new task this uid. Where that is one it gave before, it has forgotten all of them.
    pub(crate) fn has_given(&mut self, uid: u32) {
        self.void = self.void.filter(|void| *void < uid);
    }

    async fn page(&self, path: &str) -> Result<Page, ApplyError> {
        let path: Uri = path.parse().unwrap_or_else(|_| Uri::from_static("/tasks"));
        let answer = self.node.ask(&NodeRequest::get(path), TIMEOUT).await?;
        if !answer.status.is_success() {
            return Err(ApplyError::unwilling(answer.status, &answer.body));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| ApplyError::unreadable(answer.status, "tasks", error))
    }
}

impl View {
    fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "succeeded" | "failed" | "canceled")
    }

    fn report(self) -> Report {
        let details = self.details.unwrap_or_default();
        match self.status.as_str() {
            "succeeded" => Report::Succeeded(details.counts()),
            "failed" | "canceled" => Report::Failed { error: client_error(self.error) },
            _ => Report::Open,
        }
    }
}

impl Details {
    fn counts(&self) -> Counts {
        let bytes = |size: &Option<String>| size.as_deref().and_then(size_of_text).unwrap_or(0);
        Counts {
            deleted: self.deleted_documents.unwrap_or(0),
            edited: self.edited_documents.unwrap_or(0),
            compacted: (bytes(&self.pre_compaction_size), bytes(&self.post_compaction_size)),
        }
    }
}

/// A node's error as the client's task shows it.
fn client_error(error: Option<ResponseError>) -> ResponseError {
    let canceled = || ResponseError::new(Code::MiroirNodeError, "The task was canceled on the node.");
    error.unwrap_or_else(canceled).without_attribute(SLOT_FIELD)
}

// === impl Accepted ===

impl Accepted {
    /// Takes in the next older task; false where no older one can count.
    fn look_at(&mut self, tag: Tag, uid: u32, from: u32) -> bool {
        let place = (tag.first, tag.step);
        if self.least.is_none_or(|least| place < least) {
            self.least = Some(place);
            if tag.first >= from {
                self.tasks.insert(tag, uid);
            }
        }
        tag.first >= from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What counts of tags `(first, last, step)`, the newest last, for entries from `from` on: the places in the list.
    fn counting(from: u32, tags: &[(u32, u32, u32)]) -> Vec<u32> {
        let mut accepted = Accepted::default();
        for (uid, (first, last, step)) in tags.iter().enumerate().rev() {
            let tag = Tag { first: *first, last: *last, step: *step, mark: None };
            if !accepted.look_at(tag, uid as u32, from) {
                break;
            }
        }
        let mut uids: Vec<u32> = accepted.tasks.into_values().collect();
        uids.sort_unstable();
        uids
    }

    #[test]
    fn everything_sent_in_order_counts_from_where_it_is_asked() {
        let tags = [(0, 0, 0), (1, 4, 0), (5, 5, 0), (5, 5, 1), (6, 6, 0)];
        assert_eq!(counting(0, &tags), [0, 1, 2, 3, 4]);
        assert_eq!(counting(5, &tags), [2, 3, 4]);
        assert!(counting(7, &tags).is_empty());
    }

    #[test]
    fn what_was_sent_again_counts_the_second_time_and_what_was_behind_it_not_at_all() {
        // A group failed, was sent in halves, and what had gone out behind it was not yet sent again.
        let tags = [(0, 0, 0), (1, 4, 0), (5, 8, 0), (9, 9, 0), (1, 2, 0), (3, 4, 0)];
        assert_eq!(counting(0, &tags), [0, 4, 5]);
        assert_eq!(counting(3, &tags), [5]);
    }

    #[test]
    fn the_steps_of_an_entry_sent_again_replace_all_of_its_steps() {
        let tags = [(3, 3, 0), (3, 3, 1), (3, 3, 2), (3, 3, 0), (3, 3, 1)];
        assert_eq!(counting(0, &tags), [3, 4]);
    }

    fn report(json: &str) -> Report {
        serde_json::from_str::<View>(json).expect("a task").report()
    }

    #[test]
    fn tasks_are_read_as_nodes_of_all_versions_write_them() {
        assert_eq!(report(r#"{"uid":1,"status":"enqueued","details":null,"error":null}"#), Report::Open);
        assert_eq!(report(r#"{"uid":1,"status":"processing"}"#), Report::Open);
        let done = r#"{"uid":1,"status":"succeeded","details":{"providedIds":3,"deletedDocuments":2}}"#;
        assert_eq!(report(done), Report::Succeeded(Counts { deleted: 2, ..Counts::default() }));
        let done =
            r#"{"uid":1,"status":"succeeded","details":{"deletedDocuments":null,"editedDocuments":7}}"#;
        assert_eq!(report(done), Report::Succeeded(Counts { edited: 7, ..Counts::default() }));
        let done = r#"{"uid":1,"status":"succeeded","details":{"preCompactionSize":"1.5 MiB","postCompactionSize":"40 KiB"}}"#;
        let compacted = (1_572_864, 40_960);
        assert_eq!(report(done), Report::Succeeded(Counts { compacted, ..Counts::default() }));
    }

    #[test]
    fn failures_keep_the_nodes_words_but_for_the_internal_field() {
        let failed = r#"{"uid":1,"status":"failed","error":{"message":"Attribute `x` is not filterable. Available filterable attributes patterns are: `_miroir.s, genre`.","code":"invalid_document_filter","type":"invalid_request","link":"l"}}"#;
        let Report::Failed { error } = report(failed) else { panic!("not failed") };
        assert_eq!(error.code_name(), "invalid_document_filter");
        assert!(error.message().ends_with("are: `genre`."), "{error}");
        let Report::Failed { error } = report(r#"{"uid":1,"status":"canceled"}"#) else {
            panic!("not failed")
        };
        assert_eq!(error.code(), Some(Code::MiroirNodeError));
    }
}
