//! A settings patch, applied to an index.

use std::collections::{BTreeMap, BTreeSet};

use milli_core::Index;
use milli_core::heed::RwTxn;
use milli_core::update::{Setting, Settings};
use serde_json::{Map, Value, json};

use super::patch::{LocalizedAttributes, all_reset, is_wildcard, order_map, read};
use super::rules::{criteria_of, has_newer_name};
use crate::engine::Limits;
use crate::error::EngineError;

/// The setting that says what a chat is told.
pub(super) const CHAT: &str = "chat";

/// Applies a patch within `wtxn`: an absent member stays as it is, `null` goes back to the default. Updates `extras`,
/// the settings that the engine does not know.
pub(crate) fn apply_settings<'i>(
    index: &'i Index,
    wtxn: &mut RwTxn<'i>,
    patch: &Value,
    extras: &mut Map<String, Value>,
    limits: &Limits,
) -> Result<(), EngineError> {
    let Value::Object(patch) = patch else { return Ok(()) };
    let mut builder = Settings::new(wtxn, index, limits.config());
    set_attributes(&mut builder, patch)?;
    set_ranking(&mut builder, patch)?;
    set_words(&mut builder, patch)?;
    set_typo_tolerance(&mut builder, patch)?;
    set_facets_and_pages(&mut builder, patch)?;
    set_search(&mut builder, patch)?;
    builder.execute(|_| (), || false)?;
    keep_extras(extras, patch)
}

/// Sets the primary key of an index within `wtxn`, or with none only notes the moment of change.
pub(crate) fn set_primary_key<'i>(
    index: &'i Index,
    wtxn: &mut RwTxn<'i>,
    primary_key: Option<&str>,
    limits: &Limits,
) -> Result<(), EngineError> {
    let mut builder = Settings::new(wtxn, index, limits.config());
    if let Some(primary_key) = primary_key {
        builder.set_primary_key(primary_key.to_owned());
    }
    Ok(builder.execute(|_| (), || false)?)
}

type Builder<'a, 't, 'i> = Settings<'a, 't, 'i>;

fn set_attributes(builder: &mut Builder<'_, '_, '_>, patch: &Map<String, Value>) -> Result<(), EngineError> {
    match read::<Vec<String>>(patch, "displayedAttributes")? {
        Setting::Set(names) if is_wildcard(&names) => builder.reset_displayed_fields(),
        Setting::Set(names) => builder.set_displayed_fields(names),
        Setting::Reset => builder.reset_displayed_fields(),
        Setting::NotSet => {}
    }
    match read::<Vec<String>>(patch, "searchableAttributes")? {
        Setting::Set(names) if is_wildcard(&names) => builder.reset_searchable_fields(),
        Setting::Set(names) => builder.set_searchable_fields(names),
        Setting::Reset => builder.reset_searchable_fields(),
        Setting::NotSet => {}
    }
    match read(patch, "filterableAttributes")? {
        Setting::Set(rules) => builder.set_filterable_fields(rules),
        Setting::Reset => builder.reset_filterable_fields(),
        Setting::NotSet => {}
    }
    match read(patch, "sortableAttributes")? {
        Setting::Set(names) => builder.set_sortable_fields(names),
        Setting::Reset => builder.reset_sortable_fields(),
        Setting::NotSet => {}
    }
    match read(patch, "distinctAttribute")? {
        Setting::Set(name) => builder.set_distinct_field(name),
        Setting::Reset => builder.reset_distinct_field(),
        Setting::NotSet => {}
    }
    match read::<Vec<LocalizedAttributes>>(patch, "localizedAttributes")? {
        Setting::Set(rules) => {
            builder.set_localized_attributes_rules(rules.into_iter().map(Into::into).collect());
        }
        Setting::Reset => builder.reset_localized_attributes_rules(),
        Setting::NotSet => {}
    }
    Ok(())
}

