//! Filters of deletions and editions, read before the write is taken.
//!
//! Meilisearch refuses a filter that it cannot read before it answers, and fails the task for one that the index cannot
//! answer, as by an attribute that is not filterable. What can be read is for the nodes to say, whose version it depends on: one
//! of them is asked for no document that matches. Where none answers soon, or the index is not there yet, the write is taken.

use std::time::Duration;

use http::Uri;
use miroir_nodes::NodeRequest;
use miroir_protocol::error::ResponseError;
use serde_json::{Value, json};

use crate::{instance::any_node::ask_any_node, state::Gateway};

/// How long a write waits for a node to read its filter.
const PATIENCE: Duration = Duration::from_millis(500);
/// How a node begins to say that the index cannot answer a filter that it has read.
const UNANSWERABLE: [&str; 2] = ["Attribute `", "Index `"];

/// Refuses a filter that a node cannot read, in its words.
pub(super) async fn check_readable(
    gateway: &Gateway,
    uid: &str,
    filter: &Value,
) -> Result<(), ResponseError> {
    if gateway.log.catalog().index(uid).is_none() {
        return Ok(());
    }
    let Ok(path) = format!("/indexes/{uid}/documents/fetch").parse::<Uri>() else { return Ok(()) };
    let request = NodeRequest::query(path, json!({ "filter": filter, "limit": 0 }).to_string());
    match tokio::time::timeout(PATIENCE, ask_any_node(gateway, &[uid], &request)).await {
        Ok(Err(error)) if is_unreadable(&error) => Err(error),
        _ => Ok(()),
    }
}

fn is_unreadable(error: &ResponseError) -> bool {
    match error.code_name() {
        "feature_not_enabled" => true,
        "invalid_document_filter" => !UNANSWERABLE.iter().any(|start| error.message().starts_with(start)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use miroir_protocol::error::Code;

    use super::*;

    #[test]
    fn what_the_index_cannot_answer_is_left_to_the_task() {
        let unreadable = |code, message| is_unreadable(&ResponseError::new(code, message));
        assert!(unreadable(Code::InvalidDocumentFilter, "Was expecting a value but instead got nothing."));
        assert!(unreadable(Code::FeatureNotEnabled, "Using `CONTAINS` in a filter requires"));
        assert!(!unreadable(Code::InvalidDocumentFilter, "Attribute `a` is not filterable."));
        assert!(!unreadable(Code::IndexNotFound, "Index `a` not found."));
    }
}
