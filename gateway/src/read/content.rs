//! Everything an index holds, for who carries it elsewhere: page by page, from one copy, without the internal field.

use std::{borrow::Cow, collections::VecDeque};

use http::Uri;
use miroir_log::IndexRecord;
use miroir_merge::strip_internal;
use miroir_nodes::NodeRequest;
use miroir_protocol::error::{Code, ResponseError};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    documents::merge_failed,
    filter::narrowed,
    reserved::guarded_filter,
    scatter::{Sorted, sort},
    targets::{Scope, Target, Targets},
};
use crate::state::Gateway;

/// Documents that are read at once.
const PAGE: usize = 1_000;
/// How long a node may take over them.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// The documents of an index, node after node. They are those of one moment only where nothing is written meanwhile.
pub(crate) struct Content {
    path: Uri,
    filter: Option<Value>,
    targets: VecDeque<Target>,
    offset: usize,
}

/// Some documents, as lines of JSON.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The lines.
    pub bytes: Vec<u8>,
    /// How many there are.
    pub documents: u64,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
}

impl Content {
    /// The documents of an index that match a filter, or all of them.
    pub(crate) fn of(
        gateway: &Gateway,
        index: &IndexRecord,
        filter: Option<&Value>,
    ) -> Result<Self, ResponseError> {
        let path = format!("/indexes/{}/documents/fetch", index.uid);
        let path = path.parse().map_err(|_| ResponseError::index_not_found(&index.uid))?;
        let scope = Scope::of_index(&index.uid);
        let targets = Targets::of(gateway, &gateway.topology.load(), &scope);
        if !targets.missing.is_empty() {
            return Err(unreadable(&index.uid));
        }
        Ok(Self { path, filter: filter.map(guarded_filter), targets: targets.asked.into(), offset: 0 })
    }

    /// The next documents; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Lines>, ResponseError> {
        while let Some(target) = self.targets.front() {
            let filter = narrowed(self.filter.as_ref(), target.filter.as_deref());
            let mut body = json!({ "offset": self.offset, "limit": PAGE, "retrieveVectors": true });
            if let Some(filter) = filter {
                body["filter"] = filter;
            }
            let request = NodeRequest::query(self.path.clone(), body.to_string());
            let result = target.node.ask(&request, TIMEOUT).await;
            let answer = match sort(miroir_nodes::Outcome { node: target.node.clone(), result }) {
                Sorted::Answer(answer) => answer,
                Sorted::Refused(error) => return Err(error),
                _ => return Err(unreadable(target.node.name())),
            };
            let page: Page<'_> =
                serde_json::from_slice(&answer).map_err(|_| unreadable(target.node.name()))?;
            let count = page.results.len();
            self.offset += count;
            if count < PAGE {
                self.targets.pop_front();
                self.offset = 0;
            }
            if count > 0 {
                return lines(&page.results).map(Some);
            }
        }
        Ok(None)
    }
}

fn lines(documents: &[&RawValue]) -> Result<Lines, ResponseError> {
    let mut lines = Lines { bytes: Vec::new(), documents: documents.len() as u64 };
    for document in documents {
        let stripped: Cow<'_, [u8]> =
            strip_internal(document.get().as_bytes()).map_err(|error| merge_failed(&error))?;
        lines.bytes.extend_from_slice(&stripped);
        lines.bytes.push(b'\n');
    }
    Ok(lines)
}

fn unreadable(what: &str) -> ResponseError {
    ResponseError::new(Code::MiroirShardUnavailable, format!("Not every document can be read now: `{what}`."))
}
