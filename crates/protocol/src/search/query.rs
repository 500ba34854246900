//! The parameters of a search, of which the query of a multi-search has one more at each end.

use std::collections::BTreeSet;

use deserr::Deserr;
use serde::Serialize;
use serde_json::Value;

use super::{
    FederationOptions, HybridQuery, Locale, MatchingStrategy, Personalize, RankingScoreThreshold,
    url::SearchParameters,
};
use crate::{
    error::{Code, ResponseError, marker},
    features,
    index_uid::IndexUid,
    parse::{self, JsonRefusal},
};

/// What parameters are when they are not sent.
pub(crate) mod defaults {
    pub(crate) const OFFSET: usize = 0;
    pub(crate) const LIMIT: usize = 20;
    pub(crate) const CROP_LENGTH: usize = 10;
    pub(crate) const CROP_MARKER: &str = "…";
    pub(crate) const HIGHLIGHT_PRE_TAG: &str = "<em>";
    pub(crate) const HIGHLIGHT_POST_TAG: &str = "</em>";
}

/// Makes both types of the parameters they share. The order of fields is the order in which errors list them.
macro_rules! search_queries {
    ($(#[doc = $doc:literal] $field:ident: $value:ty $(= $default:expr)?, $code:ident;)*) => {
        /// The parameters of a search in one index. Serialises to the body that asks a node for the same.
        #[derive(Debug, Clone, PartialEq, Deserr, Serialize)]
        #[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
        #[serde(rename_all = "camelCase")]
        pub struct SearchQuery {
            /// The words to search for.
            #[deserr(default, error = JsonRefusal<marker::InvalidSearchQ>)]
            #[serde(skip_serializing_if = "Omit::omit")]
            pub q: Option<String>,
            /// How many hits to leave out first.
            #[deserr(default = defaults::OFFSET, error = JsonRefusal<marker::InvalidSearchOffset>)]
            pub offset: usize,
            /// How many hits at most.
            #[deserr(default = defaults::LIMIT, error = JsonRefusal<marker::InvalidSearchLimit>)]
            pub limit: usize,
            $(
                #[doc = $doc]
                #[deserr(default $(= $default)?, error = JsonRefusal<marker::$code>)]
                #[serde(skip_serializing_if = "Omit::omit")]
                pub $field: $value,
            )*
            /// Whether the answer says where the time went.
            #[deserr(default, error = JsonRefusal<marker::InvalidSearchShowPerformanceDetails>)]
            #[serde(skip_serializing_if = "Omit::omit")]
            pub show_performance_details: bool,
        }

        /// One query of a multi-search.
        #[derive(Debug, Clone, PartialEq, Deserr, Serialize)]
        #[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
        #[serde(rename_all = "camelCase")]
        pub struct IndexQuery {
            /// The index to search in.
            #[deserr(
                error = JsonRefusal<marker::InvalidIndexUid>,
                missing_field_error = JsonRefusal::<marker::MissingIndexUid>::missing
            )]
            pub index_uid: IndexUid,
            /// The words to search for.
            #[deserr(default, error = JsonRefusal<marker::InvalidSearchQ>)]
            #[serde(skip_serializing_if = "Omit::omit")]
            pub q: Option<String>,
            /// How many hits to leave out first.
            #[deserr(default, error = JsonRefusal<marker::InvalidSearchOffset>)]
            #[serde(skip_serializing_if = "Omit::omit")]
            pub offset: Option<usize>,
            /// How many hits at most.
            #[deserr(default, error = JsonRefusal<marker::InvalidSearchLimit>)]
            #[serde(skip_serializing_if = "Omit::omit")]
            pub limit: Option<usize>,
            $(
                #[doc = $doc]
                #[deserr(default $(= $default)?, error = JsonRefusal<marker::$code>)]
                #[serde(skip_serializing_if = "Omit::omit")]
                pub $field: $value,
            )*
            /// Whether the answer says where the time went.
            #[deserr(default, error = JsonRefusal<marker::InvalidSearchShowPerformanceDetails>)]
            #[serde(skip_serializing_if = "Omit::omit")]
            pub show_performance_details: Option<bool>,
            /// How the query counts in a federated search.
            #[deserr(default)]
            #[serde(skip_serializing_if = "Omit::omit")]
            pub federation_options: Option<FederationOptions>,
        }

        impl IndexQuery {
            /// The same as a search in one index.
            pub fn into_search(self) -> (IndexUid, SearchQuery, Option<FederationOptions>) {
                let query = SearchQuery {
                    q: self.q,
                    offset: self.offset.unwrap_or(defaults::OFFSET),
                    limit: self.limit.unwrap_or(defaults::LIMIT),
                    $($field: self.$field,)*
                    show_performance_details: self.show_performance_details.unwrap_or_default(),
                };
                (self.index_uid, query, self.federation_options)
            }
        }

        impl Default for SearchQuery {
            fn default() -> Self {
                $(
                    #[allow(unused_mut, unused_assignments)] // most have their type's default
                    let mut $field = <$value>::default();
                    $($field = $default;)?
                )*
                Self {
                    q: None,
                    offset: defaults::OFFSET,
                    limit: defaults::LIMIT,
                    $($field,)*
                    show_performance_details: false,
                }
            }
        }
    };
}

