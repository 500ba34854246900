//! What settings are when nobody set them, and what answers show.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
};

use super::{
    ChatSettings, EmbedderSettings, FacetOrder, Faceting, MinWordSizeForTypos, Pagination, PrefixSearch,
    ProximityPrecision, RankingRule, Setting, Settings, TypoTolerance, embedder_defaults,
};
use crate::features::Features;

/// How many values of a facet are listed.
pub(super) const MAX_VALUES_PER_FACET: usize = 100;

/// How many hits can be paged through.
pub(super) const MAX_TOTAL_HITS: NonZeroUsize = NonZeroUsize::new(1000).expect("not zero");

type Embedders = BTreeMap<String, Setting<EmbedderSettings>>;

const ONE_TYPO: u8 = 5;
const TWO_TYPOS: u8 = 9;

impl Settings {
    /// What `GET /indexes/{uid}/settings` answers: every setting with its value or its default, secrets hidden,
    /// without those of features that are off (`chat` and `foreignKeys`).
    #[must_use]
    pub fn view(&self) -> Self {
        Self { chat: Setting::NotSet, foreign_keys: Setting::NotSet, ..self.full_view() }
    }

    /// The same where these features are on.
    #[must_use]
    pub fn view_with(&self, on: &Features) -> Self {
        let mut view = self.full_view();
        if !on.chat_completions {
            view.chat = Setting::NotSet;
        }
        if !on.foreign_keys {
            view.foreign_keys = Setting::NotSet;
        }
        view
    }

    /// Every setting with its value or its default, secrets hidden. What has no default is `Reset`, shown as `null`.
    #[must_use]
    pub fn full_view(&self) -> Self {
        let mut view = self.clone().with_defaults();
        view.hide_secrets();
        view
    }

    /// The same with the keys of remote services hidden, as task details show them.
    pub fn hide_secrets(&mut self) {
        let embedders = self.embedders.as_set_mut().into_iter().flat_map(BTreeMap::values_mut);
        for embedder in embedders.filter_map(Setting::as_set_mut) {
            embedder.hide_secrets();
        }
    }

    /// Every setting with its value or its default.
    #[must_use]
    pub fn with_defaults(self) -> Self {
        Self {
            displayed_attributes: Setting::from(self.displayed_attributes.set()),
            searchable_attributes: Setting::from(self.searchable_attributes.set()),
            filterable_attributes: self.filterable_attributes.or_default_to(Vec::new),
            sortable_attributes: self.sortable_attributes.or_default_to(BTreeSet::new),
            foreign_keys: self.foreign_keys.or_default_to(Vec::new),
            ranking_rules: self.ranking_rules.or_default_to(default_ranking_rules),
            stop_words: self.stop_words.or_default_to(BTreeSet::new),
            non_separator_tokens: self.non_separator_tokens.or_default_to(BTreeSet::new),
            separator_tokens: self.separator_tokens.or_default_to(BTreeSet::new),
            dictionary: self.dictionary.or_default_to(BTreeSet::new),
            synonyms: self.synonyms.or_default_to(BTreeMap::new),
            distinct_attribute: Setting::from(self.distinct_attribute.set()),
            proximity_precision: self.proximity_precision.or_default_to(ProximityPrecision::default),
            typo_tolerance: Setting::Set(self.typo_tolerance.set().unwrap_or_default().with_defaults()),
            faceting: Setting::Set(self.faceting.set().unwrap_or_default().with_defaults()),
            pagination: Setting::Set(self.pagination.set().unwrap_or_default().with_defaults()),
            embedders: Setting::Set(embedders_with_defaults(self.embedders.set().unwrap_or_default())),
            search_cutoff_ms: Setting::from(self.search_cutoff_ms.set()),
            localized_attributes: Setting::from(self.localized_attributes.set()),
            facet_search: self.facet_search.or_default_to(|| true),
            prefix_search: self.prefix_search.or_default_to(PrefixSearch::default),
            chat: Setting::Set(self.chat.set().unwrap_or_default().with_defaults()),
        }
    }

