//! Clients that name the internal field: to them it is an attribute that no document has and no setting names.
//!
//! Nodes can filter, group and count by it. What a client says about it is therefore asked about another name of the same
//! length, which is nobody's, and read back from the nodes' messages.

use std::borrow::Cow;

use miroir_protocol::search::SearchQuery;
use miroir_shard::INTERNAL_FIELD;
use serde_json::Value;

/// Nobody's name.
const NOBODY: &str = "_mir-ir";

/// Nobody's name either: all that can be counted where nothing can.
pub(super) const NOTHING: &str = "-mir-ir-";

/// The search with the internal field's name replaced wherever a node would know it.
pub(super) fn guarded_search(query: &SearchQuery) -> Cow<'_, SearchQuery> {
    let formatted =
        query.attributes_to_highlight.iter().flatten().chain(query.attributes_to_crop.iter().flatten());
    let mut names = query.facets.iter().flatten().chain(&query.distinct).chain(formatted);
    if !query.filter.as_ref().is_some_and(names_internal) && !names.any(|name| name.contains(INTERNAL_FIELD))
    {
        return Cow::Borrowed(query);
    }
    let mut query = query.clone();
    query.filter = query.filter.as_ref().map(guarded_filter);
    query.distinct = query.distinct.as_deref().map(renamed);
    query.facets = query.facets.map(|facets| facets.iter().map(|name| renamed(name)).collect());
    query.attributes_to_highlight =
        query.attributes_to_highlight.map(|names| names.iter().map(|name| renamed(name)).collect());
    query.attributes_to_crop =
        query.attributes_to_crop.map(|names| names.iter().map(|name| renamed(name)).collect());
    Cow::Owned(query)
}

/// The filter with the internal field's name replaced.
pub(crate) fn guarded_filter(filter: &Value) -> Value {
    match filter {
        Value::String(text) => renamed(text).into(),
        Value::Array(terms) => terms.iter().map(guarded_filter).collect(),
        other => other.clone(),
    }
}

/// A node's message in the client's words.
pub(super) fn named_as_asked(message: &str) -> String {
    message.replace(NOBODY, INTERNAL_FIELD).replace(NOTHING, "*")
}

fn names_internal(filter: &Value) -> bool {
    match filter {
        Value::String(text) => text.contains(INTERNAL_FIELD),
        Value::Array(terms) => terms.iter().any(names_internal),
        _ => false,
    }
}

/// Replaces the name where it stands alone or before a dot, not where it is a part of a longer one.
pub(super) fn renamed(text: &str) -> String {
    let in_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(INTERNAL_FIELD) {
        out.push_str(before);
        let starts = !out.ends_with(in_name);
        let ends = after.starts_with('.') || !after.starts_with(in_name);
        out.push_str(if starts && ends { NOBODY } else { INTERNAL_FIELD });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_name_is_replaced_where_it_is_one() {
        for (said, asked) in [
            ("_miroir", "_mir-ir"),
            ("_miroir.s = x", "_mir-ir.s = x"),
            ("a = 1 AND (_miroir.s EXISTS)", "a = 1 AND (_mir-ir.s EXISTS)"),
            ("'_miroir.s' = 1", "'_mir-ir.s' = 1"),
            ("_miroirs = 1", "_miroirs = 1"),
            ("my_miroir = 1", "my_miroir = 1"),
            ("a._miroir = 1", "a._miroir = 1"),
        ] {
            assert_eq!(renamed(said), asked);
            assert_eq!(named_as_asked(asked), said);
        }
    }

    #[test]
    fn nothing_to_count_is_told_of_everything() {
        let told = named_as_asked("Pattern `-mir-ir-` is not filterable.");
        assert_eq!(told, "Pattern `*` is not filterable.");
    }

    #[test]
    fn filters_are_looked_through() {
        let filter = json!(["a = 1", ["_miroir.s != b", "c = 2"], 3]);
        assert_eq!(guarded_filter(&filter), json!(["a = 1", ["_mir-ir.s != b", "c = 2"], 3]));
    }

    #[test]
    fn other_searches_are_not_copied() {
        let search = |body: Value| SearchQuery::from_json(body.to_string().as_bytes()).expect("good");
        let plain = search(json!({ "q": "_miroir", "filter": "a = 1", "facets": ["a"] }));
        assert!(matches!(guarded_search(&plain), Cow::Borrowed(_)));
        let curious = search(json!({ "facets": ["a", "_miroir.s"], "distinct": "_miroir.s" }));
        let guarded = guarded_search(&curious);
        assert_eq!(guarded.facets.as_deref(), Some(["a".to_owned(), "_mir-ir.s".to_owned()].as_slice()));
        assert_eq!(guarded.distinct.as_deref(), Some("_mir-ir.s"));
        let formatted =
            search(json!({ "attributesToHighlight": ["_miroir"], "attributesToCrop": ["_miroir.s:5"] }));
        let guarded = guarded_search(&formatted);
        assert_eq!(guarded.attributes_to_highlight, Some(["_mir-ir".to_owned()].into()));
        assert_eq!(guarded.attributes_to_crop.as_deref(), Some(["_mir-ir.s:5".to_owned()].as_slice()));
    }
}