search_queries! {
    #[doc = "Which page, from 1."]
    page: Option<usize>, InvalidSearchPage;
    #[doc = "How many hits a page has."]
    hits_per_page: Option<usize>, InvalidSearchHitsPerPage;
    #[doc = "Fields of the hits to return."]
    attributes_to_retrieve: Option<BTreeSet<String>>, InvalidSearchAttributesToRetrieve;
    #[doc = "Fields to cut around the matches, as in `overview:20`."]
    attributes_to_crop: Option<Vec<String>>, InvalidSearchAttributesToCrop;
    #[doc = "How many words are left of a cropped field."]
    crop_length: usize = defaults::CROP_LENGTH, InvalidSearchCropLength;
    #[doc = "What stands where words were cut."]
    crop_marker: String = defaults::CROP_MARKER.to_owned(), InvalidSearchCropMarker;
    #[doc = "Fields to mark the matches in."]
    attributes_to_highlight: Option<BTreeSet<String>>, InvalidSearchAttributesToHighlight;
    #[doc = "What stands before a match."]
    highlight_pre_tag: String = defaults::HIGHLIGHT_PRE_TAG.to_owned(), InvalidSearchHighlightPreTag;
    #[doc = "What stands after a match."]
    highlight_post_tag: String = defaults::HIGHLIGHT_POST_TAG.to_owned(), InvalidSearchHighlightPostTag;
    #[doc = "Whether hits say where they match."]
    show_matches_position: bool, InvalidSearchShowMatchesPosition;
    #[doc = "Which documents count: an expression, or lists of them."]
    filter: Option<Value>, InvalidSearchFilter;
    #[doc = "The order asked for, as in `price:asc`."]
    sort: Option<Vec<String>>, InvalidSearchSort;
    #[doc = "The attribute of which each value shows once."]
    distinct: Option<String>, InvalidSearchDistinct;
    #[doc = "Attributes, or patterns of them, whose values are counted."]
    facets: Option<Vec<String>>, InvalidSearchFacets;
    #[doc = "Which words may be left out."]
    matching_strategy: MatchingStrategy, InvalidSearchMatchingStrategy;
    #[doc = "Attributes to search in, instead of all searchable ones."]
    attributes_to_search_on: Option<Vec<String>>, InvalidSearchAttributesToSearchOn;
    #[doc = "The least score of a hit."]
    ranking_score_threshold: Option<RankingScoreThreshold>, InvalidSearchRankingScoreThreshold;
    #[doc = "The languages the query may be in."]
    locales: Option<Vec<Locale>>, InvalidSearchLocales;
    #[doc = "Semantic search, and how much of it."]
    hybrid: Option<HybridQuery>, InvalidSearchHybridQuery;
    #[doc = "The query as a vector."]
    vector: Option<Vec<f32>>, InvalidSearchVector;
    #[doc = "Whether hits carry their vectors."]
    retrieve_vectors: bool, InvalidSearchRetrieveVectors;
    #[doc = "The query as something else than words, for embedders with fragments."]
    media: Option<Value>, InvalidSearchMedia;
    #[doc = "Results fitted to a user."]
    personalize: Option<Personalize>, InvalidSearchPersonalize;
    #[doc = "Whether Meilisearch's own network of remotes is asked."]
    use_network: Option<bool>, InvalidSearchUseNetwork;
    #[doc = "Whether hits carry their score."]
    show_ranking_score: bool, InvalidSearchShowRankingScore;
    #[doc = "Whether hits carry their score rule by rule."]
    show_ranking_score_details: bool, InvalidSearchShowRankingScoreDetails;
}

