//! Several nodes' listings of documents as one, and single documents.

mod deep;
mod sort;
mod source;

use std::{borrow::Cow, ops::ControlFlow};

use bytes::Bytes;

pub use self::{
    deep::{LocatedDocuments, locate_documents},
    sort::SortKey,
};

use self::source::Listing;
use crate::{
    MergeError,
    error::InNode,
    kway::merge,
    record::{Record, Shape},
    scan::{Cursor, push_count},
};

/// What a merged listing of documents is made of and looks like.
///
/// The nodes have to be asked with `offset: 0`, [`limit`](DocumentsSpec::node_limit) and, where the client names `fields`, with
/// `_miroir.n` and the attributes of `sort` added.
#[derive(Debug, Clone, Default)]
pub struct DocumentsSpec {
    /// How many documents to leave out.
    pub offset: usize,
    /// How many documents to give.
    pub limit: usize,
    /// What the nodes were asked to sort by.
    pub sort: Vec<SortKey>,
    /// Dotted paths that the nodes were asked for beyond what the client wants.
    pub strip: Vec<String>,
}

impl DocumentsSpec {
    /// How many documents each node has to be asked for.
    pub fn node_limit(&self) -> usize {
        self.offset.saturating_add(self.limit)
    }
}

/// Merges the listings (`GET /documents`, `POST /documents/fetch`) of several nodes into one, in the order of `sort`,
/// then of insertion, then of the nodes.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn merge_documents(answers: &[Bytes], spec: &DocumentsSpec) -> Result<Vec<u8>, MergeError> {
    if answers.is_empty() {
        return Err(MergeError::NoAnswers);
    }
    let shape = Shape::of_document(&spec.strip);
    let mut opened = open(answers, &shape, &spec.sort)?;
    let mut out = Vec::with_capacity(answers.iter().map(Bytes::len).max().unwrap_or_default() + 64);
    out.extend_from_slice(b"{\"results\":[");
    let (mut seen, mut written) = (0, 0);
    if spec.limit > 0 {
        merge(&mut opened, |listing| {
            if seen >= spec.offset {
                if written > 0 {
                    out.push(b',');
                }
                written += 1;
                listing.write(&mut out)?;
            }
            seen += 1;
            Ok(if written == spec.limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
    }
    let total = totals(&mut opened)?;
    write_paging(spec, total, &mut out);
    Ok(out)
}

/// Opens every answer.
fn open<'a, 's>(
    answers: &'a [Bytes],
    shape: &'s Shape<'s>,
    sort: &'s [SortKey],
) -> Result<Vec<Listing<'a, 's>>, MergeError> {
    let answers = answers.iter().enumerate();
    answers.map(|(node, text)| Listing::open(node, text, shape, sort)).collect()
}

/// How many documents there are on all nodes.
fn totals(opened: &mut [Listing<'_, '_>]) -> Result<u64, MergeError> {
    opened.iter_mut().try_fold(0u64, |total, listing| Ok(total.saturating_add(listing.close()?)))
}

/// Appends what follows the documents.
fn write_paging(spec: &DocumentsSpec, total: u64, out: &mut Vec<u8>) {
    for (name, number) in
        [("],\"offset\":", spec.offset as u64), (",\"limit\":", spec.limit as u64), (",\"total\":", total)]
    {
        out.extend_from_slice(name.as_bytes());
        push_count(out, number);
    }
    out.push(b'}');
}

/// A document without its internal field; borrowed if it has none.
///
/// # Errors
///
/// If the text is no JSON object; the node is given as 0.
pub fn strip_internal(document: &[u8]) -> Result<Cow<'_, [u8]>, MergeError> {
    let shape = Shape::default();
    let mut record = Record::default();
    let mut cursor = Cursor::new(document);
    record.read(&mut cursor, &shape).and_then(|()| cursor.end()).in_node(0, 0)?;
    if !record.is_changed() {
        return Ok(Cow::Borrowed(document));
    }
    let mut out = Vec::with_capacity(document.len());
    record.write(&shape, &mut out).in_node(0, 0)?;
    Ok(Cow::Owned(out))
}

#[cfg(test)]
mod tests;