fn set_ranking(builder: &mut Builder<'_, '_, '_>, patch: &Map<String, Value>) -> Result<(), EngineError> {
    match read::<Vec<String>>(patch, "rankingRules")? {
        Setting::Set(rules) => {
            let criteria = criteria_of(&rules).map_err(milli_core::UserError::from)?;
            builder.set_criteria(criteria);
        }
        Setting::Reset => builder.reset_criteria(),
        Setting::NotSet => {}
    }
    match read(patch, "proximityPrecision")? {
        Setting::Set(precision) => builder.set_proximity_precision(precision),
        Setting::Reset => builder.reset_proximity_precision(),
        Setting::NotSet => {}
    }
    Ok(())
}

fn set_words(builder: &mut Builder<'_, '_, '_>, patch: &Map<String, Value>) -> Result<(), EngineError> {
    match read(patch, "stopWords")? {
        Setting::Set(words) => builder.set_stop_words(words),
        Setting::Reset => builder.reset_stop_words(),
        Setting::NotSet => {}
    }
    match read(patch, "nonSeparatorTokens")? {
        Setting::Set(tokens) => builder.set_non_separator_tokens(tokens),
        Setting::Reset => builder.reset_non_separator_tokens(),
        Setting::NotSet => {}
    }
    match read(patch, "separatorTokens")? {
        Setting::Set(tokens) => builder.set_separator_tokens(tokens),
        Setting::Reset => builder.reset_separator_tokens(),
        Setting::NotSet => {}
    }
    match read(patch, "dictionary")? {
        Setting::Set(words) => builder.set_dictionary(words),
        Setting::Reset => builder.reset_dictionary(),
        Setting::NotSet => {}
    }
    match read(patch, "synonyms")? {
        Setting::Set(synonyms) => builder.set_synonyms(synonyms),
        Setting::Reset => builder.reset_synonyms(),
        Setting::NotSet => {}
    }
    Ok(())
}

fn set_typo_tolerance(
    builder: &mut Builder<'_, '_, '_>,
    patch: &Map<String, Value>,
) -> Result<(), EngineError> {
    let typo = match read::<Map<String, Value>>(patch, "typoTolerance")? {
        Setting::Set(typo) => typo,
        Setting::Reset => all_reset(&[
            "enabled",
            "minWordSizeForTypos",
            "disableOnWords",
            "disableOnAttributes",
            "disableOnNumbers",
        ]),
        Setting::NotSet => return Ok(()),
    };
    match read(&typo, "enabled")? {
        Setting::Set(enabled) => builder.set_autorize_typos(enabled),
        Setting::Reset => builder.reset_authorize_typos(),
        Setting::NotSet => {}
    }
    let lengths = match read::<Map<String, Value>>(&typo, "minWordSizeForTypos")? {
        Setting::Set(lengths) => lengths,
        Setting::Reset => all_reset(&["oneTypo", "twoTypos"]),
        Setting::NotSet => Map::new(),
    };
    match read(&lengths, "oneTypo")? {
        Setting::Set(length) => builder.set_min_word_len_one_typo(length),
        Setting::Reset => builder.reset_min_word_len_one_typo(),
        Setting::NotSet => {}
    }
    match read(&lengths, "twoTypos")? {
        Setting::Set(length) => builder.set_min_word_len_two_typos(length),
        Setting::Reset => builder.reset_min_word_len_two_typos(),
        Setting::NotSet => {}
    }
    match read::<BTreeSet<String>>(&typo, "disableOnWords")? {
        Setting::Set(words) => builder.set_exact_words(words),
        Setting::Reset => builder.reset_exact_words(),
        Setting::NotSet => {}
    }
    match read(&typo, "disableOnAttributes")? {
        Setting::Set(names) => builder.set_exact_attributes(names),
        Setting::Reset => builder.reset_exact_attributes(),
        Setting::NotSet => {}
    }
    match read(&typo, "disableOnNumbers")? {
        Setting::Set(disabled) => builder.set_disable_on_numbers(disabled),
        Setting::Reset => builder.reset_disable_on_numbers(),
        Setting::NotSet => {}
    }
    Ok(())
}

