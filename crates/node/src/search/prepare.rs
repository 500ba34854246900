//! A search made ready for the engine.

use std::str::FromStr;
use std::time::Duration;

use milli_core::heed::RoTxn;
use milli_core::score_details::ScoringStrategy;
use milli_core::{AscDesc, Search, SortError, TermsMatchingStrategy, TimeBudget};
use miroir_protocol::error::{Code, ResponseError};
use miroir_protocol::search::{MatchingStrategy, SearchQuery};

use super::filter::parse_filter;
use super::kind::Kind;
use crate::engine::{DEFAULT_MAX_TOTAL_HITS, OpenIndex, languages_of};
use crate::error::EngineError;
use crate::features::Features;

/// How long a search may take before it answers with what it has.
const DEFAULT_CUTOFF: Duration = Duration::from_millis(1500);

/// Hits of a page unless the query says otherwise.
pub(super) const DEFAULT_HITS_PER_PAGE: usize = 20;

/// A search that can be run.
pub(super) struct Prepared<'a> {
    pub(super) search: Search<'a>,
    pub(super) kind: Kind,
    /// Of what the search finds, up to the end of the page.
    pub(super) window: Window,
}

/// Which of the hits are wanted.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) offset: usize,
    pub(super) limit: usize,
}

/// Makes a search of this query.
pub(super) fn prepare<'a>(
    open: &'a OpenIndex,
    rtxn: &'a RoTxn<'a>,
    query: &'a SearchQuery,
    features: &Features,
) -> Result<Prepared<'a>, EngineError> {
    let index = &open.index;
    let kind = Kind::of(query, index, rtxn)?;
    let window = Window::of(query);
    let mut search = index.search(rtxn);
    configure(&mut search, query)?;
    // As Meilisearch v1.50: hits are looked for up to the end of the page, and those before the page left out afterwards.
    search.offset(0);
    search.limit(window.offset.saturating_add(window.limit).min(max_total_hits(open, rtxn)?));
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
    Ok(Prepared { search, kind, window })
}

fn configure<'a>(search: &mut Search<'a>, query: &'a SearchQuery) -> Result<(), EngineError> {
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
        .map_err(|error| ResponseError::new(code, SortError::from(error).to_string().trim_end()))
}

/// How many hits can be paged to.
pub(super) fn max_total_hits(open: &OpenIndex, rtxn: &RoTxn<'_>) -> Result<usize, EngineError> {
    let max = open.index.pagination_max_total_hits(rtxn)?.unwrap_or(DEFAULT_MAX_TOTAL_HITS);
    Ok(usize::try_from(max).unwrap_or(usize::MAX))
}

impl Window {
    fn of(query: &SearchQuery) -> Self {
        match query.is_paged() {
            true => Self::of_page(query.page, query.hits_per_page),
            false => Self { offset: query.offset, limit: query.limit },
        }
    }

    /// The hits of one page.
    pub(super) fn of_page(page: Option<usize>, hits_per_page: Option<usize>) -> Self {
        let limit = hits_per_page.unwrap_or(DEFAULT_HITS_PER_PAGE);
        match page.unwrap_or(1).checked_sub(1) {
            // There is no page 0: it has no hits.
            None => Self { offset: 0, limit: 0 },
            Some(before) => Self { offset: limit.saturating_mul(before), limit },
        }
    }
}
