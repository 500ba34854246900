//! Checking a change of settings and carrying it out.

use std::collections::BTreeMap;

use super::{
    ChatSearchParameters, ChatSettings, EmbedderSettings, EmbedderSource, FacetOrder, Faceting,
    MinWordSizeForTypos, Pagination, RankingRule, Setting, Settings, TypoTolerance, embedder_check,
};
use crate::error::{Code, ResponseError};

impl Settings {
    /// What is checked of a change beyond its form, before its task is taken.
    pub(super) fn check(self) -> Result<Self, ResponseError> {
        check_ranking_rules(self.ranking_rules.as_set().map_or(&[][..], Vec::as_slice))?;
        self.embedders.as_set().map_or(Ok(()), embedder_check::check)?;
        Ok(self.with_stars_reset())
    }

    /// The same with attributes that have a star among them reset, as the star means all of them.
    pub(super) fn with_stars_reset(mut self) -> Self {
        for attributes in [&mut self.displayed_attributes, &mut self.searchable_attributes] {
            if attributes.as_set().is_some_and(|names| names.iter().any(|name| name == "*")) {
                *attributes = Setting::Reset;
            }
        }
        self
    }

    /// Changes what `patch` says and leaves the rest. What is reset is forgotten, so that it has its default again.
    pub fn apply(&mut self, patch: &Self) {
        replace(&mut self.displayed_attributes, &patch.displayed_attributes);
        replace(&mut self.searchable_attributes, &patch.searchable_attributes);
        replace(&mut self.filterable_attributes, &patch.filterable_attributes);
        replace(&mut self.sortable_attributes, &patch.sortable_attributes);
        replace(&mut self.foreign_keys, &patch.foreign_keys);
        replace(&mut self.ranking_rules, &patch.ranking_rules);
        replace(&mut self.stop_words, &patch.stop_words);
        replace(&mut self.non_separator_tokens, &patch.non_separator_tokens);
        replace(&mut self.separator_tokens, &patch.separator_tokens);
        replace(&mut self.dictionary, &patch.dictionary);
        replace(&mut self.synonyms, &patch.synonyms);
        replace(&mut self.distinct_attribute, &patch.distinct_attribute);
        replace(&mut self.proximity_precision, &patch.proximity_precision);
        replace(&mut self.search_cutoff_ms, &patch.search_cutoff_ms);
        replace(&mut self.localized_attributes, &patch.localized_attributes);
        replace(&mut self.facet_search, &patch.facet_search);
        replace(&mut self.prefix_search, &patch.prefix_search);
        change(&mut self.typo_tolerance, &patch.typo_tolerance, TypoTolerance::apply);
        change(&mut self.faceting, &patch.faceting, Faceting::apply);
        change(&mut self.pagination, &patch.pagination, Pagination::apply);
        change(&mut self.chat, &patch.chat, ChatSettings::apply);
        change(&mut self.embedders, &patch.embedders, apply_embedders);
    }
}

/// The rule that looks at attributes and positions at once excludes those that look at one of them.
fn check_ranking_rules(rules: &[RankingRule]) -> Result<(), ResponseError> {
    let both = rules.contains(&RankingRule::Attribute);
    let apart = rules.contains(&RankingRule::AttributeRank) || rules.contains(&RankingRule::WordPosition);
    if both && apart {
        let message = "Mixed usage of the attribute, attributeRank, and wordPosition ranking rules. You must either \
                       use the attribute ranking rule alone or the attributeRank and wordPosition ranking rules.";
        return Err(ResponseError::new(Code::InvalidSettingsRankingRules, message));
    }
    Ok(())
}

/// Takes a new value over the old one.
fn replace<T: Clone>(current: &mut Setting<T>, patch: &Setting<T>) {
    match patch {
        Setting::Set(value) => *current = Setting::Set(value.clone()),
        Setting::Reset => *current = Setting::NotSet,
        Setting::NotSet => {}
    }
}

/// Changes the members that a patch has.
fn change<T: Default>(current: &mut Setting<T>, patch: &Setting<T>, apply: impl FnOnce(&mut T, &T)) {
    match patch {
        Setting::Set(patch) => {
            let mut value = std::mem::take(current).set().unwrap_or_default();
            apply(&mut value, patch);
            *current = Setting::Set(value);
        }
        Setting::Reset => *current = Setting::NotSet,
        Setting::NotSet => {}
    }
}

