//! The values of search parameters that have rules of their own.

use std::fmt;

use deserr::Deserr;
use serde::{Deserialize, Serialize};

use crate::{
    error::marker,
    parse::{FromParam, JsonRefusal, ValueError},
};

/// Which words may be left out when too few documents have them all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase)]
#[serde(rename_all = "camelCase")]
pub enum MatchingStrategy {
    /// The last ones first.
    #[default]
    Last,
    /// None.
    All,
    /// The most frequent ones first.
    Frequency,
}

/// How keyword search and semantic search are weighed against each other.
#[derive(Debug, Clone, PartialEq, Deserr, Serialize)]
#[deserr(error = JsonRefusal<marker::InvalidSearchHybridQuery>, rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct HybridQuery {
    /// From 0, keywords only, to 1, meaning only.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchSemanticRatio>)]
    pub semantic_ratio: SemanticRatio,
    /// Name of the embedder in the settings.
    #[deserr(error = JsonRefusal<marker::InvalidSearchEmbedder>)]
    pub embedder: String,
}

/// Results fitted to a user.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize)]
#[deserr(error = JsonRefusal<marker::InvalidSearchPersonalize>, rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct Personalize {
    /// What is known about the user.
    #[deserr(error = JsonRefusal<marker::InvalidSearchPersonalizeUserContext>)]
    pub user_context: String,
}

/// A ratio from 0 to 1; 0.5 by default.
#[derive(Debug, Clone, Copy, PartialEq, Deserr, Serialize, Deserialize)]
#[deserr(try_from(f32) = SemanticRatio::try_from -> OutOfRange)]
#[serde(transparent)]
pub struct SemanticRatio(f32);

/// The least score a hit has to have, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Deserr, Serialize, Deserialize)]
#[deserr(try_from(f64) = RankingScoreThreshold::try_from -> OutOfRange)]
#[serde(transparent)]
pub struct RankingScoreThreshold(f64);

/// A number that is not from 0 to 1. Holds the parameter's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange(&'static str);

impl SemanticRatio {
    /// The ratio.
    pub fn get(self) -> f32 {
        self.0
    }
}

impl Default for SemanticRatio {
    fn default() -> Self {
        Self(0.5)
    }
}

impl RankingScoreThreshold {
    /// The score.
    pub fn get(self) -> f64 {
        self.0
    }
}

const RATIO: OutOfRange = OutOfRange("semanticRatio");
const THRESHOLD: OutOfRange = OutOfRange("rankingScoreThreshold");

impl TryFrom<f32> for SemanticRatio {
    type Error = OutOfRange;

    fn try_from(ratio: f32) -> Result<Self, OutOfRange> {
        if (0.0..=1.0).contains(&ratio) { Ok(Self(ratio)) } else { Err(RATIO) }
    }
}

impl TryFrom<f64> for RankingScoreThreshold {
    type Error = OutOfRange;

    fn try_from(score: f64) -> Result<Self, OutOfRange> {
        if (0.0..=1.0).contains(&score) { Ok(Self(score)) } else { Err(THRESHOLD) }
    }
}

impl FromParam for SemanticRatio {
    type Err = OutOfRange;

    fn from_param(text: &str) -> Result<Self, OutOfRange> {
        text.parse::<f32>().map_err(|_| RATIO)?.try_into()
    }
}

impl FromParam for RankingScoreThreshold {
    type Err = OutOfRange;

    fn from_param(text: &str) -> Result<Self, OutOfRange> {
        text.parse::<f64>().map_err(|_| THRESHOLD)?.try_into()
    }
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value of `{}` is invalid, expected a float between `0.0` and `1.0`.", self.0)
    }
}

impl ValueError for OutOfRange {}
