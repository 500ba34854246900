//! Facets of the documents found.

use std::collections::BTreeSet;

use milli_core::heed::RoTxn;
use milli_core::{
    AttributePatterns, DEFAULT_VALUES_PER_FACET, FilterableAttributesRule, Index, PatternMatch,
};
use miroir_protocol::error::{Code, ResponseError};
use roaring::RoaringBitmap;
use serde_json::{Map, Value, json};

use super::format::matches;
use crate::error::EngineError;

/// The members `facetDistribution` and `facetStats` of an answer.
pub(super) struct Facets {
    pub(super) distribution: Map<String, Value>,
    pub(super) stats: Map<String, Value>,
}

/// Counts the values that the documents found have in the facets asked for.
pub(super) fn facets_of(
    index: &Index,
    rtxn: &RoTxn<'_>,
    wanted: &[String],
    candidates: RoaringBitmap,
) -> Result<Facets, EngineError> {
    let rules = index.filterable_attributes_rules(rtxn)?;
    if let Some(unknown) = wanted.iter().find(|pattern| !is_facet(pattern, &rules)) {
        return Err(refusal(unknown, &rules).into());
    }
    let patterns = AttributePatterns::from(wanted.to_vec());
    let orders = index.sort_facet_values_by(rtxn)?;
    let fields = index.fields_ids_map(rtxn)?;
    let facets: Vec<_> = fields
        .names()
        .filter(|name| matches(&patterns, name) && is_filterable(name, &rules))
        .map(|name| (name.to_owned(), orders.get(name)))
        .collect();
    let max_values = index.max_values_per_facet(rtxn)?.and_then(|max| usize::try_from(max).ok());
    let mut counting = index.facets_distribution(rtxn);
    counting
        .max_values_per_facet(max_values.unwrap_or(DEFAULT_VALUES_PER_FACET))
        .default_order_by(orders.get("*"))
        .facets(facets)
        .candidates(candidates);
    let stats: Map<_, _> = counting
        .compute_stats()?
        .into_iter()
        .map(|(name, (min, max))| (name, json!({ "min": min, "max": max })))
        .collect();
    let counts = counting.execute()?;
    let distribution = counts.into_iter().map(|(name, values)| (name, json!(values))).collect();
    Ok(Facets { distribution, stats })
}

/// Whether a facet of this name or pattern can be asked for.
fn is_facet(pattern: &str, rules: &[FilterableAttributesRule]) -> bool {
    match pattern.split_once('*') {
        // A pattern may stand for no field at all.
        Some((prefix, _)) => rules
            .iter()
            .filter(|rule| rule.features().is_filterable())
            .any(|rule| names_of(rule).iter().any(|name| name.starts_with(prefix) || name.contains('*'))),
        None => is_filterable(pattern, rules),
    }
}

fn is_filterable(name: &str, rules: &[FilterableAttributesRule]) -> bool {
    let rule = rules.iter().find(|rule| matches!(rule.match_str(name), PatternMatch::Match));
    rule.is_some_and(|rule| rule.features().is_filterable())
}

fn names_of(rule: &FilterableAttributesRule) -> Vec<&str> {
    match rule {
        FilterableAttributesRule::Field(name) => vec![name],
        FilterableAttributesRule::Pattern(rule) => {
            rule.attribute_patterns.patterns.iter().map(String::as_str).collect()
        }
    }
}

fn refusal(pattern: &str, rules: &[FilterableAttributesRule]) -> ResponseError {
    let filterable = rules.iter().filter(|rule| rule.features().is_filterable());
    let names: BTreeSet<_> = filterable.flat_map(names_of).collect();
    let known = match names.is_empty() {
        true => "This index does not have configured filterable attributes.".to_owned(),
        false => {
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            format!("Available filterable attributes patterns are: `{names}`.")
        }
    };
    let message = format!("Invalid facet distribution: Pattern `{pattern}` is not filterable. {known}");
    ResponseError::new(Code::InvalidSearchFacets, message)
}
