//! The table of all settings, in the order in which they are listed.

use std::collections::{BTreeMap, BTreeSet};

use deserr::Deserr;
use serde::{Deserialize, Serialize, Serializer};

use super::{
    ChatSettings, EmbedderSettings, Faceting, FilterableRule, ForeignKey, LocalizedAttributes, Pagination,
    PrefixSearch, ProximityPrecision, RankingRule, Setting, TypoTolerance,
};
use crate::{
    error::{ResponseError, marker},
    features::Features,
    parse::{self, JsonRefusal},
};

macro_rules! settings {
    ($(
        #[doc = $doc:literal]
        $field:ident $name:ident $camel:literal $route:literal: $value:ty, $code:ident $(, $serialize:literal)?;
    )*) => {
        /// The settings of an index: what a request says, what a task changes, or what an index has. Serialises
        /// without the settings that nothing is said about.
        #[derive(Debug, Clone, PartialEq, Default, Deserr, Serialize, Deserialize)]
        #[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
        #[serde(rename_all = "camelCase")]
        pub struct Settings {$(
            #[doc = $doc]
            #[deserr(default, error = JsonRefusal<marker::$code>)]
            #[serde(default, skip_serializing_if = "Setting::is_not_set")]
            $(#[serde(serialize_with = $serialize)])?
            pub $field: Setting<$value>,
        )*}

        /// One setting, by its name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum SettingName {$(
            #[doc = $doc]
            $name,
        )*}

        impl SettingName {
            /// Every setting.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its member in the whole object, as in `rankingRules`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $camel),* }
            }

            /// The last part of its path, as in `ranking-rules`.
            pub fn route(self) -> &'static str {
                match self { $(Self::$name => $route),* }
            }
        }

        impl Settings {
            /// Reads the body that updates one setting; `null` resets it.
            fn read_one(name: SettingName, body: &[u8]) -> Result<Self, ResponseError> {
                let mut settings = Self::default();
                match name {$(
                    SettingName::$name => {
                        settings.$field =
                            parse::json::<Option<$value>, marker::$code>(body)?.map_or(Setting::Reset, Setting::Set);
                    }
                )*}
                Ok(settings)
            }

            /// The change that resets one setting.
            pub fn reset(name: SettingName) -> Self {
                let mut settings = Self::default();
                match name { $(SettingName::$name => settings.$field = Setting::Reset),* }
                settings
            }

            /// The change that resets every setting.
            pub fn reset_all() -> Self {
                Self { $($field: Setting::Reset),* }
            }
        }
    };
}

