//! Several nodes' answers to one search.

mod answer;
mod deep;
mod distinct;
mod groups;
mod hybrid;
mod nearest;
mod page;
mod ranks;
mod spec;
mod survivors;

pub(crate) use self::{
    answer::order_sequences,
    distinct::{Distinct, Values, has_empty},
    hybrid::GOOD_ENOUGH,
    ranks::Told,
    spec::Window,
    survivors::{Documents, Left, counted, left},
};
pub use self::{
    deep::{LocatedHits, locate_hits},
    groups::groups_overlap,
    hybrid::{merge_hybrid, words_may_be_enough, words_suffice},
    page::page_in_doubt,
    ranks::{facet_ranks, facets_in_doubt, tied_facets, total_hits},
    spec::{Paging, SearchSpec},
};

use bytes::Bytes;

use self::{
    answer::{Answer, Members, Ranking},
    nearest::Last,
    page::{Taken, write_hits},
    survivors::survivors,
};
use crate::{
    MergeError,
    error::InNode,
    facets::{Distribution, Listing, Stats},
    keys::Weights,
    record::Shape,
    scan::push_count,
};

/// Merges the answers of several nodes to one search into the answer that one node with all documents would give.
///
/// The answers have to be to the question that [`SearchSpec`] describes. Hits are copied as the nodes wrote them but for
/// what the client is not to see.
///
/// * **Order**: rule by rule as in the score details; then by the order of insertion (`_miroir.n`), then by node. Hits
///   of one node never change their order, so the pages of one search fit together.
/// * **Totals** are the sums of the nodes'.
/// * **Distinct**: the best hit of each value over all nodes. Of pages, the total is the number of values over all nodes
///   and of documents without one, where the nodes counted the values as a facet; else hits that are duplicates across
///   nodes are taken off the totals and facets as far as the nodes sent them. An attribute with several values per
///   document leaves one difference: what a node left out for a hit that is then itself left out is not brought back.
/// * **Facets**: see [`FacetSpec`](crate::FacetSpec).
///
/// ```
/// use bytes::Bytes;
/// use miroir_merge::{SearchSpec, merge_search};
///
/// let node = |id, sequence| {
///     Bytes::from(format!(
///         r#"{{"hits":[{{"id":{id},"_miroir":{{"n":"{sequence}"}}}}],"query":"x","estimatedTotalHits":1}}"#
///     ))
/// };
/// let merged = merge_search(&[node(2, ",!"), node(1, "!!")], &SearchSpec::default())?;
/// assert!(merged.starts_with(br#"{"hits":[{"id":1},{"id":2}],"query":"x","#));
/// # Ok::<(), miroir_merge::MergeError>(())
/// ```
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends. What is copied is not checked beyond quotes and brackets.
pub fn merge_search(answers: &[Bytes], spec: &SearchSpec) -> Result<Vec<u8>, MergeError> {
    merge_surveyed(answers, &[], spec)
}

/// [`merge_search`] with totals and facets from `surveyed`: the same nodes' answers to the same search without `distinct`, with
/// score details, all hits, and of each the internal field, the distinct attribute and the facets' attributes. Where one of
/// these does not hold all hits, they are not looked at. For pages under `distinct`, and where the nodes' counts
/// [do not tell](facets_in_doubt) what one node would list.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn merge_surveyed(
    answers: &[Bytes],
    surveyed: &[Bytes],
    spec: &SearchSpec,
) -> Result<Vec<u8>, MergeError> {
    merge_ungrouped(answers, &[], surveyed, spec)
}

/// [`merge_surveyed`] with the hits of `ungrouped`: the same nodes' answers to the same search without `distinct`, with as many hits as
/// it takes. Where it is empty, `answers` tell the hits.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn merge_ungrouped(
    answers: &[Bytes],
    ungrouped: &[Bytes],
    surveyed: &[Bytes],
    spec: &SearchSpec,
) -> Result<Vec<u8>, MergeError> {
    if answers.is_empty() {
        return Err(MergeError::NoAnswers);
    }
    let shape = shape_of_hits(spec);
    let mut opened = open(answers, &shape, spec)?;
    let longest = answers.iter().chain(ungrouped).map(Bytes::len).max().unwrap_or_default();
    let mut out = Vec::with_capacity(longest + 512);
    out.extend_from_slice(b"{\"hits\":[");
    let start = out.len();
    let last = Last::of(answers, spec)?;
    let mut taken = write_hits(&mut opened, spec, &shape, (None, last), &mut out)?;
    if !ungrouped.is_empty() {
        out.truncate(start);
        let hits = write_hits(&mut open(ungrouped, &shape, spec)?, spec, &shape, (None, None), &mut out)?;
        taken.semantic = hits.semantic;
    }
    let members: Result<Vec<_>, _> = opened.iter_mut().map(Answer::close).collect();
    let survivors = if surveyed.is_empty() { None } else { survivors(surveyed, spec)? };
    write_members(&members?, &taken, survivors.as_deref(), spec, &mut out)?;
    Ok(out)
}

/// Opens all answers.
fn open<'a, 's>(
    answers: &'a [Bytes],
    shape: &'s Shape<'s>,
    spec: &SearchSpec,
) -> Result<Vec<Answer<'a, 's>>, MergeError> {
    let ranking = ranking(answers.len(), spec);
    answers.iter().enumerate().map(|(node, text)| Answer::open(node, text, shape, ranking)).collect()
}

/// How hits are read and written.
fn shape_of_hits(spec: &SearchSpec) -> Shape<'_> {
    let mut shape = Shape::of_hit(&spec.strip, &spec.strip_formatted, spec.displayed.as_deref());
    (shape.show_score, shape.show_details) = (spec.show_ranking_score, spec.show_ranking_score_details);
    shape.watch = spec.distinct.as_deref();
    shape
}

