//! Whether a node has the settings it should have.

use std::collections::BTreeMap;

use miroir_protocol::settings::Settings;
use serde_json::{Map, Value};

use super::{EMBEDDERS, MAX_TOTAL_HITS, patch};

/// A setting that a node has otherwise.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// Its name.
    pub(crate) name: String,
    /// What the node is to be sent so that it has it.
    pub(crate) patch: Value,
}

const DISPLAYED: &str = "displayedAttributes";
const PAGINATION: &str = "pagination";
const RANKING_RULES: &str = "rankingRules";
const API_KEY: &str = "apiKey";

/// What differs between the settings a node answers with and those it should have for these logical ones. What its version
/// has no setting for is left out, and so is a default that every version has of its own.
pub(crate) fn differences(logical: &Settings, node: &Value) -> Vec<Difference> {
    let Some(found) = node.as_object() else { return Vec::new() };
    let found_full = shown(node);
    let wanted = physical(logical);
    let wanted_full = shown(&wanted);
    let mut out = Vec::new();
    for (name, value) in &wanted_full {
        let is_known = found.contains_key(name);
        if !is_known || (name == RANKING_RULES && logical.ranking_rules.as_set().is_none()) {
            continue;
        }
        let other = found_full.get(name).unwrap_or(&Value::Null);
        let same = if name == EMBEDDERS { same_embedders(value, other) } else { same(value, other) };
        if !same {
            let patch = match name.as_str() {
                EMBEDDERS => whole_embedders(wanted.get(EMBEDDERS), other),
                _ => wanted.get(name).cloned().unwrap_or(Value::Null),
            };
            out.push(Difference { name: name.clone(), patch });
        }
    }
    out
}

/// All of what a node should have: nothing that clients said is left out, but what only the gateway heeds.
fn physical(logical: &Settings) -> Value {
    let embedders = logical.embedders.as_set();
    let mut logical = logical.to_value();
    if let Value::Object(logical) = &mut logical {
        for name in ["filterableAttributes", "faceting"] {
            logical.entry(name).or_insert(Value::Null);
        }
    }
    let mut physical = patch(&logical, embedders);
    physical[PAGINATION] = serde_json::json!({ "maxTotalHits": MAX_TOTAL_HITS });
    physical[DISPLAYED] = Value::Null;
    physical
}

/// The settings as answers show them, defaults filled in.
fn shown(settings: &Value) -> Map<String, Value> {
    let read = Settings::from_value(settings.clone()).unwrap_or_default();
    match read.full_view().to_value() {
        Value::Object(shown) => shown,
        _ => Map::new(),
    }
}

/// Equal, but that members which are absent count as `null`, and sets of texts have no order.
fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(a), Value::Object(b)) => {
            let names = a.keys().chain(b.keys());
            names
                .into_iter()
                .all(|name| same(a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (a, b) => a == b,
    }
}

/// The same embedders, each with what it is said to have: a node fills in more, such as the dimensions of a model.
fn same_embedders(wanted: &Value, found: &Value) -> bool {
    let (Value::Object(wanted), Value::Object(found)) = (wanted, found) else { return wanted == found };
    wanted.len() == found.len()
        && wanted.iter().all(|(name, embedder)| {
            let found = found.get(name).unwrap_or(&Value::Null);
            embedder.as_object().is_some_and(|members| {
                members.iter().all(|(member, value)| match (value, found.get(member)) {
                    (Value::Null, _) => true,
                    // Answers hide most of a key, and hiding the hidden hides more.
                    (Value::String(_), Some(Value::String(_))) if member == API_KEY => true,
                    (Value::Object(_), Some(Value::Object(_))) => true,
                    (value, found) => found.is_some_and(|found| same(value, found)),
                })
            })
        })
}

/// All embedders that are wanted, and `null` for those that are not.
fn whole_embedders(wanted: Option<&Value>, found: &Value) -> Value {
    let mut whole: BTreeMap<String, Value> =
        found.as_object().into_iter().flatten().map(|(name, _)| (name.clone(), Value::Null)).collect();
    let wanted = wanted.and_then(Value::as_object).into_iter().flatten();
    whole.extend(wanted.map(|(name, value)| (name.clone(), value.clone())));
    serde_json::to_value(whole).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn logical(value: Value) -> Settings {
        Settings::from_value(value).expect("settings")
    }

    fn node(changes: Value) -> Value {
        let mut node = shown(&physical(&Settings::default()));
        for (name, value) in changes.as_object().into_iter().flatten() {
            node.insert(name.clone(), value.clone());
        }
        Value::Object(node)
    }

    fn names(logical: &Settings, node: &Value) -> Vec<String> {
        differences(logical, node).into_iter().map(|difference| difference.name).collect()
    }

    #[test]
    fn a_node_that_has_what_it_should_have_does_not_differ() {
        assert_eq!(names(&Settings::default(), &node(json!({}))), [""; 0]);
        let set = logical(
            json!({"stopWords": ["a"], "filterableAttributes": ["genre"], "pagination": {"maxTotalHits": 3}}),
        );
        let node = node(json!({"stopWords": ["a"], "filterableAttributes": ["genre", "_miroir.s"]}));
        assert_eq!(names(&set, &node), [""; 0]);
    }

    #[test]
    fn what_differs_is_named_with_what_mends_it() {
        let set = logical(json!({"stopWords": ["a"], "filterableAttributes": ["genre"]}));
        let differing = differences(&set, &node(json!({"displayedAttributes": ["id"]})));
        let expected = [
            ("displayedAttributes", Value::Null),
            ("filterableAttributes", json!(["genre", "_miroir.s"])),
            ("stopWords", json!(["a"])),
        ];
        let expected = expected.map(|(name, patch)| Difference { name: name.to_owned(), patch });
        assert_eq!(differing, expected);
    }

    #[test]
    fn ranking_rules_nobody_set_are_those_of_the_nodes_version() {
        let old = node(json!({"rankingRules": ["words", "typo"]}));
        assert_eq!(names(&Settings::default(), &old), [""; 0]);
        assert_eq!(names(&logical(json!({"rankingRules": ["words"]})), &old), ["rankingRules"]);
    }

    #[test]
    fn settings_a_version_does_not_have_are_not_missed() {
        let mut old = node(json!({}));
        old.as_object_mut().map(|node| node.remove("foreignKeys"));
        assert_eq!(names(&Settings::default(), &old), [""; 0]);
    }

    #[test]
    fn an_embedder_is_compared_by_what_is_said_of_it() {
        let set = logical(json!({"embedders": {"a": {"source": "userProvided", "dimensions": 2}}}));
        let more = json!({"a": {"source": "userProvided", "dimensions": 2, "binaryQuantized": false}});
        assert_eq!(names(&set, &node(json!({"embedders": more}))), [""; 0]);
        let other = json!({"a": {"source": "userProvided", "dimensions": 3}, "b": {"source": "openAi"}});
        let differing = differences(&set, &node(json!({"embedders": other})));
        let mended = json!({"a": {"source": "userProvided", "dimensions": 2}, "b": null});
        assert_eq!(differing, [Difference { name: "embedders".to_owned(), patch: mended }]);
    }
}
