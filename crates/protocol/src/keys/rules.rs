//! What a tenant token lets its bearer search.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::IndexUidPattern;

/// The indexes a tenant token is for, each with the rules of searches there if it has some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SearchRules {
    /// Indexes alone.
    Set(BTreeSet<IndexUidPattern>),
    /// Indexes with their rules.
    Map(BTreeMap<IndexUidPattern, Option<IndexRules>>),
}

/// The rules of searches in an index.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IndexRules {
    /// A filter that goes with every search.
    pub filter: Option<Value>,
}

impl SearchRules {
    /// The patterns, in order.
    pub fn patterns(&self) -> Vec<&IndexUidPattern> {
        match self {
            Self::Set(patterns) => patterns.iter().collect(),
            Self::Map(rules) => rules.keys().collect(),
        }
    }

    /// Whether the index may be searched.
    pub fn allow(&self, uid: &str) -> bool {
        self.patterns().iter().any(|pattern| pattern.matches(uid))
    }

    /// The filter that goes with searches in the index: that of the pattern that says the most about its name.
    pub fn filter(&self, uid: &str) -> Option<&Value> {
        let Self::Map(rules) = self else { return None };
        let fitting = rules.iter().filter(|(pattern, _)| pattern.matches(uid));
        let closest = fitting.max_by_key(|(pattern, _)| (pattern.is_exact(), pattern.as_str().len()));
        closest?.1.as_ref()?.filter.as_ref()
    }
}

/// Both filters, of which either may be absent: what fits both of them is found.
pub fn both_filters(sent: Option<Value>, rule: Option<Value>) -> Option<Value> {
    let parts = |filter| match filter {
        Value::Array(parts) => parts,
        whole => vec![whole],
    };
    match (sent, rule) {
        (Some(sent), Some(rule)) => Some(Value::Array(parts(sent).into_iter().chain(parts(rule)).collect())),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(json: Value) -> SearchRules {
        serde_json::from_value(json).expect("rules")
    }

    #[test]
    fn the_closest_pattern_counts() {
        let rules = rules(json!({
            "*": { "filter": "a" }, "mov*": { "filter": ["b"] }, "movies": { "filter": "c" }, "movers": null
        }));
        assert_eq!(rules.filter("movies"), Some(&json!("c")));
        assert_eq!(rules.filter("mov"), Some(&json!(["b"])));
        assert_eq!(rules.filter("books"), Some(&json!("a")));
        assert_eq!(rules.filter("movers"), None);
        assert!(rules.allow("movers"));
    }

    #[test]
    fn a_list_has_no_filters() {
        let rules = rules(json!(["mov*", "books"]));
        assert!(rules.allow("movies") && rules.allow("books") && !rules.allow("airports"));
        assert_eq!(rules.filter("movies"), None);
    }

    #[test]
    fn filters_are_joined_by_and() {
        assert_eq!(both_filters(None, None), None);
        assert_eq!(both_filters(Some(json!("a")), None), Some(json!("a")));
        assert_eq!(both_filters(None, Some(json!(["b"]))), Some(json!(["b"])));
        let both = both_filters(Some(json!("a OR b")), Some(json!([["c", "d"]])));
        assert_eq!(both, Some(json!(["a OR b", ["c", "d"]])));
    }
}
