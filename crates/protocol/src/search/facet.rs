//! Searching in the values of a facet.

use deserr::Deserr;
use serde::Serialize;
use serde_json::Value;

use super::{HybridQuery, Locale, MatchingStrategy, RankingScoreThreshold};
use crate::{
    error::{ResponseError, marker},
    parse::{self, JsonRefusal},
};

/// The body of `POST /indexes/{uid}/facet-search`. Other parameters of searches are let through and not used.
#[derive(Debug, Clone, PartialEq, Deserr, Serialize)]
#[deserr(error = JsonRefusal, rename_all = camelCase)]
#[serde(rename_all = "camelCase")]
pub struct FacetSearchQuery {
    /// What the values begin with.
    #[deserr(default, error = JsonRefusal<marker::InvalidFacetSearchQuery>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facet_query: Option<String>,
    /// The facet.
    #[deserr(
        error = JsonRefusal<marker::InvalidFacetSearchFacetName>,
        missing_field_error = JsonRefusal::<marker::MissingFacetSearchFacetName>::missing
    )]
    pub facet_name: String,
    /// The words that documents are searched for.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchQ>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// The query as a vector.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchVector>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vector: Option<Vec<f32>>,
    /// The query as something else than words.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchMedia>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<Value>,
    /// Semantic search, and how much of it.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchHybridQuery>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hybrid: Option<HybridQuery>,
    /// Which documents count.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchFilter>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<Value>,
    /// Which words may be left out.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchMatchingStrategy>)]
    pub matching_strategy: MatchingStrategy,
    /// Attributes to search in.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchAttributesToSearchOn>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes_to_search_on: Option<Vec<String>>,
    /// The least score of a document that counts.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchRankingScoreThreshold>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranking_score_threshold: Option<RankingScoreThreshold>,
    /// The languages the query may be in.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchLocales>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locales: Option<Vec<Locale>>,
    /// Whether all documents are counted, however many they are.
    #[deserr(default, error = JsonRefusal<marker::InvalidFacetSearchExhaustiveFacetCount>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exhaustive_facet_count: Option<bool>,
    /// Whether Meilisearch's own network of remotes is asked.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchUseNetwork>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_network: Option<bool>,
}

impl FacetSearchQuery {
    /// Parses the body.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        parse::json(body)
    }
}
