//! Federated searches whose answers do not tell all about all hits, so that each search is asked for that alone.
//!
//! Where a search groups its hits, nodes group their own documents; [a page of the search](super::survey) has the totals and the
//! facets. Where there are facets of several indexes, how a facet is listed depends on how many hits are found in its
//! index, and answers tell the number of all together; where a facet is listed by count, it depends on [all its
//! values](super::ranks).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::future::join_all;
use miroir_log::IndexRecord;
use miroir_merge::{Paging, SearchSpec, are_many};
use miroir_protocol::search::{Federation, SearchQuery};

use super::{
    facets::facet_spec,
    scatter::Terms,
    search::{merged, new_request_uid},
};
use crate::state::Gateway;

/// One search of a federated one.
pub(super) struct Part<'a> {
    pub(super) index: &'a IndexRecord,
    /// As the client asks.
    pub(super) query: &'a SearchQuery,
    pub(super) spec: &'a SearchSpec,
}

/// What each index's search says about all of its hits: the answer to a page of it. Empty where the nodes' own counts are as
/// good, or estimates; and where two searches are in one index or all hits are grouped as one list, as no search alone tells
/// what is found then.
pub(super) async fn counted(
    gateway: &Gateway,
    parts: &[Part<'_>],
    federation: &Federation,
    paging: Paging,
    (terms, answers): (Terms, &[Bytes]),
) -> BTreeMap<String, Bytes> {
    let Some(needed) = needed(parts, federation, paging, answers) else { return BTreeMap::new() };
    let answers = join_all(parts.iter().map(|part| async move {
        let facets = federation.facets_by_index.iter().find(|(uid, _)| uid.as_str() == part.index.uid);
        let query = page_of(part.query, needed, facets.and_then(|(_, facets)| facets.clone()));
        let terms = Terms { include_metadata: false, ..terms };
        // A search that waits for itself would be one of unknown size.
        let answer = Box::pin(merged(gateway, part.index, &query, terms, new_request_uid())).await.ok()?;
        Some((part.index.uid.clone(), Bytes::from(answer.body)))
    }));
    answers.await.into_iter().collect::<Option<_>>().unwrap_or_default()
}

/// How many hits the pages up to this one have, where each search has to be asked.
fn needed(parts: &[Part<'_>], federation: &Federation, paging: Paging, answers: &[Bytes]) -> Option<usize> {
    let indexes: BTreeSet<&str> = parts.iter().map(|part| part.index.uid.as_str()).collect();
    let is_told = parts.iter().all(|part| part.query.hybrid.is_none());
    if !is_told || indexes.len() < parts.len() || federation.distinct.is_some() {
        return None;
    }
    let is_estimated = parts.iter().any(|part| part.query.ranking_score_threshold.is_some());
    match (parts.iter().any(|part| part.spec.distinct.is_some()), paging) {
        (true, Paging::Window { .. }) => None,
        (true, Paging::Page { page, hits_per_page }) => Some(page.saturating_mul(hits_per_page)),
        (false, _) if is_estimated || federation.facets_by_index.is_empty() => None,
        (false, _) => {
            let lists_by_count = parts.iter().any(|part| facet_spec(&part.index.settings).has_counts());
            let are_many = || parts.len() > 1 && are_many(answers).unwrap_or_default();
            (lists_by_count || are_many()).then_some(0)
        }
    }
}

/// All pages of a search as one, with nothing of its hits.
fn page_of(query: &SearchQuery, needed: usize, facets: Option<Vec<String>>) -> SearchQuery {
    SearchQuery {
        page: Some(1),
        hits_per_page: Some(needed),
        facets,
        attributes_to_retrieve: Some(BTreeSet::new()),
        attributes_to_highlight: None,
        attributes_to_crop: None,
        show_matches_position: false,
        show_ranking_score: false,
        show_ranking_score_details: false,
        show_performance_details: false,
        retrieve_vectors: false,
        personalize: None,
        ..query.clone()
    }
}

#[cfg(test)]
mod tests {
    use miroir_protocol::search::MultiSearch;
    use serde_json::{Value, json};

    use super::*;

    fn federation(body: &Value) -> Federation {
        let body = json!({ "federation": body, "queries": [] }).to_string();
        MultiSearch::from_json(body.as_bytes()).expect("good").federation.expect("one")
    }

    fn index(uid: &str) -> IndexRecord {
        IndexRecord {
            uid: uid.to_owned(),
            primary_key: None,
            created_at: time::OffsetDateTime::UNIX_EPOCH,
            updated_at: time::OffsetDateTime::UNIX_EPOCH,
            settings: json!({}),
        }
    }

    #[test]
    fn searches_are_asked_where_one_groups_and_each_has_its_index() {
        let query = SearchQuery::from_json(br#"{"distinct": "a"}"#).expect("good");
        let (films, books) = (index("films"), index("books"));
        let grouped = SearchSpec { distinct: Some("a".to_owned()), ..SearchSpec::default() };
        let plain = SearchSpec::default();
        let part = |index, spec| Part { index, query: &query, spec };
        let paging = Paging::Page { page: 3, hits_per_page: 7 };
        let needed = |parts: &[Part<'_>], body: Value| needed(parts, &federation(&body), paging, &[]);
        assert_eq!(needed(&[part(&films, &grouped), part(&books, &plain)], json!({})), Some(21));
        assert_eq!(needed(&[part(&films, &plain)], json!({})), None);
        assert_eq!(needed(&[part(&films, &grouped), part(&films, &plain)], json!({})), None);
        assert_eq!(needed(&[part(&films, &grouped)], json!({"distinct": "b"})), None);
    }

    #[test]
    fn searches_are_asked_where_many_hits_are_found_in_several_indexes_with_facets() {
        let query = SearchQuery::from_json(b"{}").expect("good");
        let (films, books) = (index("films"), index("books"));
        let plain = SearchSpec::default();
        let part = |index| Part { index, query: &query, spec: &plain };
        let needed = |parts: &[Part<'_>], body: Value, total: usize| {
            let answer = format!(r#"{{"hits":[],"estimatedTotalHits":{total}}}"#);
            let answers = [Bytes::from(answer.clone()), Bytes::from(answer)];
            needed(parts, &federation(&body), Paging::default(), &answers)
        };
        let facets = json!({"facetsByIndex": {"films": ["a"]}});
        assert_eq!(needed(&[part(&films), part(&books)], facets.clone(), 1_501), Some(0));
        assert_eq!(needed(&[part(&films), part(&books)], facets.clone(), 1_500), None);
        assert_eq!(needed(&[part(&films), part(&books)], json!({}), 1_501), None);
        assert_eq!(needed(&[part(&films)], facets, 1_501), None);
    }

    #[test]
    fn a_page_shows_nothing_but_what_is_counted() {
        let query = SearchQuery::from_json(br#"{"q": "x", "attributesToHighlight": ["*"]}"#).expect("good");
        let page = json!(page_of(&query, 21, Some(vec!["a".to_owned()])));
        assert_eq!((&page["hitsPerPage"], &page["page"]), (&json!(21), &json!(1)));
        assert_eq!((&page["q"], &page["facets"]), (&json!("x"), &json!(["a"])));
        assert_eq!(page["attributesToRetrieve"], json!([]));
    }
}
