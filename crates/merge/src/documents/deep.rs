//! Listings that begin far behind the first document: see [`whereabouts`](crate::whereabouts).

use bytes::Bytes;

use super::{DocumentsSpec, open, totals, write_paging};
use crate::{
    MergeError,
    record::Shape,
    whereabouts::{Stretch, Whereabouts, filled},
};

/// Where the documents of a listing are, and how many there are in all.
#[derive(Debug)]
pub struct LocatedDocuments<'a> {
    documents: Whereabouts<'a>,
    total: u64,
}

/// Finds the documents of a listing from the nodes' answers to it, which need hold no more of a document than `_miroir.n` and
/// the attributes of `sort`. `None` where an answer does not tell its documents apart.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn locate_documents<'a>(
    answers: &'a [Bytes],
    spec: &DocumentsSpec,
) -> Result<Option<LocatedDocuments<'a>>, MergeError> {
    if answers.is_empty() {
        return Err(MergeError::NoAnswers);
    }
    let shape = Shape::default();
    let mut opened = open(answers, &shape, &spec.sort)?;
    let Some(documents) = Whereabouts::find(&mut opened, spec.offset, spec.limit)? else { return Ok(None) };
    Ok(Some(LocatedDocuments { documents, total: totals(&mut opened)? }))
}

// === impl LocatedDocuments ===

impl LocatedDocuments<'_> {
    /// What is to be asked of each answer's node, in the order of the answers.
    pub fn stretches(&self) -> &[Stretch] {
        self.documents.stretches()
    }

    /// The listing, from `pages`: of each node its [`Stretch`] as the client is to see it, with `_miroir.n`; empty bytes where
    /// nothing is taken of it. `None` where they do not hold what was found before.
    ///
    /// # Errors
    ///
    /// If an answer is cut, or not what Meilisearch sends.
    pub fn merge(&self, pages: &[Bytes], spec: &DocumentsSpec) -> Result<Option<Vec<u8>>, MergeError> {
        let shape = Shape::of_document(&spec.strip);
        let pages = filled(pages, EMPTY);
        let mut opened = open(&pages, &shape, &[])?;
        let mut out = Vec::with_capacity(pages.iter().map(Bytes::len).sum::<usize>() + 64);
        out.extend_from_slice(b"{\"results\":[");
        let start = out.len();
        let is_whole = self.documents.write(&mut opened, |listing| {
            if out.len() > start {
                out.push(b',');
            }
            listing.write(&mut out)
        })?;
        if !is_whole {
            return Ok(None);
        }
        totals(&mut opened)?;
        write_paging(spec, self.total, &mut out);
        Ok(Some(out))
    }
}

/// The listing of a node that was not asked.
const EMPTY: &[u8] = b"{\"results\":[],\"total\":0}";
