//! Several nodes' answers to one federated search.

mod alone;
mod counted;
mod facets;
mod hits;

use std::{collections::BTreeMap, ops::ControlFlow};

use bytes::Bytes;

pub use self::{
    alone::{Alone, is_in_doubt, words_are_enough},
    counted::{are_many, facets_in_doubt_of, listed_facets_of, tied_facets_of},
};

use self::{
    alone::{Rejected, write_alone},
    counted::Counted,
    facets::{Dropped, write_facets},
    hits::{Hits, Members, Query},
};
use crate::{
    FacetRanks, FacetSpec, MergeError, Paging, SearchSpec,
    kway::merge,
    search::{Distinct, Window, has_empty, push_name, push_number, push_text, write_paging},
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
    /// The same where no single answer tells it: of every index, and of each of its queries, all documents that it finds, as
    /// [`merge_surveyed`](crate::merge_surveyed) has it.
    pub surveyed: BTreeMap<String, Vec<Vec<Bytes>>>,
    /// By index, all values of the facets whose lists [hold equal counts](tied_facets_of), where they are known.
    pub facet_ranks: BTreeMap<String, FacetRanks>,
    /// The hits of every query by itself, where the answers to all of them do not tell which come first: empty, or one for each
    /// query.
    pub alone: Vec<Alone>,
    /// The server that every hit says it is from; none says so if `None`.
    pub remote: Option<String>,
    /// `processingTimeMs`.
    pub processing_time_ms: u64,
    /// `requestUid`; left out if `None`.
    pub request_uid: Option<String>,
    /// Members that follow: names and JSON texts.
    pub extra: Vec<(String, String)>,
}

impl FederatedSpec {
    /// How many hits of an index one node looks at: up to the end of the page, within `maxTotalHits`.
    fn most_hits(&self, index: &str) -> usize {
        let Window { skip, take } = self.paging.window();
        let query = self.queries.iter().find(|query| query.index == index);
        let most = query.and_then(|query| query.search.max_total_hits).unwrap_or(usize::MAX);
        skip.saturating_add(take).min(most)
    }

    /// The queries that search in an index.
    fn queries_in<'s>(&'s self, index: &'s str) -> impl Iterator<Item = &'s FederatedQuery> {
        self.queries.iter().filter(move |query| query.index == index)
    }
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
/// Where hits are grouped, the answers may not tell enough: see [`hits_in_doubt`].
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn merge_federated(answers: &[Bytes], spec: &FederatedSpec) -> Result<Vec<u8>, MergeError> {
    if answers.is_empty() {
        return Err(MergeError::NoAnswers);
    }
    let queries = Query::all(spec);
    let mut opened = open(answers, &queries)?;
    let mut out = Vec::with_capacity(answers.iter().map(Bytes::len).max().unwrap_or_default() + 512);
    out.extend_from_slice(b"{\"hits\":[");
    let start = out.len();
    let mut taken = write_hits(&mut opened, spec, &mut out)?;
    let alone: Vec<Query<'_>> = Query::all(spec).into_iter().map(Query::alone).collect();
    let mut rejected = Rejected::new();
    if !spec.alone.is_empty() {
        out.truncate(start);
        (taken.semantic, rejected) = write_alone(&spec.alone, &alone, spec, &mut out)?;
    }
    out.push(b']');
    let members: Result<Vec<_>, _> = opened.iter_mut().map(Hits::close).collect();
    write_members(&members?, &taken, &Counted::of(spec, &rejected)?, spec, &mut out)?;
    Ok(out)
}

/// Whether the answers do not tell which hits come first, so that every query has to be asked [alone](FederatedSpec::alone): a hit
/// is left out that has several values of the attribute by which hits are grouped, or that shares its index with another query, or
/// is one of several with an empty string.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn hits_in_doubt(answers: &[Bytes], spec: &FederatedSpec) -> Result<bool, MergeError> {
    if Same::new(spec).is_none() {
        return Ok(false);
    }
    let queries = Query::all(spec);
    Ok(write_hits(&mut open(answers, &queries)?, spec, &mut Vec::new())?.in_doubt)
}

fn open<'a, 's>(answers: &'a [Bytes], queries: &'s [Query<'s>]) -> Result<Vec<Hits<'a, 's>>, MergeError> {
    answers.iter().enumerate().map(|(node, text)| Hits::open(node, text, queries)).collect()
}

/// What the hits say about the whole.
#[derive(Default)]
struct Taken<'a> {
    /// Hits on the page that were found by their vector.
    semantic: u64,
    /// Hits that another one with the same distinct value came before.
    dropped: Dropped<'a>,
    /// Whether other hits may come first: see [`hits_in_doubt`].
    in_doubt: bool,
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

    /// Whether a hit leaves others in doubt that may come before the end of the page.
    fn leaves_in_doubt(&self, hit: &Hits<'a, '_>, kept: bool, spec: &FederatedSpec) -> bool {
        let values = hit.record().watched();
        let is_shared = || spec.queries_in(hit.query().index).nth(1).is_some();
        (self.of_all.is_some() && has_empty(values)) || (!kept && (values.len() > 1 || is_shared()))
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
        let keeps = same.keeps(answer);
        taken.in_doubt |= !ends_early && written < take && same.leaves_in_doubt(answer, keeps, spec);
        if !keeps {
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
    counted: &Counted<'_>,
    spec: &FederatedSpec,
    out: &mut Vec<u8>,
) -> Result<(), MergeError> {
    if let Some(vectors) = members.iter().find_map(|members| members.query_vectors) {
        out.extend_from_slice(b",\"queryVectors\":");
        out.extend_from_slice(vectors);
    }
    push_number("processingTimeMs", spec.processing_time_ms, out);
    let total = members.iter().filter_map(|members| members.total).fold(0, u64::saturating_add);
    let total = counted.total(spec).unwrap_or_else(|| total.saturating_sub(taken.dropped.count()));
    write_paging(total, &SearchSpec { paging: spec.paging, ..SearchSpec::default() }, out);
    write_facets(members, counted, &taken.dropped, total, spec, out)?;
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
