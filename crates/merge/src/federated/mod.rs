//! Several nodes' answers to one federated search.

mod counted;
mod facets;
mod hits;

use std::{collections::BTreeMap, ops::ControlFlow};

use bytes::Bytes;

pub use self::counted::are_many;

use self::{
    counted::Counted,
    facets::{Dropped, write_facets},
    hits::{Hits, Members, Query},
};
use crate::{
    FacetSpec, MergeError, Paging, SearchSpec,
    kway::merge,
    search::{Distinct, Window, push_name, push_number, push_text, write_paging},
};

/// What a merged answer to a federated search is made of and looks like.
///
/// How the nodes have to be asked for it: the client's request with `offset: 0` and `limit: offset + limit`, or `page: 1`
/// and `hitsPerPage: page * hitsPerPage`, in the federation; without `mergeFacets`; and every query as
/// [`SearchSpec`] has it, without its part of the hits. Where there are several queries, with the header
/// `Meili-Proxy-Search: true`, for nodes to tell what they weighed the hits with. With `distinct`, of the federation or of a query, hits need the
/// attributes of the facets of their index, so that what is left out is not counted.
#[derive(Debug, Clone, Default)]
pub struct FederatedSpec {
    /// Which part of the hits.
    pub paging: Paging,
    /// The queries, in the client's order.
    pub queries: Vec<FederatedQuery>,
    /// Keep only the best hit of each value of this attribute, whatever the query.
    pub distinct: Option<String>,
    /// How facets are listed, by index.
    pub facets: BTreeMap<String, FacetSpec>,
    /// Facets of all indexes as one list, or index by index.
    pub merge_facets: Option<MergedFacets>,
    /// Where nodes cannot count, as hits are grouped, or their counts cannot be told apart: of every index, the merged answer to a
    /// page of its only query, whose totals and facets count instead of the nodes'.
    pub counted: BTreeMap<String, Bytes>,
    /// The server that every hit says it is from; none says so if `None`.
    pub remote: Option<String>,
    /// `processingTimeMs`.
    pub processing_time_ms: u64,
    /// `requestUid`; left out if `None`.
    pub request_uid: Option<String>,
    /// Members that follow: names and JSON texts.
    pub extra: Vec<(String, String)>,
}

/// How the counts of several indexes become one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MergedFacets {
    /// How many values at most; `None` for all that the indexes list.
    pub max_values: Option<usize>,
}

/// One query of a federated search.
#[derive(Debug, Clone, Default)]
pub struct FederatedQuery {
    /// The index it searches in.
    pub index: String,
    /// What its hits look like. The part of the hits, facets and what follows the hits are not looked at.
    pub search: SearchSpec,
}

/// Merges the answers of several nodes to one federated search into the answer that one node with all documents would
/// give.
///
/// * **Order**: hits of one query as in [`merge_search`](crate::merge_search). Hits of two queries by what their nodes
///   weighed them with: one score, and where there are sort rules, step by step. Where a node does not tell, by the
///   weighted score alone. Equal ones come in the order of the queries.
/// * **Totals** are the sums of the nodes': a node counts a document that two queries find once.
/// * **Distinct**: the best hit of each value over all nodes, of all queries or of each. What is left out is taken off totals
///   and facets, as far as the nodes sent it.
/// * **Facets** by index, see [`FacetSpec`], or of all indexes together: counts added up by the text of the value.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn merge_federated(answers: &[Bytes], spec: &FederatedSpec) -> Result<Vec<u8>, MergeError> {
    if answers.is_empty() {
        return Err(MergeError::NoAnswers);
    }
    let queries: Vec<Query<'_>> = spec.queries.iter().map(|query| Query::new(query, spec)).collect();
    let opened: Result<Vec<_>, _> =
        answers.iter().enumerate().map(|(node, text)| Hits::open(node, text, &queries)).collect();
    let mut opened = opened?;
    let mut out = Vec::with_capacity(answers.iter().map(Bytes::len).max().unwrap_or_default() + 512);
    out.extend_from_slice(b"{\"hits\":[");
    let taken = write_hits(&mut opened, spec, &mut out)?;
    out.push(b']');
    let members: Result<Vec<_>, _> = opened.iter_mut().map(Hits::close).collect();
    write_members(&members?, &taken, spec, &mut out)?;
    Ok(out)
}

