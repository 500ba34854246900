//! Pages that begin far behind the first hit: see [`whereabouts`](crate::whereabouts).

use bytes::Bytes;

use super::{
    answer::{Answer, Members, Ranking},
    page::Taken,
    shape_of_hits,
    spec::{SearchSpec, Window},
    write_members,
};
use crate::{
    MergeError,
    error::InNode,
    record::Shape,
    whereabouts::{Stretch, Whereabouts, filled},
};

/// Where the hits of a page are, and what follows the hits.
#[derive(Debug)]
pub struct LocatedHits<'a> {
    hits: Whereabouts<'a>,
    members: Vec<Members<'a>>,
}

/// Finds the hits of a page from the nodes' answers to its search, which need hold no more of a hit than `_miroir.n` and the
/// score details. `None` where an answer does not tell its hits apart.
///
/// Not for searches with `distinct`, with pinned documents, or by vectors.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn locate_hits<'a>(
    answers: &'a [Bytes],
    spec: &SearchSpec,
) -> Result<Option<LocatedHits<'a>>, MergeError> {
    if answers.is_empty() {
        return Err(MergeError::NoAnswers);
    }
    let shape = Shape::of_hit(&[], &[], None);
    let mut opened = open(answers, &shape, Ranking::Rules)?;
    let Window { skip, take } = spec.window();
    let Some(hits) = Whereabouts::find(&mut opened, skip, take)? else { return Ok(None) };
    let members: Result<Vec<_>, _> = opened.iter_mut().map(Answer::close).collect();
    Ok(Some(LocatedHits { hits, members: members? }))
}

fn open<'a, 's>(
    answers: &'a [Bytes],
    shape: &'s Shape<'s>,
    ranking: Ranking,
) -> Result<Vec<Answer<'a, 's>>, MergeError> {
    let answers = answers.iter().enumerate();
    answers.map(|(node, text)| Answer::open(node, text, shape, ranking)).collect()
}

// === impl LocatedHits ===

impl LocatedHits<'_> {
    /// What is to be asked of each answer's node, in the order of the answers.
    pub fn stretches(&self) -> &[Stretch] {
        self.hits.stretches()
    }

    /// The answer, with hits from `pages`: of each node its [`Stretch`] as the client is to see it, with `_miroir.n`; empty
    /// bytes where nothing is taken of it. `None` where they do not hold what was found before.
    ///
    /// # Errors
    ///
    /// If an answer is cut, or not what Meilisearch sends.
    pub fn merge(&self, pages: &[Bytes], spec: &SearchSpec) -> Result<Option<Vec<u8>>, MergeError> {
        let shape = shape_of_hits(spec);
        let pages = filled(pages, EMPTY);
        let mut opened = open(&pages, &shape, Ranking::None)?;
        let mut out = Vec::with_capacity(pages.iter().map(Bytes::len).sum::<usize>() + 512);
        out.extend_from_slice(b"{\"hits\":[");
        let start = out.len();
        let is_whole = self.hits.write(&mut opened, |answer| {
            if out.len() > start {
                out.push(b',');
            }
            let record = answer.record();
            record.write(&shape, &mut out).in_node(answer.node(), record.base())
        })?;
        if !is_whole {
            return Ok(None);
        }
        write_members(&self.members, &Taken::default(), None, spec, &mut out)?;
        Ok(Some(out))
    }
}

/// The answer of a node that was not asked.
const EMPTY: &[u8] = b"{\"hits\":[],\"estimatedTotalHits\":0}";
