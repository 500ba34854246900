//! What a settings patch says, in the engine's types.

use std::collections::BTreeMap;

use milli_core::order_by_map::OrderByMap;
use milli_core::update::Setting;
use milli_core::{LocalizedAttributesRule, OrderBy};
use miroir_protocol::search::Locale;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::engine::languages::languages_of;
use crate::error::EngineError;

/// A localized-attributes rule as clients write it.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LocalizedAttributes {
    attribute_patterns: Vec<String>,
    locales: Vec<Locale>,
}

impl From<LocalizedAttributes> for LocalizedAttributesRule {
    fn from(rule: LocalizedAttributes) -> Self {
        Self::new(rule.attribute_patterns, languages_of(&rule.locales))
    }
}

/// What a patch says about one setting.
pub(super) fn read<T: DeserializeOwned>(
    patch: &Map<String, Value>,
    name: &str,
) -> Result<Setting<T>, EngineError> {
    match patch.get(name) {
        None => Ok(Setting::NotSet),
        Some(Value::Null) => Ok(Setting::Reset),
        Some(value) => {
            let value = serde_json::from_value(value.clone());
            Ok(Setting::Set(
                value
                    .map_err(|error| milli_core::Error::from(milli_core::InternalError::SerdeJson(error)))?,
            ))
        }
    }
}

/// A patch that resets all of these.
pub(super) fn all_reset(names: &[&str]) -> Map<String, Value> {
    names.iter().map(|name| ((*name).to_owned(), Value::Null)).collect()
}

/// Whether a list of fields stands for all of them.
pub(super) fn is_wildcard(names: &[String]) -> bool {
    names.iter().any(|name| name == "*")
}

/// The order of facet values, by facet.
pub(super) fn order_map(orders: &BTreeMap<String, String>) -> OrderByMap {
    let mut map = OrderByMap::default();
    for (name, order) in orders {
        let order = if order == "count" { OrderBy::Count } else { OrderBy::Lexicographic };
        map.insert(name.clone(), order);
    }
    map
}

#[cfg(test)]
mod tests {
    use milli_core::update::Setting;
    use serde_json::{Map, Value, json};

    use super::read;

    #[test]
    fn absent_and_null_members_differ() {
        let patch: Map<String, Value> =
            Map::from_iter([("a".to_owned(), json!(7)), ("b".to_owned(), Value::Null)]);
        let setting = |name: &str| read::<u64>(&patch, name).ok();
        assert_eq!(setting("a"), Some(Setting::Set(7)));
        assert_eq!(setting("b"), Some(Setting::Reset));
        assert_eq!(setting("c"), Some(Setting::NotSet));
        assert!(read::<String>(&patch, "a").is_err());
    }
}
