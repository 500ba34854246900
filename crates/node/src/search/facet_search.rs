//! Searching in the values of a facet.

use std::time::Instant;

use milli_core::heed::RoTxn;
use milli_core::tokenizer::Language;
use milli_core::{Index, PatternMatch, SearchForFacetValues};
use miroir_protocol::error::{Code, ResponseError};
use miroir_protocol::search::{FacetSearchQuery, SearchQuery};
use serde_json::{Value, json};

use super::kind::Kind;
use super::prepare::{Prepared, prepare};
use super::run::milliseconds_since;
use crate::engine::{OpenIndex, languages_of};
use crate::error::EngineError;
use crate::features::Features;

/// Answers a search in the values of a facet.
pub(crate) fn facet_search(
    open: &OpenIndex,
    wanted: FacetSearchQuery,
    features: &Features,
) -> Result<Value, EngineError> {
    let started = Instant::now();
    let index = &open.index;
    let rtxn = index.read_txn()?;
    let rtxn: &RoTxn<'_> = &rtxn;
    let FacetSearchQuery { facet_query, facet_name, .. } = &wanted;
    let query = documents_counted(&wanted);
    let Prepared { search, kind, .. } = prepare(open, rtxn, &query, features)?;
    if !index.facet_search(rtxn)? {
        let message = "The facet search is disabled for this index";
        return Err(ResponseError::new(Code::FacetSearchDisabled, message).into());
    }
    let is_hybrid = matches!(kind, Kind::Hybrid(..));
    let mut values = SearchForFacetValues::new(facet_name.clone(), search, is_hybrid);
    if let Some(facet_query) = facet_query {
        values.query(facet_query);
    }
    if let Some(max) = index.max_values_per_facet(rtxn)? {
        values.max_values(usize::try_from(max).unwrap_or(usize::MAX));
    }
    let asked = wanted.locales.as_deref().map(languages_of);
    if let Some(languages) = languages_of_facet(index, rtxn, facet_name, asked.as_deref())? {
        values.locales(languages);
    }
    let hits = values.execute()?;
    Ok(json!({
        "facetHits": hits,
        "facetQuery": facet_query,
        "processingTimeMs": milliseconds_since(started),
    }))
}

/// The search for the documents that count.
fn documents_counted(wanted: &FacetSearchQuery) -> SearchQuery {
    SearchQuery {
        q: wanted.q.clone(),
        vector: wanted.vector.clone(),
        media: wanted.media.clone(),
        hybrid: wanted.hybrid.clone(),
        filter: wanted.filter.clone(),
        matching_strategy: wanted.matching_strategy,
        attributes_to_search_on: wanted.attributes_to_search_on.clone(),
        ranking_score_threshold: wanted.ranking_score_threshold,
        locales: wanted.locales.clone(),
        use_network: wanted.use_network,
        // Page 0 has no hits, and makes the engine count all documents.
        page: (wanted.exhaustive_facet_count == Some(true)).then_some(0),
        ..SearchQuery::default()
    }
}

/// The languages of the facet's values, those that are asked for only; `None` where the settings name none.
fn languages_of_facet(
    index: &Index,
    rtxn: &RoTxn<'_>,
    facet: &str,
    asked: Option<&[Language]>,
) -> Result<Option<Vec<Language>>, EngineError> {
    let rules = index.localized_attributes_rules(rtxn)?.unwrap_or_default();
    let rule = rules.iter().find(|rule| matches!(rule.match_str(facet), PatternMatch::Match));
    Ok(rule.map(|rule| {
        let languages = rule.locales().iter().copied();
        languages.filter(|language| asked.is_none_or(|asked| asked.contains(language))).collect()
    }))
}