fn set_facets_and_pages(
    builder: &mut Builder<'_, '_, '_>,
    patch: &Map<String, Value>,
) -> Result<(), EngineError> {
    let faceting = match read::<Map<String, Value>>(patch, "faceting")? {
        Setting::Set(faceting) => faceting,
        Setting::Reset => all_reset(&["maxValuesPerFacet", "sortFacetValuesBy"]),
        Setting::NotSet => Map::new(),
    };
    match read(&faceting, "maxValuesPerFacet")? {
        Setting::Set(max) => builder.set_max_values_per_facet(max),
        Setting::Reset => builder.reset_max_values_per_facet(),
        Setting::NotSet => {}
    }
    match read::<BTreeMap<String, String>>(&faceting, "sortFacetValuesBy")? {
        Setting::Set(orders) => builder.set_sort_facet_values_by(order_map(&orders)),
        Setting::Reset => builder.reset_sort_facet_values_by(),
        Setting::NotSet => {}
    }
    let pagination = match read::<Map<String, Value>>(patch, "pagination")? {
        Setting::Set(pagination) => pagination,
        Setting::Reset => all_reset(&["maxTotalHits"]),
        Setting::NotSet => Map::new(),
    };
    match read(&pagination, "maxTotalHits")? {
        Setting::Set(max) => builder.set_pagination_max_total_hits(max),
        Setting::Reset => builder.reset_pagination_max_total_hits(),
        Setting::NotSet => {}
    }
    Ok(())
}

fn set_search(builder: &mut Builder<'_, '_, '_>, patch: &Map<String, Value>) -> Result<(), EngineError> {
    match read(patch, "embedders")? {
        Setting::Set(embedders) => builder.set_embedder_settings(embedders),
        Setting::Reset => builder.reset_embedder_settings(),
        Setting::NotSet => {}
    }
    match read(patch, "searchCutoffMs")? {
        Setting::Set(cutoff) => builder.set_search_cutoff(cutoff),
        Setting::Reset => builder.reset_search_cutoff(),
        Setting::NotSet => {}
    }
    match read(patch, "facetSearch")? {
        Setting::Set(enabled) => builder.set_facet_search(enabled),
        Setting::Reset => builder.reset_facet_search(),
        Setting::NotSet => {}
    }
    match read(patch, "prefixSearch")? {
        Setting::Set(when) => builder.set_prefix_search(when),
        Setting::Reset => builder.reset_prefix_search(),
        Setting::NotSet => {}
    }
    Ok(())
}

fn keep_extras(extras: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), EngineError> {
    if let Some(change) = patch.get(CHAT) {
        let mut chat = chat(extras.get(CHAT))?;
        chat.apply(&self::chat(Some(change))?);
        match chat.to_value().get_mut(CHAT) {
            Some(kept) => drop(extras.insert(CHAT.to_owned(), kept.take())),
            None => drop(extras.remove(CHAT)),
        }
    }
    let Some(rules) = patch.get("rankingRules") else { return Ok(()) };
    let newer = |rules: &Vec<Value>| rules.iter().filter_map(Value::as_str).any(has_newer_name);
    match rules.as_array().is_some_and(newer) {
        true => drop(extras.insert("rankingRules".to_owned(), rules.clone())),
        false => drop(extras.remove("rankingRules")),
    }
    Ok(())
}

/// Settings with this chat and nothing else: the engine knows nothing of chats.
fn chat(value: Option<&Value>) -> Result<miroir_protocol::Settings, EngineError> {
    let settings = miroir_protocol::Settings::from_value(json!({ CHAT: value }));
    Ok(settings.map_err(|error| milli_core::Error::from(milli_core::InternalError::SerdeJson(error)))?)
}