settings! {
    /// Fields of documents that searches return.
    displayed_attributes DisplayedAttributes "displayedAttributes" "displayed-attributes":
        Vec<String>, InvalidSettingsDisplayedAttributes, "star_when_reset";
    /// Fields that are searched, most important first.
    searchable_attributes SearchableAttributes "searchableAttributes" "searchable-attributes":
        Vec<String>, InvalidSettingsSearchableAttributes, "star_when_reset";
    /// Fields that filters and facets can use.
    filterable_attributes FilterableAttributes "filterableAttributes" "filterable-attributes":
        Vec<FilterableRule>, InvalidSettingsFilterableAttributes;
    /// Fields that results can be sorted by.
    sortable_attributes SortableAttributes "sortableAttributes" "sortable-attributes":
        BTreeSet<String>, InvalidSettingsSortableAttributes;
    /// Fields that hold ids of documents of other indexes.
    foreign_keys ForeignKeys "foreignKeys" "foreign-keys":
        Vec<ForeignKey>, InvalidSettingsForeignKeys;
    /// What results are ordered by, most important first.
    ranking_rules RankingRules "rankingRules" "ranking-rules":
        Vec<RankingRule>, InvalidSettingsRankingRules;
    /// Words that do not count.
    stop_words StopWords "stopWords" "stop-words":
        BTreeSet<String>, InvalidSettingsStopWords;
    /// Characters that separate no words although they do by default.
    non_separator_tokens NonSeparatorTokens "nonSeparatorTokens" "non-separator-tokens":
        BTreeSet<String>, InvalidSettingsNonSeparatorTokens;
    /// Characters that separate words although they do not by default.
    separator_tokens SeparatorTokens "separatorTokens" "separator-tokens":
        BTreeSet<String>, InvalidSettingsSeparatorTokens;
    /// Texts that are one word each.
    dictionary Dictionary "dictionary" "dictionary":
        BTreeSet<String>, InvalidSettingsDictionary;
    /// Words and what else they stand for.
    synonyms Synonyms "synonyms" "synonyms":
        BTreeMap<String, Vec<String>>, InvalidSettingsSynonyms;
    /// The field of which each value shows once.
    distinct_attribute DistinctAttribute "distinctAttribute" "distinct-attribute":
        String, InvalidSettingsDistinctAttribute;
    /// How exactly distances between words are known.
    proximity_precision ProximityPrecision "proximityPrecision" "proximity-precision":
        ProximityPrecision, InvalidSettingsProximityPrecision;
    /// Which typos are forgiven.
    typo_tolerance TypoTolerance "typoTolerance" "typo-tolerance":
        TypoTolerance, InvalidSettingsTypoTolerance;
    /// How many values of a facet are listed, and in which order.
    faceting Faceting "faceting" "faceting":
        Faceting, InvalidSettingsFaceting;
    /// How far results can be paged through.
    pagination Pagination "pagination" "pagination":
        Pagination, InvalidSettingsPagination;
    /// What turns documents and queries into vectors.
    embedders Embedders "embedders" "embedders":
        BTreeMap<String, Setting<EmbedderSettings>>, InvalidSettingsEmbedders;
    /// After how many milliseconds a search answers what it has found.
    search_cutoff_ms SearchCutoffMs "searchCutoffMs" "search-cutoff-ms":
        u64, InvalidSettingsSearchCutoffMs;
    /// Languages of fields.
    localized_attributes LocalizedAttributes "localizedAttributes" "localized-attributes":
        Vec<LocalizedAttributes>, InvalidSettingsLocalizedAttributes;
    /// Whether values of facets can be searched.
    facet_search FacetSearch "facetSearch" "facet-search":
        bool, InvalidSettingsFacetSearch;
    /// Whether beginnings of words match.
    prefix_search PrefixSearch "prefixSearch" "prefix-search":
        PrefixSearch, InvalidSettingsPrefixSearch;
    /// What a chat is told about the index.
    chat Chat "chat" "chat":
        ChatSettings, InvalidSettingsIndexChat;
}

impl Settings {
    /// Parses the body of `PATCH /indexes/{uid}/settings`, while no feature is on.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        Self::parse(None, body, &Features::default())
    }

    /// Parses the body that updates one setting, while no feature is on; `null` resets it.
    pub fn from_json_of(name: SettingName, body: &[u8]) -> Result<Self, ResponseError> {
        Self::parse(Some(name), body, &Features::default())
    }

    /// Parses the body that updates one setting, or all of them.
    pub fn parse(name: Option<SettingName>, body: &[u8], on: &Features) -> Result<Self, ResponseError> {
        let settings = match name {
            Some(name) => Self::read_one(name, body)?,
            None => parse::json(body)?,
        };
        settings.check_features_of(on)?;
        settings.check()
    }

    /// What the route of one setting answers: its value, or its default.
    pub fn view_of(&self, name: SettingName) -> serde_json::Value {
        self.full_view().to_value().get_mut(name.name()).map(serde_json::Value::take).unwrap_or_default()
    }

    /// Reads settings as they were serialised, for instance from the log.
    pub fn from_value(value: serde_json::Value) -> Result<Self, serde_json::Error> {
        serde_json::from_value(value).map(Self::with_stars_reset)
    }

    /// The settings as they are serialised, for instance into the log.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Attributes that were reset are all of them, and are shown so.
fn star_when_reset<S: Serializer>(
    attributes: &Setting<Vec<String>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match attributes {
        Setting::Set(names) => names.serialize(serializer),
        Setting::Reset | Setting::NotSet => ["*"].serialize(serializer),
    }
}
