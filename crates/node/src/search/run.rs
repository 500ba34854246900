//! One search, from its parameters to its answer.

use std::str::FromStr;
use std::time::{Duration, Instant};

use milli_core::heed::RoTxn;
use milli_core::score_details::ScoringStrategy;
use milli_core::{AscDesc, Search, SortError, TermsMatchingStrategy, TimeBudget};
use miroir_protocol::error::{Code, ResponseError};
use miroir_protocol::search::{MatchingStrategy, SearchQuery};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::facets::facets_of;
use super::filter::parse_filter;
use super::hits::make_hits;
use super::kind::Kind;
use crate::engine::{DEFAULT_MAX_TOTAL_HITS, OpenIndex, languages_of};
use crate::error::EngineError;
use crate::features::Features;

/// How long a search may take before it answers with what it has.
const DEFAULT_CUTOFF: Duration = Duration::from_millis(1500);

/// Hits of a page unless the query says otherwise.
const DEFAULT_HITS_PER_PAGE: usize = 20;

/// Which of the hits are wanted.
struct Window {
    offset: usize,
    limit: usize,
}

/// Answers a search.
pub(crate) fn search(
    open: &OpenIndex,
    query: &SearchQuery,
    features: &Features,
) -> Result<Value, EngineError> {
    let started = Instant::now();
    let index = &open.index;
    let rtxn = index.read_txn()?;
    let rtxn: &RoTxn<'_> = &rtxn;
    let kind = Kind::of(query, index, rtxn)?;
    let window = Window::of(query, open, rtxn)?;
    let mut search = index.search(rtxn);
    prepare(&mut search, query, &window)?;
    search.time_budget(TimeBudget::new(match index.search_cutoff(rtxn)? {
        Some(cutoff) => Duration::from_millis(cutoff),
        None => DEFAULT_CUTOFF,
    }));
    let filter =
        query.filter.as_ref().map(|filter| parse_filter(filter, Code::InvalidSearchFilter, features));
    if let Some(filter) = filter.transpose()?.flatten() {
        search.filter(filter);
    }
    kind.prepare(&mut search, query)?;
    let (result, semantic_hits) = kind.execute(&search).map_err(EngineError::about(&open.uid))?;

    let found = result.documents_ids.into_iter().zip(result.document_scores);
    let hits = make_hits(index, rtxn, query, result.matching_words, found)?;
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
    put("processingTimeMs", json!(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)));
    put_paging(&mut put, query, &window, total);
    if let Some(facets) = facets {
        put("facetDistribution", facets.distribution);
        put("facetStats", facets.stats);
    }
    if let Some(count) = semantic_hits {
        put("semanticHitCount", json!(count));
    }
    put("requestUid", json!(Uuid::now_v7().to_string()));
    Ok(answer.into())
}

fn prepare<'a>(search: &mut Search<'a>, query: &'a SearchQuery, window: &Window) -> Result<(), EngineError> {
    search.offset(window.offset);
    search.limit(window.limit);
    search.exhaustive_number_hits(query.is_paged());
    search.terms_matching_strategy(match query.matching_strategy {
        MatchingStrategy::Last => TermsMatchingStrategy::Last,
        MatchingStrategy::All => TermsMatchingStrategy::All,
        MatchingStrategy::Frequency => TermsMatchingStrategy::Frequency,
    });
    let threshold = query.ranking_score_threshold.map(|threshold| threshold.get());
    if let Some(threshold) = threshold {
        search.ranking_score_threshold(threshold);
    }
    let scored = query.show_ranking_score || query.show_ranking_score_details || threshold.is_some();
    search.scoring_strategy(if scored { ScoringStrategy::Detailed } else { ScoringStrategy::Skip });
    if let Some(distinct) = &query.distinct {
        search.distinct(distinct.clone());
    }
    if let Some(attributes) = &query.attributes_to_search_on {
        search.searchable_attributes(attributes);
    }
    if let Some(sort) = &query.sort {
        search.sort_criteria(parse_sort(sort, Code::InvalidSearchSort)?);
    }
    if let Some(locales) = &query.locales {
        search.locales(languages_of(locales));
    }
    Ok(())
}

/// The criteria of a `sort` parameter.
pub(crate) fn parse_sort(sort: &[String], code: Code) -> Result<Vec<AscDesc>, ResponseError> {
    let criteria = sort.iter().map(|criterion| AscDesc::from_str(criterion));
    criteria
        .collect::<Result<_, _>>()
        .map_err(|error| ResponseError::new(code, SortError::from(error).to_string()))
}

fn put_paging(put: &mut impl FnMut(&str, Value), query: &SearchQuery, window: &Window, total: usize) {
    if query.is_paged() {
        let per_page = query.hits_per_page.unwrap_or(DEFAULT_HITS_PER_PAGE);
        put("hitsPerPage", json!(per_page));
        put("page", json!(query.page.unwrap_or(1)));
        put("totalPages", json!(if per_page == 0 { 0 } else { total.div_ceil(per_page) }));
        put("totalHits", json!(total));
    } else {
        put("limit", json!(query.limit));
        put("offset", json!(window.offset));
        put("estimatedTotalHits", json!(total));
    }
}

impl Window {
    fn of(query: &SearchQuery, open: &OpenIndex, rtxn: &RoTxn<'_>) -> Result<Self, EngineError> {
        let max = open.index.pagination_max_total_hits(rtxn)?.unwrap_or(DEFAULT_MAX_TOTAL_HITS);
        let max_total_hits = usize::try_from(max).unwrap_or(usize::MAX);
        let (offset, limit) = match (query.is_paged(), query.page.unwrap_or(1).checked_sub(1)) {
            (false, _) => (query.offset, query.limit),
            // There is no page 0: it has no hits.
            (true, None) => (0, 0),
            (true, Some(before)) => {
                let per_page = query.hits_per_page.unwrap_or(DEFAULT_HITS_PER_PAGE);
                (per_page.saturating_mul(before), per_page)
            }
        };
        let offset = offset.min(max_total_hits);
        let limit = limit.min(max_total_hits - offset);
        Ok(Self { offset, limit })
    }
}
