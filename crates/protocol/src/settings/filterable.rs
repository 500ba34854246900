//! Which fields filters and facets can use, and how.

use deserr::{DeserializeError, Deserr, IntoValue, Value, ValueKind, ValuePointerRef};
use serde::{Deserialize, Serialize};

/// A field's name, or patterns with the features they allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FilterableRule {
    /// A field and everything inside it, with all features.
    Field(String),
    /// Fields that match a pattern.
    Patterns(FilterablePatterns),
}

/// Patterns of field names, and what is allowed on the fields that match.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct FilterablePatterns {
    /// Names, with `*` at the beginning, the end or alone.
    pub attribute_patterns: Vec<String>,
    /// What is allowed.
    #[deserr(default)]
    #[serde(default)]
    pub features: FilterableFeatures,
}

/// What is allowed on fields that match a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct FilterableFeatures {
    /// Searching in the field's values.
    #[deserr(default)]
    #[serde(default)]
    pub facet_search: bool,
    /// Filtering by the field.
    #[deserr(default)]
    #[serde(default)]
    pub filter: FilterFeatures,
}

/// Which operators filters can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct FilterFeatures {
    /// `=`, `!=` and `IN`.
    #[deserr(default = true)]
    #[serde(default = "yes")]
    pub equality: bool,
    /// `<`, `<=`, `>`, `>=` and `TO`.
    #[deserr(default)]
    #[serde(default)]
    pub comparison: bool,
}

fn yes() -> bool {
    true
}

impl Default for FilterFeatures {
    fn default() -> Self {
        Self { equality: true, comparison: false }
    }
}

impl<E: DeserializeError> Deserr<E> for FilterableRule {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        match value.kind() {
            ValueKind::Map => FilterablePatterns::deserialize_from_value(value, location).map(Self::Patterns),
            _ => String::deserialize_from_value(value, location).map(Self::Field),
        }
    }
}