/// What the hits say about the whole.
#[derive(Default)]
struct Taken<'a> {
    /// Hits on the page that were found by their vector.
    semantic: u64,
    /// Hits that another one with the same distinct value came before.
    dropped: Dropped<'a>,
}

/// Which hits are the same as others, of the whole or of each query.
struct Same<'a> {
    of_all: Option<Distinct<'a>>,
    of_query: Vec<Option<Distinct<'a>>>,
}

impl<'a> Same<'a> {
    fn new(spec: &FederatedSpec) -> Self {
        let of_all = spec.distinct.is_some();
        let of_query = spec.queries.iter();
        let of_query = of_query.map(|query| query.search.distinct.as_ref().filter(|_| !of_all));
        Self {
            of_all: of_all.then(Distinct::default),
            of_query: of_query.map(|distinct| distinct.map(|_| Distinct::default())).collect(),
        }
    }

    fn is_none(&self) -> bool {
        self.of_all.is_none() && self.of_query.iter().all(Option::is_none)
    }

    fn keeps(&mut self, hit: &Hits<'a, '_>) -> bool {
        let of_query = self.of_query.get_mut(hit.position()).and_then(Option::as_mut);
        let distinct = self.of_all.as_mut().or(of_query);
        let record = hit.record();
        distinct.is_none_or(|distinct| distinct.keep(hit.node(), record.text(), record.watched()))
    }
}

/// Appends the hits of the page. No index gives more than its `maxTotalHits`.
fn write_hits<'a>(
    answers: &mut [Hits<'a, '_>],
    spec: &FederatedSpec,
    out: &mut Vec<u8>,
) -> Result<Taken<'a>, MergeError> {
    let Window { skip, take } = spec.paging.window();
    let mut taken = Taken::default();
    let mut same = Same::new(spec);
    let ends_early = same.is_none();
    if take == 0 && ends_early {
        return Ok(taken);
    }
    let (mut seen, mut written) = (0, 0);
    let mut of_index: BTreeMap<&str, usize> = BTreeMap::new();
    merge(answers, |answer| {
        let query = answer.query();
        let of_index = of_index.entry(query.index).or_default();
        if *of_index >= query.max_total_hits {
            return Ok(ControlFlow::Continue(()));
        }
        if !same.keeps(answer) {
            taken.dropped.push(query.index, answer.node(), answer.record().text());
            return Ok(ControlFlow::Continue(()));
        }
        *of_index += 1;
        if seen >= skip && written < take {
            if written > 0 {
                out.push(b',');
            }
            written += 1;
            answer.write(out)?;
            taken.semantic += u64::from(answer.is_semantic());
        }
        seen += 1;
        let is_done = written == take && ends_early;
        Ok(if is_done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(taken)
}

/// Appends what follows the hits, in the order of Meilisearch.
fn write_members<'a>(
    members: &[Members<'a>],
    taken: &Taken<'a>,
    spec: &FederatedSpec,
    out: &mut Vec<u8>,
) -> Result<(), MergeError> {
    if let Some(vectors) = members.iter().find_map(|members| members.query_vectors) {
        out.extend_from_slice(b",\"queryVectors\":");
        out.extend_from_slice(vectors);
    }
    push_number("processingTimeMs", spec.processing_time_ms, out);
    let counted = Counted::of(spec)?;
    let total = members.iter().filter_map(|members| members.total).fold(0, u64::saturating_add);
    let total = counted.total().unwrap_or_else(|| total.saturating_sub(taken.dropped.count()));
    write_paging(total, &SearchSpec { paging: spec.paging, ..SearchSpec::default() }, out);
    write_facets(members, &counted, &taken.dropped, total, spec, out)?;
    if let Some(request_uid) = &spec.request_uid {
        push_text("requestUid", request_uid, out);
    }
    for (name, json) in &spec.extra {
        push_name(name, out);
        out.extend_from_slice(json.as_bytes());
    }
    if members.iter().any(|members| members.semantic) {
        push_number("semanticHitCount", taken.semantic, out);
    }
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests;