fn ranking(answers: usize, spec: &SearchSpec) -> Ranking {
    match spec.semantic_ratio {
        _ if answers == 1 => Ranking::None,
        None => Ranking::Rules,
        Some(ratio) => Ranking::Hybrid(Weights::of_ratio(ratio)),
    }
}

/// Appends what follows the hits, in the order of Meilisearch.
fn write_members<'a>(
    members: &[Members<'a>],
    taken: &Taken<'a>,
    survivors: Option<&[(usize, &'a [u8])]>,
    spec: &SearchSpec,
    out: &mut Vec<u8>,
) -> Result<(), MergeError> {
    let first = |member: fn(&Members<'_>) -> bool| members.iter().find(|members| member(members));
    out.extend_from_slice(b"],\"query\":");
    let query = first(|members| members.query.is_some()).and_then(|members| members.query);
    out.extend_from_slice(query.unwrap_or(b"\"\""));
    if let Some(vector) =
        first(|members| members.query_vector.is_some()).and_then(|members| members.query_vector)
    {
        out.extend_from_slice(b",\"queryVector\":");
        out.extend_from_slice(vector);
    }
    push_number("processingTimeMs", spec.processing_time_ms, out);
    let stats = stats(members)?;
    let candidates = candidates(members, taken, survivors, &stats, spec)?;
    write_paging(candidates, spec, out);
    if let Some(facets) = &spec.facets {
        let (duplicates, documents) = (taken.duplicates.as_slice(), survivors);
        let is_page = matches!(spec.paging, Paging::Page { .. }) && members.len() > 1;
        let groups = spec.distinct.as_deref().filter(|_| is_page && survivors.is_none());
        let ranks = spec.facet_ranks.as_ref();
        let listing =
            Listing { spec: facets, candidates, stats: &stats, duplicates, documents, groups, ranks };
        write_facets(members, &listing, &spec.strip_facets, out)?;
    }
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
    if members.iter().any(|members| members.degraded) {
        out.extend_from_slice(b",\"degraded\":true");
    }
    out.push(b'}');
    Ok(())
}

/// Appends which part of how many hits this is.
pub(crate) fn write_paging(candidates: u64, spec: &SearchSpec, out: &mut Vec<u8>) {
    let cap = spec.max_total_hits.filter(|_| spec.legacy_search).map_or(u64::MAX, |most| most as u64);
    let total = candidates.min(cap);
    match spec.paging {
        Paging::Window { limit, offset } => {
            push_number("limit", limit as u64, out);
            push_number("offset", (offset as u64).min(cap), out);
            push_number("estimatedTotalHits", total, out);
        }
        Paging::Page { page, hits_per_page } => {
            // As Meilisearch computes them: pages of 2^64 - 1 hits go once around.
            let rounded = total.wrapping_add((hits_per_page as u64).saturating_sub(1));
            let pages = rounded.checked_div(hits_per_page as u64).unwrap_or(0);
            push_number("hitsPerPage", hits_per_page as u64, out);
            push_number("page", page as u64, out);
            push_number("totalPages", pages, out);
            push_number("totalHits", total, out);
        }
    }
}

fn stats<'a>(members: &[Members<'a>]) -> Result<Stats<'a>, MergeError> {
    // Where a slice starts in its answer is not kept: errors in it tell the place within it.
    let mut stats = Stats::default();
    for (node, members) in members.iter().enumerate() {
        members.facet_stats.map_or(Ok(()), |text| stats.add(text)).in_node(node, 0)?;
    }
    Ok(stats)
}

/// How many hits there are on all pages.
fn candidates(
    members: &[Members<'_>],
    taken: &Taken<'_>,
    survivors: Option<&[(usize, &[u8])]>,
    stats: &Stats<'_>,
    spec: &SearchSpec,
) -> Result<u64, MergeError> {
    if let Some(survivors) = survivors {
        return Ok(survivors.len() as u64);
    }
    if let (Some(distinct), Paging::Page { .. }) = (&spec.distinct, spec.paging)
        && members.len() > 1
        && let Some(total) = groups::total(members, stats, distinct)?
    {
        return Ok(total);
    }
    let sum: u64 = members.iter().filter_map(|members| members.total).fold(0, u64::saturating_add);
    Ok(sum.saturating_sub(taken.duplicates.len() as u64))
}

fn write_facets<'a>(
    members: &[Members<'a>],
    listing: &Listing<'_, 'a>,
    strip: &[String],
    out: &mut Vec<u8>,
) -> Result<(), MergeError> {
    let mut distribution = Distribution::default();
    for (node, members) in members.iter().enumerate() {
        members.facet_distribution.map_or(Ok(()), |text| distribution.add(node, text)).in_node(node, 0)?;
    }
    strip.iter().for_each(|name| distribution.remove(name));
    let counted = listing.documents.map(|documents| distribution.stats_of(documents)).transpose()?;
    let stats = counted.as_ref().unwrap_or(listing.stats);
    push_name("facetDistribution", out);
    distribution.write(&Listing { stats, ..*listing }, out)?;
    push_name("facetStats", out);
    stats.write(strip, out);
    Ok(())
}

/// Appends `,"name":`.
pub(crate) fn push_name(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends `,"name":number`.
pub(crate) fn push_number(name: &str, number: u64, out: &mut Vec<u8>) {
    push_name(name, out);
    push_count(out, number);
}

/// Appends `,"name":"text"`.
pub(crate) fn push_text(name: &str, text: &str, out: &mut Vec<u8>) {
    push_name(name, out);
    let text = serde_json::Value::from(text).to_string();
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests;