// === impl SearchQuery ===

impl SearchQuery {
    /// Parses the body of `POST /indexes/{uid}/search`.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        parse::json(body)
    }

    /// Parses the parameters of `GET /indexes/{uid}/search`.
    pub fn from_query_string(query: &str) -> Result<Self, ResponseError> {
        parse::query::<SearchParameters, marker::BadRequest>(query)?.try_into()
    }

    /// Whether pages were asked for, which makes totals exact.
    pub fn is_paged(&self) -> bool {
        self.page.is_some() || self.hits_per_page.is_some()
    }

    /// Checks what is checked once the index is found: parameters of features that are off, that `vector` and
    /// `media` come with `hybrid`, and that only one of them comes.
    pub fn check_semantic(&self) -> Result<(), ResponseError> {
        if self.use_network.is_some() {
            return Err(features::NETWORK.needed_for("passing `useNetwork` in a search query"));
        }
        if self.hybrid.is_none() && (self.vector.is_some() || self.media.is_some()) {
            let message = "Invalid request: missing `hybrid` parameter when `vector` or `media` are present.";
            return Err(ResponseError::new(Code::MissingSearchHybrid, message));
        }
        match (&self.vector, &self.media) {
            (Some(_), Some(_)) => {
                let message = "Invalid request: both `media` and `vector` parameters are present.";
                Err(ResponseError::new(Code::InvalidSearchMediaAndVector, message))
            }
            (None, Some(_)) => Err(features::MULTIMODAL.needed_for("passing `media` in a search query")),
            (_, None) => Ok(()),
        }
    }
}

/// Whether a parameter can be left out of what a node is asked, since it is what the node takes anyway.
trait Omit {
    fn omit(&self) -> bool;
}

impl<T> Omit for Option<T> {
    fn omit(&self) -> bool {
        self.is_none()
    }
}

impl Omit for bool {
    fn omit(&self) -> bool {
        !self
    }
}

impl Omit for MatchingStrategy {
    fn omit(&self) -> bool {
        *self == Self::default()
    }
}

/// An empty marker or tag says something, and so does a length of 0.
macro_rules! never_omitted {
    ($($value:ty),*) => {$(
        impl Omit for $value {
            fn omit(&self) -> bool {
                false
            }
        }
    )*};
}

never_omitted!(usize, String);

#[cfg(test)]
mod tests {
    use super::SearchQuery;

    fn code(body: &str) -> Option<String> {
        let query = SearchQuery::from_json(body.as_bytes()).expect(body);
        query.check_semantic().err().map(|error| error.code_name().to_owned())
    }

    #[test]
    fn vectors_come_with_hybrid_and_alone() {
        assert_eq!(code(r#"{"vector":[1]}"#).as_deref(), Some("missing_search_hybrid"));
        assert_eq!(code(r#"{"vector":[1],"hybrid":{"embedder":"e"}}"#), None);
        let both = r#"{"vector":[1],"media":{},"hybrid":{"embedder":"e"}}"#;
        assert_eq!(code(both).as_deref(), Some("invalid_search_media_and_vector"));
    }

    #[test]
    fn parameters_of_features_need_them() {
        assert_eq!(code(r#"{"useNetwork":false}"#).as_deref(), Some("feature_not_enabled"));
        assert_eq!(code(r#"{"media":{},"hybrid":{"embedder":"e"}}"#).as_deref(), Some("feature_not_enabled"));
    }

    #[test]
    fn what_is_empty_is_asked_for_as_empty() {
        let body = br#"{"q":"","cropLength":0,"cropMarker":"","highlightPreTag":"","limit":0,"facets":[],"offset":0}"#;
        let query = SearchQuery::from_json(body).expect("good");
        let again = SearchQuery::from_json(&serde_json::to_vec(&query).expect("JSON")).expect("good");
        assert_eq!(again, query);
    }
}
