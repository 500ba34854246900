//! One search, from its parameters to its answer.

use std::time::Instant;

use milli_core::heed::RoTxn;
use milli_core::score_details::ScoreDetails;
use miroir_protocol::search::SearchQuery;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::facets::facets_of;
use super::hits::make_hits;
use super::prepare::{DEFAULT_HITS_PER_PAGE, Prepared, Window, prepare};
use crate::engine::OpenIndex;
use crate::error::EngineError;
use crate::features::Features;

/// Answers a search.
pub(crate) fn search(
    open: &OpenIndex,
    query: &SearchQuery,
    features: &Features,
    request_uid: Uuid,
) -> Result<Map<String, Value>, EngineError> {
    let started = Instant::now();
    let index = &open.index;
    let rtxn = index.read_txn()?;
    let rtxn: &RoTxn<'_> = &rtxn;
    let Prepared { search, kind, window } = prepare(open, rtxn, query, features)?;
    let (result, semantic_hits) = kind.execute(&search).map_err(EngineError::about(&open.uid))?;

    let found = result.documents_ids.into_iter().zip(result.document_scores);
    let found: Vec<_> = found.skip(window.offset).take(window.limit).collect();
    let semantic_hits = semantic_hits.map(|_| found.iter().filter(|(_, scores)| is_semantic(scores)).count());
    let hits = make_hits(index, rtxn, query, result.matching_words, found.into_iter())?;
    // As Meilisearch v1.50, and unlike 1.15: totals go beyond what can be paged to.
    let total = usize::try_from(result.candidates.len()).unwrap_or(usize::MAX);
    let facets = match &query.facets {
        Some(wanted) => Some(facets_of(index, rtxn, wanted, result.candidates)?),
        None => None,
    };

    let mut answer = Map::new();
    let mut put = |name: &str, value: Value| drop(answer.insert(name.to_owned(), value));
    put("hits", hits.into());
    put("query", json!(query.q.as_deref().unwrap_or_default()));
    if let Some(vector) = kind.vector().filter(|_| query.retrieve_vectors) {
        put("queryVector", json!(vector));
    }
    put("processingTimeMs", milliseconds_since(started));
    if query.is_paged() {
        put_page(&mut put, query.page, query.hits_per_page, total);
    } else {
        put_window(&mut put, &window, total);
    }
    if let Some(facets) = facets {
        put("facetDistribution", facets.distribution.into());
        put("facetStats", facets.stats.into());
    }
    if let Some(count) = semantic_hits {
        put("semanticHitCount", json!(count));
    }
    put("requestUid", json!(request_uid.to_string()));
    Ok(answer)
}

/// Whether a hit was found by its vector.
fn is_semantic(scores: &[ScoreDetails]) -> bool {
    scores.iter().any(|score| matches!(score, ScoreDetails::Vector(_)))
}

/// How long something took, as answers say it.
pub(super) fn milliseconds_since(started: Instant) -> Value {
    json!(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// What an answer says about pages.
pub(super) fn put_page(
    put: &mut impl FnMut(&str, Value),
    page: Option<usize>,
    hits_per_page: Option<usize>,
    total: usize,
) {
    let per_page = hits_per_page.unwrap_or(DEFAULT_HITS_PER_PAGE);
    put("hitsPerPage", json!(per_page));
    put("page", json!(page.unwrap_or(1)));
    put("totalPages", json!(if per_page == 0 { 0 } else { total.div_ceil(per_page) }));
    put("totalHits", json!(total));
}

/// What an answer says about its part of the hits.
pub(super) fn put_window(put: &mut impl FnMut(&str, Value), window: &Window, total: usize) {
    put("limit", json!(window.limit));
    put("offset", json!(window.offset));
    put("estimatedTotalHits", json!(total));
}
