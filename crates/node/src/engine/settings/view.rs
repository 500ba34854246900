//! The settings of an index as clients see them.

use milli_core::heed::RoTxn;
use milli_core::index::{IndexEmbeddingConfig, PrefixSearch};
use milli_core::vector::settings::EmbeddingSettings;
use milli_core::{Criterion, DEFAULT_VALUES_PER_FACET, Index, OrderBy};
use miroir_protocol::settings::{SettingName, Settings};
use serde_json::{Map, Value, json};

use super::apply::CHAT;
use crate::engine::languages::code_of;
use crate::error::EngineError;

/// Hits that can be paged to unless the settings say otherwise.
pub(crate) const DEFAULT_MAX_TOTAL_HITS: u64 = 1000;

/// Every setting of the index, in Meilisearch's order, with `extras` for those the engine does not know.
pub(crate) fn settings_view(
    index: &Index,
    rtxn: &RoTxn<'_>,
    extras: &Map<String, Value>,
) -> Result<Map<String, Value>, EngineError> {
    let wildcard = || json!(["*"]);
    let displayed = index.displayed_fields(rtxn)?.map_or_else(wildcard, |names| json!(names));
    let searchable = index.user_defined_searchable_fields(rtxn)?.map_or_else(wildcard, |names| json!(names));
    let mut view = Map::new();
    let mut put = |name: &str, value: Value| drop(view.insert(name.to_owned(), value));
    put("displayedAttributes", displayed);
    put("searchableAttributes", searchable);
    put("filterableAttributes", json!(index.filterable_attributes_rules(rtxn)?));
    put("sortableAttributes", json!(sorted(index.sortable_fields(rtxn)?)));
    let rules = extras.get("rankingRules").cloned();
    put("rankingRules", rules.unwrap_or(ranking_rules(&index.criteria(rtxn)?)));
    put("stopWords", json!(words(index.stop_words(rtxn)?)?));
    put("nonSeparatorTokens", json!(index.non_separator_tokens(rtxn)?.unwrap_or_default()));
    put("separatorTokens", json!(index.separator_tokens(rtxn)?.unwrap_or_default()));
    put("dictionary", json!(index.dictionary(rtxn)?.unwrap_or_default()));
    put("synonyms", json!(index.user_defined_synonyms(rtxn)?));
    put("distinctAttribute", json!(index.distinct_field(rtxn)?));
    put("proximityPrecision", json!(index.proximity_precision(rtxn)?.unwrap_or_default()));
    put("typoTolerance", typo_tolerance(index, rtxn)?);
    put("faceting", faceting(index, rtxn)?);
    let max_total_hits = index.pagination_max_total_hits(rtxn)?.unwrap_or(DEFAULT_MAX_TOTAL_HITS);
    put("pagination", json!({ "maxTotalHits": max_total_hits }));
    put("embedders", embedders(index, rtxn)?);
    put("searchCutoffMs", json!(index.search_cutoff(rtxn)?));
    put("localizedAttributes", localized_attributes(index, rtxn)?);
    put("facetSearch", json!(index.facet_search(rtxn)?));
    put("prefixSearch", json!(prefix_search(index.prefix_search(rtxn)?.unwrap_or_default())));
    if let Some(chat) = extras.get(CHAT) {
        let settings = Settings::from_value(json!({ CHAT: chat })).unwrap_or_default();
        put(CHAT, settings.view_of(SettingName::Chat));
    }
    Ok(view)
}

fn ranking_rules(criteria: &[Criterion]) -> Value {
    criteria.iter().map(ToString::to_string).collect::<Vec<_>>().into()
}

fn typo_tolerance(index: &Index, rtxn: &RoTxn<'_>) -> Result<Value, EngineError> {
    Ok(json!({
        "enabled": index.authorize_typos(rtxn)?,
        "minWordSizeForTypos": {
            "oneTypo": index.min_word_len_one_typo(rtxn)?,
            "twoTypos": index.min_word_len_two_typos(rtxn)?,
        },
        "disableOnWords": words(index.exact_words(rtxn)?)?,
        "disableOnAttributes": sorted(index.exact_attributes(rtxn)?),
        "disableOnNumbers": index.disabled_typos_terms(rtxn)?.disable_on_numbers,
    }))
}

fn faceting(index: &Index, rtxn: &RoTxn<'_>) -> Result<Value, EngineError> {
    let max = index.max_values_per_facet(rtxn)?.unwrap_or(DEFAULT_VALUES_PER_FACET as u64);
    let mut orders: Vec<_> = index.sort_facet_values_by(rtxn)?.into_iter().collect();
    orders.sort_by(|left, right| left.0.cmp(&right.0));
    let orders: Map<_, _> = orders
        .into_iter()
        .map(|(name, order)| (name, json!(if matches!(order, OrderBy::Count) { "count" } else { "alpha" })))
        .collect();
    Ok(json!({ "maxValuesPerFacet": max, "sortFacetValuesBy": orders }))
}

fn embedders(index: &Index, rtxn: &RoTxn<'_>) -> Result<Value, EngineError> {
    let mut embedders = Map::new();
    for IndexEmbeddingConfig { name, config, .. } in index.embedding_configs(rtxn)? {
        let settings = serde_json::to_value(EmbeddingSettings::from(config))
            .map_err(milli_core::InternalError::SerdeJson)
            .map_err(milli_core::Error::from)?;
        embedders.insert(name, without_secret(settings));
    }
    Ok(embedders.into())
}

/// The settings of an embedder with its key made unreadable.
fn without_secret(mut settings: Value) -> Value {
    if let Some(Value::String(key)) = settings.get_mut("apiKey") {
        let visible: String = key.chars().take(if key.len() < 30 { key.len() / 10 } else { 5 }).collect();
        *key = format!("{visible}XXX...");
    }
    settings
}

fn localized_attributes(index: &Index, rtxn: &RoTxn<'_>) -> Result<Value, EngineError> {
    let Some(rules) = index.localized_attributes_rules(rtxn)? else { return Ok(Value::Null) };
    let rules = rules.iter().map(|rule| {
        let locales: Vec<_> = rule.locales().iter().map(|language| code_of(*language)).collect();
        json!({ "attributePatterns": rule.attribute_patterns, "locales": locales })
    });
    Ok(rules.collect())
}

fn prefix_search(when: PrefixSearch) -> &'static str {
    match when {
        PrefixSearch::IndexingTime => "indexingTime",
        PrefixSearch::Disabled => "disabled",
    }
}

/// The words of a set that the engine keeps as an automaton, in order.
fn words<D: AsRef<[u8]>>(set: Option<fst::Set<D>>) -> Result<Vec<String>, EngineError> {
    let Some(set) = set else { return Ok(Vec::new()) };
    let words = set.stream().into_strs();
    Ok(words.map_err(|error| milli_core::Error::from(milli_core::InternalError::Fst(error)))?)
}

fn sorted<T: Ord>(names: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable();
    names
}
