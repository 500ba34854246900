//! What an index's logical settings say about how facets are listed, and about how many hits there are.

use std::collections::BTreeSet;

use miroir_merge::{FacetOrder, FacetSpec};
use serde_json::Value;

use super::reserved::NOTHING;

/// `pagination.maxTotalHits` where it is not set.
const MAX_TOTAL_HITS: u64 = 1_000;
/// `faceting.maxValuesPerFacet` where it is not set.
const MAX_VALUES_PER_FACET: u64 = 100;

/// How many hits a search gives at the most, on all pages.
pub(super) fn max_total_hits(settings: &Value) -> usize {
    let most = settings["pagination"]["maxTotalHits"].as_u64().unwrap_or(MAX_TOTAL_HITS);
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// How facets are listed, by the logical settings.
pub(super) fn facet_spec(settings: &Value) -> FacetSpec {
    let faceting = &settings["faceting"];
    let max_values = faceting["maxValuesPerFacet"].as_u64().unwrap_or(MAX_VALUES_PER_FACET);
    let orders = faceting["sortFacetValuesBy"].as_object();
    let orders = orders.into_iter().flatten();
    let (star, order_by): (Vec<_>, Vec<_>) = orders
        .map(|(name, order)| {
            let by_count = order == "count";
            (name.clone(), if by_count { FacetOrder::Count } else { FacetOrder::Name })
        })
        .partition(|(name, _)| name == "*");
    FacetSpec {
        max_values: usize::try_from(max_values).unwrap_or(usize::MAX),
        order: star.first().map_or(FacetOrder::Name, |(_, order)| *order),
        order_by,
    }
}

/// All facets, by name: a node would count the values of the internal field too, one for every slot. Patterns among the
/// filterable attributes cannot be named, then the node is asked for all. Where no attribute is filterable, it is asked for what
/// it refuses.
pub(super) fn named_facets(facets: &[String], settings: &Value) -> Vec<String> {
    if !facets.iter().any(|name| name == "*") {
        return facets.to_vec();
    }
    let filterable = settings["filterableAttributes"].as_array();
    let names: Option<Vec<String>> = filterable
        .into_iter()
        .flatten()
        .map(|name| name.as_str().filter(|name| !name.contains('*')).map(str::to_owned))
        .collect();
    let Some(mut all) = names else { return facets.to_vec() };
    if all.is_empty() {
        all.push(NOTHING.to_owned());
    }
    // What else is named is refused, or not, in its turn.
    let named = facets.iter().flat_map(|name| match name.as_str() {
        "*" => all.clone(),
        _ => vec![name.clone()],
    });
    let mut seen = BTreeSet::new();
    named.filter(|name| seen.insert(name.clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_facets_are_named_in_the_place_of_the_star() {
        let named = |facets: &[&str], filterable: Value| {
            let facets: Vec<String> = facets.iter().map(|name| (*name).to_owned()).collect();
            named_facets(&facets, &json!({ "filterableAttributes": filterable }))
        };
        assert_eq!(named(&["c", "*", "a"], json!(["a", "b"])), ["c", "a", "b"]);
        assert_eq!(named(&["c"], json!(["a", "b"])), ["c"]);
        assert_eq!(named(&["c", "*"], json!(["a*"])), ["c", "*"]);
        assert_eq!(named(&["c", "*"], json!([])), ["c", NOTHING]);
        assert_eq!(named(&["*"], json!(null)), [NOTHING]);
    }
}
