//! Several nodes' answers to one federated search.

mod hits;

use std::{borrow::Cow, collections::BTreeMap, ops::ControlFlow};

use bytes::Bytes;

use self::hits::{Hits, Members, Query};
use crate::{
    FacetSpec, MergeError, Paging, SearchSpec,
    error::InNode,
    facets::{Distribution, Listing, Stats},
    kway::merge,
    scan::{Cursor, unescape},
    search::{push_name, push_number, push_text, write_paging},
};

/// What a merged answer to a federated search is made of and looks like.
///
/// How the nodes have to be asked for it: the client's request with `offset: 0` and `limit: offset + limit`, or `page: 1`
/// and `hitsPerPage: page * hitsPerPage`, in the federation; without `mergeFacets` and `distinct`; and every query as
/// [`SearchSpec`] has it, without its part of the hits.
#[derive(Debug, Clone, Default)]
pub struct FederatedSpec {
    /// Which part of the hits.
    pub paging: Paging,
    /// The queries, in the client's order.
    pub queries: Vec<FederatedQuery>,
    /// How facets are listed, by index.
    pub facets: BTreeMap<String, FacetSpec>,
    /// `processingTimeMs`.
    pub processing_time_ms: u64,
    /// `requestUid`; left out if `None`.
    pub request_uid: Option<String>,
    /// Members that follow: names and JSON texts.
    pub extra: Vec<(String, String)>,
}

/// One query of a federated search.
#[derive(Debug, Clone, Default)]
pub struct FederatedQuery {
    /// The index it searches in.
    pub index: String,
    /// What its scores are multiplied by.
    pub weight: f64,
    /// What its hits look like. The part of the hits, facets and what follows the hits are not looked at.
    pub search: SearchSpec,
}

/// Merges the answers of several nodes to one federated search into the answer that one node with all documents would
/// give.
///
/// * **Order**: hits of one query as in [`merge_search`](crate::merge_search). Hits of two queries by weighted score, and
///   where there are sort rules, step by step; equal ones in the order of the queries. A node weighs the rules before a sort
///   rule as one score, which its answer does not tell: with sort rules, hits of two queries that differ little in it may
///   come in another order.
/// * **Totals** are the sums of the nodes': a node counts a document that two queries find once.
/// * **Facets** by index, see [`FacetSpec`].
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn merge_federated(answers: &[Bytes], spec: &FederatedSpec) -> Result<Vec<u8>, MergeError> {
    if answers.is_empty() {
        return Err(MergeError::NoAnswers);
    }
    let queries: Vec<Query<'_>> = spec.queries.iter().map(Query::new).collect();
    let opened: Result<Vec<_>, _> =
        answers.iter().enumerate().map(|(node, text)| Hits::open(node, text, &queries)).collect();
    let mut opened = opened?;
    let mut out = Vec::with_capacity(answers.iter().map(Bytes::len).max().unwrap_or_default() + 512);
    out.extend_from_slice(b"{\"hits\":[");
    write_hits(&mut opened, spec, &mut out)?;
    out.push(b']');
    let members: Result<Vec<_>, _> = opened.iter_mut().map(Hits::close).collect();
    write_members(&members?, spec, &mut out)?;
    Ok(out)
}

/// Appends the hits of the page. No index gives more than its `maxTotalHits`.
fn write_hits(
    answers: &mut [Hits<'_, '_>],
    spec: &FederatedSpec,
    out: &mut Vec<u8>,
) -> Result<(), MergeError> {
    let window = SearchSpec { paging: spec.paging, ..SearchSpec::default() }.window();
    if window.take == 0 {
        return Ok(());
    }
    let (mut seen, mut written) = (0, 0);
    let mut of_index: BTreeMap<&str, usize> = BTreeMap::new();
    merge(answers, |answer| {
        let query = answer.query();
        let of_index = of_index.entry(query.index).or_default();
        if *of_index >= query.max_total_hits {
            return Ok(ControlFlow::Continue(()));
        }
        *of_index += 1;
        if seen >= window.skip {
            if written > 0 {
                out.push(b',');
            }
            written += 1;
            answer.write(out)?;
        }
        seen += 1;
        Ok(if written == window.take { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })
}

/// Appends what follows the hits, in the order of Meilisearch.
fn write_members(members: &[Members<'_>], spec: &FederatedSpec, out: &mut Vec<u8>) -> Result<(), MergeError> {
    push_number("processingTimeMs", spec.processing_time_ms, out);
    let total = members.iter().filter_map(|members| members.total).fold(0, u64::saturating_add);
    write_paging(total, &SearchSpec { paging: spec.paging, ..SearchSpec::default() }, out);
    write_facets(members, total, spec, out)?;
    if let Some(request_uid) = &spec.request_uid {
        push_text("requestUid", request_uid, out);
    }
    for (name, json) in &spec.extra {
        push_name(name, out);
        out.extend_from_slice(json.as_bytes());
    }
    out.push(b'}');
    Ok(())
}

/// The facets of one index.
#[derive(Default)]
struct Facets<'a> {
    distribution: Distribution<'a>,
    stats: Stats<'a>,
}

fn write_facets(
    members: &[Members<'_>],
    candidates: u64,
    spec: &FederatedSpec,
    out: &mut Vec<u8>,
) -> Result<(), MergeError> {
    let mut by_index: BTreeMap<Cow<'_, str>, Facets<'_>> = BTreeMap::new();
    for (node, members) in members.iter().enumerate() {
        let Some(text) = members.facets_by_index else { continue };
        read_facets(node, text, &mut by_index).in_node(node, 0)?;
    }
    if by_index.is_empty() {
        return Ok(());
    }
    out.extend_from_slice(b",\"facetsByIndex\":");
    let plain = FacetSpec { max_values: usize::MAX, ..FacetSpec::default() };
    for (place, (index, facets)) in by_index.iter().enumerate() {
        out.push(if place > 0 { b',' } else { b'{' });
        out.extend_from_slice(serde_json::Value::from(index.as_ref()).to_string().as_bytes());
        out.extend_from_slice(b":{\"distribution\":");
        let spec = spec.facets.get(index.as_ref()).unwrap_or(&plain);
        facets.distribution.write(
            &Listing { spec, candidates, stats: &facets.stats, duplicates: &[], documents: None },
            out,
        )?;
        out.extend_from_slice(b",\"stats\":");
        facets.stats.write(&[], out);
        out.push(b'}');
    }
    out.push(b'}');
    Ok(())
}

/// Adds what one node says.
fn read_facets<'a>(
    node: usize,
    text: &'a [u8],
    by_index: &mut BTreeMap<Cow<'a, str>, Facets<'a>>,
) -> crate::scan::Scan<()> {
    let mut cursor = Cursor::new(text);
    cursor.enter_object()?;
    let mut first = true;
    while let Some(index) = cursor.key(&mut first)? {
        let facets = by_index.entry(unescape(index)).or_default();
        cursor.enter_object()?;
        let mut first_member = true;
        while let Some(key) = cursor.key(&mut first_member)? {
            let value = cursor.value()?;
            match key {
                b"distribution" => facets.distribution.add(node, value)?,
                b"stats" => facets.stats.add(value)?,
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
