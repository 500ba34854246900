//! Logical settings (what clients set and see) to physical ones (what nodes get).

use miroir_shard::SLOT_FIELD;
use serde_json::{Map, Value, json};

/// The facet values a node returns at the most: the logical limit is cut to after merging, so a node must not cut first.
const MAX_VALUES_PER_FACET: u64 = 1_000_000;
/// As far as a node pages: the logical limit is the gateway's concern.
const MAX_TOTAL_HITS: u64 = 10_000_000;

const FILTERABLE: &str = "filterableAttributes";
const DISPLAYED: &str = "displayedAttributes";
const FACETING: &str = "faceting";
const PAGINATION: &str = "pagination";

/// The settings of an index on a node before a client has set any.
pub(crate) fn initial() -> Value {
    json!({
        FILTERABLE: [SLOT_FIELD],
        FACETING: { "maxValuesPerFacet": MAX_VALUES_PER_FACET },
        PAGINATION: { "maxTotalHits": MAX_TOTAL_HITS },
    })
}

/// What a client's change of settings is on a node: the same, but that the internal field stays filterable, limits stay
/// wide, and everything stays displayed (the gateway hides what clients may not see, and needs it for merging).
pub(crate) fn patch(logical: &Value) -> Value {
    let Value::Object(logical) = logical else { return Value::Object(Map::new()) };
    let mut physical = Map::new();
    for (name, value) in logical {
        match name.as_str() {
            FILTERABLE => physical.insert(name.clone(), filterable(value)),
            FACETING => physical.insert(name.clone(), faceting(value)),
            DISPLAYED | PAGINATION => None,
            _ => physical.insert(name.clone(), value.clone()),
        };
    }
    Value::Object(physical)
}

fn filterable(logical: &Value) -> Value {
    let mut attributes = logical.as_array().cloned().unwrap_or_default();
    attributes.push(Value::from(SLOT_FIELD));
    Value::Array(attributes)
}

fn faceting(logical: &Value) -> Value {
    let mut faceting = match logical {
        Value::Object(faceting) => faceting.clone(),
        // A reset resets the order too.
        _ => Map::from_iter([("sortFacetValuesBy".to_owned(), Value::Null)]),
    };
    faceting.insert("maxValuesPerFacet".to_owned(), Value::from(MAX_VALUES_PER_FACET));
    Value::Object(faceting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_internal_field_stays_filterable() {
        let physical = patch(&json!({"filterableAttributes": ["genre", {"attributePatterns": ["x*"]}]}));
        assert_eq!(
            physical["filterableAttributes"],
            json!(["genre", {"attributePatterns": ["x*"]}, "_miroir.s"])
        );
        assert_eq!(
            patch(&json!({"filterableAttributes": null}))["filterableAttributes"],
            json!(["_miroir.s"])
        );
    }

    #[test]
    fn limits_stay_wide_and_everything_displayed() {
        let logical = json!({
            "displayedAttributes": ["title"], "pagination": {"maxTotalHits": 5}, "stopWords": ["the"],
            "faceting": {"maxValuesPerFacet": 3, "sortFacetValuesBy": {"*": "count"}},
        });
        let expected = json!({
            "stopWords": ["the"],
            "faceting": {"maxValuesPerFacet": MAX_VALUES_PER_FACET, "sortFacetValuesBy": {"*": "count"}},
        });
        assert_eq!(patch(&logical), expected);
    }

    #[test]
    fn a_reset_of_faceting_resets_the_order_only() {
        let expected = json!({"maxValuesPerFacet": MAX_VALUES_PER_FACET, "sortFacetValuesBy": null});
        assert_eq!(patch(&json!({"faceting": null}))["faceting"], expected);
    }
}
