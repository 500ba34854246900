//! The parameters of a search.

use std::collections::BTreeSet;

use deserr::Deserr;
use serde::Serialize;
use serde_json::Value;

use super::{
    HybridQuery, Locale, MatchingStrategy, Personalize, RankingScoreThreshold, url::SearchParameters,
};
use crate::{
    error::{Code, ResponseError, marker},
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

/// The parameters of a search in one index. Serialises to the body that asks a node for the same.
#[derive(Debug, Clone, PartialEq, Deserr, Serialize)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct SearchQuery {
    /// The words to search for.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchQ>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// How many hits to leave out first.
    #[deserr(default = defaults::OFFSET, error = JsonRefusal<marker::InvalidSearchOffset>)]
    pub offset: usize,
    /// How many hits at most.
    #[deserr(default = defaults::LIMIT, error = JsonRefusal<marker::InvalidSearchLimit>)]
    pub limit: usize,
    /// Which page, from 1.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchPage>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<usize>,
    /// How many hits a page has.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchHitsPerPage>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hits_per_page: Option<usize>,
    /// Fields of the hits to return.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchAttributesToRetrieve>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes_to_retrieve: Option<BTreeSet<String>>,
    /// Fields to cut around the matches, as in `overview:20`.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchAttributesToCrop>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes_to_crop: Option<Vec<String>>,
    /// How many words are left of a cropped field.
    #[deserr(default = defaults::CROP_LENGTH, error = JsonRefusal<marker::InvalidSearchCropLength>)]
    pub crop_length: usize,
    /// What stands where words were cut.
    #[deserr(default = defaults::CROP_MARKER.to_owned(), error = JsonRefusal<marker::InvalidSearchCropMarker>)]
    pub crop_marker: String,
    /// Fields to mark the matches in.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchAttributesToHighlight>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes_to_highlight: Option<BTreeSet<String>>,
    /// What stands before a match.
    #[deserr(default = defaults::HIGHLIGHT_PRE_TAG.to_owned(), error = JsonRefusal<marker::InvalidSearchHighlightPreTag>)]
    pub highlight_pre_tag: String,
    /// What stands after a match.
    #[deserr(default = defaults::HIGHLIGHT_POST_TAG.to_owned(), error = JsonRefusal<marker::InvalidSearchHighlightPostTag>)]
    pub highlight_post_tag: String,
    /// Whether hits say where they match.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchShowMatchesPosition>)]
    #[serde(skip_serializing_if = "is_false")]
    pub show_matches_position: bool,
    /// Which documents count: an expression, or lists of them.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchFilter>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<Value>,
    /// The order asked for, as in `price:asc`.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchSort>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<Vec<String>>,
    /// The attribute of which each value shows once.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchDistinct>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<String>,
    /// Attributes, or patterns of them, whose values are counted.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchFacets>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facets: Option<Vec<String>>,
    /// Which words may be left out.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchMatchingStrategy>)]
    pub matching_strategy: MatchingStrategy,
    /// Attributes to search in, instead of all searchable ones.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchAttributesToSearchOn>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes_to_search_on: Option<Vec<String>>,
    /// The least score of a hit.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchRankingScoreThreshold>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranking_score_threshold: Option<RankingScoreThreshold>,
    /// The languages the query may be in.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchLocales>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locales: Option<Vec<Locale>>,
    /// Semantic search, and how much of it.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchHybridQuery>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hybrid: Option<HybridQuery>,
    /// The query as a vector.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchVector>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vector: Option<Vec<f32>>,
    /// Whether hits carry their vectors.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchRetrieveVectors>)]
    #[serde(skip_serializing_if = "is_false")]
    pub retrieve_vectors: bool,
    /// The query as something else than words, for embedders with fragments.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchMedia>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<Value>,
    /// Results fitted to a user.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchPersonalize>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personalize: Option<Personalize>,
    /// Whether Meilisearch's own network of remotes is asked.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchUseNetwork>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_network: Option<bool>,
    /// Whether hits carry their score.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchShowRankingScore>)]
    #[serde(skip_serializing_if = "is_false")]
    pub show_ranking_score: bool,
    /// Whether hits carry their score rule by rule.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchShowRankingScoreDetails>)]
    #[serde(skip_serializing_if = "is_false")]
    pub show_ranking_score_details: bool,
    /// Whether the answer says where the time went.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchShowPerformanceDetails>)]
    #[serde(skip_serializing_if = "is_false")]
    pub show_performance_details: bool,
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

    /// Checks what the engine checks once the index is found: `vector` and `media` need `hybrid`, and exclude each other.
    pub fn check_semantic(&self) -> Result<(), ResponseError> {
        if self.hybrid.is_none() && (self.vector.is_some() || self.media.is_some()) {
            let message = "Invalid request: missing `hybrid` parameter when `vector` or `media` are present.";
            return Err(ResponseError::new(Code::MissingSearchHybrid, message));
        }
        if self.vector.is_some() && self.media.is_some() {
            let message = "Invalid request: both `media` and `vector` parameters are present.";
            return Err(ResponseError::new(Code::InvalidSearchMediaAndVector, message));
        }
        Ok(())
    }
}

impl Default for SearchQuery {
    fn default() -> Self {
        Self {
            q: None,
            offset: defaults::OFFSET,
            limit: defaults::LIMIT,
            page: None,
            hits_per_page: None,
            attributes_to_retrieve: None,
            attributes_to_crop: None,
            crop_length: defaults::CROP_LENGTH,
            crop_marker: defaults::CROP_MARKER.to_owned(),
            attributes_to_highlight: None,
            highlight_pre_tag: defaults::HIGHLIGHT_PRE_TAG.to_owned(),
            highlight_post_tag: defaults::HIGHLIGHT_POST_TAG.to_owned(),
            show_matches_position: false,
            filter: None,
            sort: None,
            distinct: None,
            facets: None,
            matching_strategy: MatchingStrategy::default(),
            attributes_to_search_on: None,
            ranking_score_threshold: None,
            locales: None,
            hybrid: None,
            vector: None,
            retrieve_vectors: false,
            media: None,
            personalize: None,
            use_network: None,
            show_ranking_score: false,
            show_ranking_score_details: false,
            show_performance_details: false,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_false(value: &bool) -> bool {
    !value
}
