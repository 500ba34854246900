//! What an index's logical settings say about how facets are listed, and about how many hits there are.

use miroir_merge::{FacetOrder, FacetSpec};
use serde_json::Value;

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
/// filterable attributes cannot be named, then the node is asked for all.
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
    names.unwrap_or_else(|| facets.to_vec())
}
