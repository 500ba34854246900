//! Logical settings (what clients set and see) to physical ones (what nodes get).

mod comparison;
pub mod template;

use std::collections::BTreeMap;

use miroir_protocol::settings::{EmbedderSettings, Setting};
use miroir_shard::SLOT_FIELD;
use serde_json::{Map, Value, json};

pub(crate) use self::comparison::{Difference, differences};
use self::template::skipping_internal;

/// The facet values a node returns at the most: the logical limit is cut to after merging, so a node must not cut first.
const MAX_VALUES_PER_FACET: u64 = 1_000_000;
/// As far as a node pages: the logical limit is the gateway's concern.
const MAX_TOTAL_HITS: u64 = 10_000_000;

const FILTERABLE: &str = "filterableAttributes";
const DISPLAYED: &str = "displayedAttributes";
const FACETING: &str = "faceting";
const PAGINATION: &str = "pagination";
const EMBEDDERS: &str = "embedders";
const DOCUMENT_TEMPLATE: &str = "documentTemplate";
const INDEXING_EMBEDDER: &str = "indexingEmbedder";

/// Embedders by name, as clients have set them.
pub(crate) type Embedders = BTreeMap<String, Setting<EmbedderSettings>>;

/// The settings of an index on a node before a client has set any.
pub(crate) fn initial() -> Value {
    json!({
        FILTERABLE: [SLOT_FIELD],
        FACETING: { "maxValuesPerFacet": MAX_VALUES_PER_FACET },
        PAGINATION: { "maxTotalHits": MAX_TOTAL_HITS },
    })
}

/// All settings of an index on a node that has none of them.
pub(crate) fn whole(logical: &Value, embedders: Option<&Embedders>) -> Value {
    let mut whole = initial();
    if let (Value::Object(whole), Value::Object(own)) = (&mut whole, patch(logical, embedders)) {
        whole.extend(own);
    }
    whole
}

/// What a client's change of settings is on a node: the same, but that the internal field stays filterable, limits stay
/// wide, and everything stays displayed (the gateway hides what clients may not see, and needs it for merging).
///
/// `embedders` are all of the index once the change is made: the template by which they put documents into words leaves the
/// internal field out, the default one too.
pub(crate) fn patch(logical: &Value, embedders: Option<&Embedders>) -> Value {
    let Value::Object(logical) = logical else { return Value::Object(Map::new()) };
    let mut physical = Map::new();
    for (name, value) in logical {
        match name.as_str() {
            FILTERABLE => physical.insert(name.clone(), filterable(value)),
            FACETING => physical.insert(name.clone(), faceting(value)),
            EMBEDDERS => physical.insert(name.clone(), embedders_patch(value, embedders)),
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

/// The change of embedders with explicit templates. Without them the engine would take its own default, and read the
/// internal field out with the rest.
fn embedders_patch(logical: &Value, after: Option<&Embedders>) -> Value {
    let mut physical = logical.clone();
    for (name, change) in physical.as_object_mut().into_iter().flatten() {
        let after = after.and_then(|embedders| embedders.get(name)).and_then(Setting::as_set);
        let (Value::Object(change), Some(after)) = (change, after) else { continue };
        if let Some(template) = after.template_in_effect() {
            change.insert(DOCUMENT_TEMPLATE.to_owned(), skipping_internal(template).into());
        }
        let half = after.indexing_embedder.as_set().and_then(|half| half.template_in_effect());
        if let (Some(template), Some(Value::Object(change))) = (half, change.get_mut(INDEXING_EMBEDDER)) {
            change.insert(DOCUMENT_TEMPLATE.to_owned(), skipping_internal(template).into());
        }
    }
    physical
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(logical: &Value) -> Value {
        let after = logical.get(EMBEDDERS).and_then(|value| serde_json::from_value(value.clone()).ok());
        super::patch(logical, after.as_ref())
    }

    #[test]
    fn all_settings_of_an_index_are_those_it_begins_with_and_what_clients_have_set() {
        let whole = whole(&json!({"filterableAttributes": ["genre"], "stopWords": ["the"]}), None);
        assert_eq!(whole["filterableAttributes"], json!(["genre", SLOT_FIELD]));
        assert_eq!(whole["stopWords"], json!(["the"]));
        assert_eq!(whole["pagination"], initial()["pagination"]);
        assert_eq!(super::whole(&json!({}), None), initial());
    }

    #[test]
    fn templates_of_embedders_are_explicit_and_leave_the_internal_field_out() {
        let logical = json!({"embedders": {
            "default": {"source": "openAi"},
            "own": {"source": "ollama", "model": "m", "documentTemplate": "{{doc.title}}"},
            "given": {"source": "userProvided", "dimensions": 2},
            "gone": null,
            "two": {"source": "composite", "searchEmbedder": {"source": "openAi"}, "indexingEmbedder": {}},
        }});
        let physical = &patch(&logical)["embedders"];
        let template =
            |embedder: &Value| embedder["documentTemplate"].as_str().unwrap_or_default().to_owned();
        assert!(template(&physical["default"]).contains("\"_miroir\""));
        assert_eq!(physical["own"], logical["embedders"]["own"]);
        assert_eq!(physical["given"], logical["embedders"]["given"]);
        assert_eq!(physical["gone"], Value::Null);
        assert!(template(&physical["two"]["indexingEmbedder"]).contains("\"_miroir\""));
        assert_eq!(physical["two"]["searchEmbedder"], json!({"source": "openAi"}));
    }

    #[test]
    fn a_change_of_another_member_keeps_the_template() {
        let after = json!({"own": {"source": "openAi", "documentTemplate": "{{doc.title}}", "apiKey": "k"}});
        let after: Embedders = serde_json::from_value(after).expect("embedders");
        let physical = super::patch(&json!({"embedders": {"own": {"apiKey": "k"}}}), Some(&after));
        assert_eq!(physical["embedders"]["own"], json!({"apiKey": "k", "documentTemplate": "{{doc.title}}"}));
    }

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
