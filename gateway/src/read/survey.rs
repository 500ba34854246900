//! Pages under `distinct`: what has to be known about all documents that a search finds, not only about a page of them.
//!
//! A node keeps one document of each group, but not the one that another node's documents would leave. The number of
//! groups is told by the nodes' counts of the distinct attribute, which cost little. Which documents are left, and so
//! every other facet, is told only by all documents that the search finds: they are asked for once more, without
//! `distinct` and with no more than the attributes that are counted.

use std::collections::BTreeSet;

use miroir_log::IndexRecord;
use miroir_protocol::search::SearchQuery;
use miroir_shard::SEQUENCE_FIELD;
use serde_json::Value;

use super::visibility::is_within;

/// How many documents each node is asked for at the most. Where a node finds more, facets are counted over the groups
/// that the nodes found, and only those of the page are as one node counts them.
const MOST: usize = 5_000;

/// How many documents a node may have found at the most where it is asked for all of them for the sake of facets alone.
pub(super) const MOST_COUNTED: u64 = 2_000;

/// An attribute that no document has, and that nodes take for one that can be filtered on: to group by it is to group by
/// nothing, also where the index has a distinct attribute.
pub(super) const NO_GROUPS: &str = "_miroir.s.-";

/// How many hits nodes are asked for one after the other, as long as they are too few, where they do not group them and `needed`
/// are looked for.
pub(super) fn ungrouped_limits(needed: usize) -> [usize; 2] {
    [needed.saturating_mul(4).saturating_add(100).min(MOST), MOST]
}

/// How the number of groups is found out.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Groups {
    /// The search has no groups, or estimates them.
    NotCounted,
    /// The nodes count the distinct attribute as a facet.
    Facet,
    /// The nodes are asked for all documents, too.
    Survey,
}

impl Groups {
    /// For a client's search that groups by `distinct`.
    pub(super) fn of(client: &SearchQuery, distinct: Option<&str>, settings: &Value) -> Self {
        let Some(distinct) = distinct.filter(|_| client.is_paged() && client.hybrid.is_none()) else {
            return Self::NotCounted;
        };
        let counts_others = client.facets.iter().flatten().any(|name| name != distinct);
        if counts_others || !is_facet(distinct, settings) { Self::Survey } else { Self::Facet }
    }
}

/// Whether an attribute can be counted for sure: patterns are not looked at. Where the setting is a star alone, nodes refuse
/// to count an attribute by its name.
fn is_facet(attribute: &str, settings: &Value) -> bool {
    let filterable = settings["filterableAttributes"].as_array();
    let mut names = filterable.into_iter().flatten().filter_map(Value::as_str);
    names.any(|name| is_within(attribute, name))
}

/// What nodes are asked for all documents that `asked`, a node's query for the page, finds.
pub(super) fn surveyed(asked: &SearchQuery, client: &SearchQuery, distinct: Option<&str>) -> SearchQuery {
    let names = client.facets.iter().flatten();
    let is_pattern = names.clone().any(|name| name.contains('*'));
    let needed = || -> BTreeSet<String> {
        let more = distinct.into_iter().chain([SEQUENCE_FIELD]).map(str::to_owned);
        names.cloned().chain(more).collect()
    };
    SearchQuery {
        // All documents that match the filter are found by a vector.
        hybrid: None,
        vector: None,
        media: None,
        distinct: Some(NO_GROUPS.to_owned()),
        page: Some(1),
        hits_per_page: Some(MOST),
        facets: None,
        attributes_to_retrieve: (!is_pattern).then(needed),
        attributes_to_highlight: None,
        attributes_to_crop: None,
        show_matches_position: false,
        show_ranking_score: false,
        retrieve_vectors: false,
        ..asked.clone()
    }
}

/// The facet that nodes are asked for beyond what the client wants, so that the groups can be counted.
pub(super) fn extra_facet(
    index: &IndexRecord,
    client: &SearchQuery,
    distinct: Option<&str>,
) -> Option<String> {
    let distinct = distinct.filter(|_| client.is_paged())?;
    let asked = client.facets.iter().flatten().any(|pattern| counts(pattern, distinct));
    (!asked && is_facet(distinct, &index.settings)).then(|| distinct.to_owned())
}

/// Whether an attribute is among those that a client's facet names: a pattern, or an attribute that it is nested in.
fn counts(pattern: &str, attribute: &str) -> bool {
    let dots = attribute.match_indices('.').map(|(at, _)| at);
    let mut outer = dots.chain([attribute.len()]).filter_map(|end| attribute.get(..end));
    outer.any(|name| is_matched(name, pattern))
}

/// Whether a name is that of a pattern, which may have a star at its start, at its end, or both.
fn is_matched(name: &str, pattern: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(rest), Some(_)) => name.contains(rest.strip_suffix('*').unwrap_or_default()),
        (Some(end), None) => name.ends_with(end),
        (None, Some(start)) => name.starts_with(start),
        (None, None) => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn search(body: Value) -> SearchQuery {
        SearchQuery::from_json(body.to_string().as_bytes()).expect("good")
    }

    #[test]
    fn all_documents_are_asked_for_where_facets_depend_on_them() {
        let settings = json!({"filterableAttributes": ["maker", "colour"]});
        let of = |body, distinct| Groups::of(&search(body), distinct, &settings);
        assert_eq!(of(json!({"page": 1}), None), Groups::NotCounted);
        assert_eq!(of(json!({"limit": 1}), Some("maker")), Groups::NotCounted);
        assert_eq!(of(json!({"page": 1}), Some("maker")), Groups::Facet);
        assert_eq!(of(json!({"page": 1, "facets": ["maker"]}), Some("maker.name")), Groups::Survey);
        assert_eq!(of(json!({"page": 1, "facets": ["maker"]}), Some("maker")), Groups::Facet);
        assert_eq!(of(json!({"page": 1, "facets": ["colour"]}), Some("maker")), Groups::Survey);
        assert_eq!(of(json!({"page": 1}), Some("hidden")), Groups::Survey);
        let star = json!({"filterableAttributes": ["*"]});
        assert_eq!(Groups::of(&search(json!({"page": 1})), Some("maker"), &star), Groups::Survey);
    }

    #[test]
    fn an_attribute_is_counted_by_name_by_what_holds_it_and_by_patterns() {
        for pattern in ["a.b", "a", "*", "a*", "*b", "*.*", "**"] {
            assert!(counts(pattern, "a.b"), "{pattern}");
        }
        for pattern in ["b", "a.b.c", "a.", "b*", "*c", "*c*", ""] {
            assert!(!counts(pattern, "a.b"), "{pattern}");
        }
    }

    #[test]
    fn a_survey_asks_for_what_is_counted_only() {
        let client =
            search(json!({"q": "x", "page": 3, "facets": ["colour"], "attributesToHighlight": ["*"]}));
        let asked = surveyed(&client, &client, Some("maker"));
        assert_eq!((asked.page, asked.hits_per_page), (Some(1), Some(MOST)));
        assert_eq!(asked.q.as_deref(), Some("x"));
        let names: Vec<_> = asked.attributes_to_retrieve.iter().flatten().map(String::as_str).collect();
        assert_eq!(names, ["_miroir.n", "colour", "maker"]);
        assert!(asked.attributes_to_highlight.is_none() && asked.facets.is_none());
        let all = search(json!({"page": 1, "facets": ["*"]}));
        assert!(surveyed(&all, &all, None).attributes_to_retrieve.is_none());
    }
}