impl TypoTolerance {
    fn apply(&mut self, patch: &Self) {
        replace(&mut self.enabled, &patch.enabled);
        change(&mut self.min_word_size_for_typos, &patch.min_word_size_for_typos, MinWordSizeForTypos::apply);
        replace(&mut self.disable_on_words, &patch.disable_on_words);
        replace(&mut self.disable_on_attributes, &patch.disable_on_attributes);
        replace(&mut self.disable_on_numbers, &patch.disable_on_numbers);
    }
}

impl MinWordSizeForTypos {
    fn apply(&mut self, patch: &Self) {
        replace(&mut self.one_typo, &patch.one_typo);
        replace(&mut self.two_typos, &patch.two_typos);
    }
}

impl Faceting {
    fn apply(&mut self, patch: &Self) {
        replace(&mut self.max_values_per_facet, &patch.max_values_per_facet);
        replace(&mut self.sort_facet_values_by, &patch.sort_facet_values_by);
        if let Setting::Set(orders) = &mut self.sort_facet_values_by {
            orders.entry("*".to_owned()).or_insert(FacetOrder::Alpha);
        }
    }
}

impl Pagination {
    fn apply(&mut self, patch: &Self) {
        replace(&mut self.max_total_hits, &patch.max_total_hits);
    }
}

impl ChatSettings {
    fn apply(&mut self, patch: &Self) {
        replace(&mut self.description, &patch.description);
        replace(&mut self.document_template, &patch.document_template);
        replace(&mut self.document_template_max_bytes, &patch.document_template_max_bytes);
        change(&mut self.search_parameters, &patch.search_parameters, ChatSearchParameters::apply);
    }
}

impl ChatSearchParameters {
    fn apply(&mut self, patch: &Self) {
        replace(&mut self.hybrid, &patch.hybrid);
        replace(&mut self.limit, &patch.limit);
        replace(&mut self.sort, &patch.sort);
        replace(&mut self.distinct, &patch.distinct);
        replace(&mut self.matching_strategy, &patch.matching_strategy);
        replace(&mut self.attributes_to_search_on, &patch.attributes_to_search_on);
        replace(&mut self.ranking_score_threshold, &patch.ranking_score_threshold);
    }
}

type Embedders = BTreeMap<String, Setting<EmbedderSettings>>;

/// Adds, changes and, where `null` is sent, removes embedders.
fn apply_embedders(current: &mut Embedders, patch: &Embedders) {
    for (name, patch) in patch {
        match patch {
            Setting::Set(_) => {
                let embedder = current.entry(name.clone()).or_default();
                change(embedder, patch, EmbedderSettings::apply);
            }
            Setting::Reset => _ = current.remove(name),
            Setting::NotSet => {}
        }
    }
}

impl EmbedderSettings {
    /// Changes the members that a patch has. Another source starts afresh, but for what means the same to every source.
    fn apply(&mut self, patch: &Self) {
        if !patch.source.is_not_set() && patch.source.as_set() != self.source.as_set() {
            self.start_afresh(patch.source.as_set().copied().unwrap_or_default());
        }
        replace(&mut self.source, &patch.source);
        replace(&mut self.model, &patch.model);
        replace(&mut self.revision, &patch.revision);
        replace(&mut self.pooling, &patch.pooling);
        replace(&mut self.api_key, &patch.api_key);
        replace(&mut self.dimensions, &patch.dimensions);
        replace(&mut self.binary_quantized, &patch.binary_quantized);
        replace(&mut self.document_template, &patch.document_template);
        replace(&mut self.document_template_max_bytes, &patch.document_template_max_bytes);
        replace(&mut self.url, &patch.url);
        replace(&mut self.indexing_fragments, &patch.indexing_fragments);
        replace(&mut self.search_fragments, &patch.search_fragments);
        replace(&mut self.request, &patch.request);
        replace(&mut self.response, &patch.response);
        replace(&mut self.headers, &patch.headers);
        replace(&mut self.search_embedder, &patch.search_embedder);
        replace(&mut self.indexing_embedder, &patch.indexing_embedder);
        replace(&mut self.distribution, &patch.distribution);
    }
    /// Forgets everything but what means the same to the new source.
    fn start_afresh(&mut self, source: EmbedderSource) {
        let before = std::mem::take(self);
        self.distribution = before.distribution;
        self.binary_quantized = before.binary_quantized;
        let speaks = !matches!(source, EmbedderSource::UserProvided | EmbedderSource::Composite);
        if speaks {
            self.document_template = before.document_template;
            self.document_template_max_bytes = before.document_template_max_bytes;
        }
        if speaks && source != EmbedderSource::HuggingFace {
            self.api_key = before.api_key;
        }
    }
}
