//! What a chat is told about an index.

use deserr::Deserr;
use serde::{Deserialize, Serialize};

use super::Setting;
use crate::search::{MatchingStrategy, RankingScoreThreshold, SemanticRatio};
use crate::{error::marker, parse::JsonRefusal};

/// What a chat is told about an index.
#[derive(Debug, Clone, PartialEq, Default, Deserr, Serialize, Deserialize)]
#[deserr(error = JsonRefusal<marker::InvalidSettingsIndexChat>, rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct ChatSettings {
    /// What the index holds.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub description: Setting<String>,
    /// How a document is put into words.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub document_template: Setting<String>,
    /// How long those words are at most.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub document_template_max_bytes: Setting<usize>,
    /// How the chat searches.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub search_parameters: Setting<ChatSearchParameters>,
}

/// How a chat searches.
#[derive(Debug, Clone, PartialEq, Default, Deserr, Serialize, Deserialize)]
#[deserr(error = JsonRefusal<marker::InvalidSettingsIndexChat>, rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct ChatSearchParameters {
    /// Semantic search, and how much of it.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub hybrid: Setting<ChatHybrid>,
    /// How many hits at most.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub limit: Setting<usize>,
    /// The order.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub sort: Setting<Vec<String>>,
    /// The attribute of which each value shows once.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub distinct: Setting<String>,
    /// Which words may be left out.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub matching_strategy: Setting<MatchingStrategy>,
    /// Attributes to search in.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub attributes_to_search_on: Setting<Vec<String>>,
    /// The least score of a hit.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub ranking_score_threshold: Setting<RankingScoreThreshold>,
}

/// How keyword search and semantic search are weighed against each other.
#[derive(Debug, Clone, PartialEq, Deserr, Serialize, Deserialize)]
#[deserr(error = JsonRefusal<marker::InvalidSettingsIndexChat>, rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct ChatHybrid {
    /// From 0, keywords only, to 1, meaning only.
    #[deserr(default)]
    pub semantic_ratio: SemanticRatio,
    /// Name of the embedder in the settings.
    pub embedder: String,
}