    /// The ranking rules in effect.
    pub fn effective_ranking_rules(&self) -> Vec<RankingRule> {
        self.ranking_rules.as_set().cloned().unwrap_or_else(default_ranking_rules)
    }

    /// How many hits can be paged through.
    pub fn effective_max_total_hits(&self) -> usize {
        let set = self.pagination.as_set().and_then(|pagination| pagination.max_total_hits.as_set());
        set.copied().unwrap_or(MAX_TOTAL_HITS).get()
    }

    /// How many values of a facet are listed.
    pub fn effective_max_values_per_facet(&self) -> usize {
        let set = self.faceting.as_set().and_then(|faceting| faceting.max_values_per_facet.as_set());
        set.copied().unwrap_or(MAX_VALUES_PER_FACET)
    }

    /// The order in which values of a facet are listed.
    pub fn effective_facet_order(&self, facet: &str) -> FacetOrder {
        let orders = self.faceting.as_set().and_then(|faceting| faceting.sort_facet_values_by.as_set());
        let order = orders.and_then(|orders| orders.get(facet).or_else(|| orders.get("*")));
        order.copied().unwrap_or_default()
    }
}

fn embedders_with_defaults(embedders: Embedders) -> Embedders {
    let filled = embedders.into_iter().map(|(name, embedder)| match embedder {
        Setting::Set(embedder) => (name, Setting::Set(embedder.with_defaults())),
        other => (name, other),
    });
    filled.collect()
}

/// The ranking rules of an index whose rules nobody set.
pub(super) fn default_ranking_rules() -> Vec<RankingRule> {
    vec![
        RankingRule::Words,
        RankingRule::Typo,
        RankingRule::Proximity,
        RankingRule::AttributeRank,
        RankingRule::Sort,
        RankingRule::WordPosition,
        RankingRule::Exactness,
    ]
}

impl TypoTolerance {
    fn with_defaults(self) -> Self {
        let sizes = self.min_word_size_for_typos.set().unwrap_or_default();
        Self {
            enabled: self.enabled.or_default_to(|| true),
            min_word_size_for_typos: Setting::Set(MinWordSizeForTypos {
                one_typo: sizes.one_typo.or_default_to(|| ONE_TYPO),
                two_typos: sizes.two_typos.or_default_to(|| TWO_TYPOS),
            }),
            disable_on_words: self.disable_on_words.or_default_to(BTreeSet::new),
            disable_on_attributes: self.disable_on_attributes.or_default_to(BTreeSet::new),
            disable_on_numbers: self.disable_on_numbers.or_default_to(|| false),
        }
    }
}

impl Faceting {
    fn with_defaults(self) -> Self {
        Self {
            max_values_per_facet: self.max_values_per_facet.or_default_to(|| MAX_VALUES_PER_FACET),
            sort_facet_values_by: self
                .sort_facet_values_by
                .or_default_to(|| BTreeMap::from([("*".to_owned(), FacetOrder::Alpha)])),
        }
    }
}

impl Pagination {
    fn with_defaults(self) -> Self {
        Self { max_total_hits: self.max_total_hits.or_default_to(|| MAX_TOTAL_HITS) }
    }
}

impl ChatSettings {
    /// What is said with what is not said.
    #[must_use]
    pub fn with_defaults(self) -> Self {
        Self {
            description: self.description.or_default_to(String::new),
            document_template: self
                .document_template
                .or_default_to(|| embedder_defaults::TEMPLATE.to_owned()),
            document_template_max_bytes: self
                .document_template_max_bytes
                .or_default_to(|| embedder_defaults::TEMPLATE_MAX_BYTES),
            search_parameters: self.search_parameters.or_default_to(Default::default),
        }
    }
}
