//! Federated searches whose answers do not tell all about all hits, so that each search is asked for that alone.
//!
//! Where a search groups its hits, nodes group their own documents; [a page of the search](super::survey) has the totals and the
//! facets. Where there are facets of several indexes, how a facet is listed depends on how many hits are found in its
//! index, and answers tell the number of all together; where a facet is listed by count, it depends on [all its
//! values](super::ranks). Where two searches are in one index, or all hits are grouped as one list, no page tells what is found
//! then: nodes are asked for all documents of each search.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::future::join_all;
use miroir_log::IndexRecord;
use miroir_merge::{FederatedSpec, Paging, are_many, facets_in_doubt_of, tied_facets_of};
use miroir_protocol::search::{Federation, SearchQuery};

use super::{
    asked::AskedSearch,
    facets::facet_spec,
    ranks::all_values,
    scatter::Terms,
    search::{ask, merged, new_request_uid},
    survey::MOST_COUNTED,
};
use crate::state::Gateway;

/// One search of a federated one.
pub(super) struct Part<'a> {
    pub(super) index: &'a IndexRecord,
    /// As the client asks.
    pub(super) query: &'a SearchQuery,
    pub(super) search: &'a AskedSearch,
}

/// What is counted of some indexes.
enum Counts {
    /// The answer to a page of the index's only search.
    Told(Bytes),
    /// All documents of each of its searches.
    Surveyed(Vec<Vec<Bytes>>),
}

/// Puts into the specification what searches say about all of their hits, of the indexes for which the nodes' own counts are not
/// as good, and no estimates.
pub(super) async fn count(
    gateway: &Gateway,
    parts: &[Part<'_>],
    federation: &Federation,
    spec: &mut FederatedSpec,
    (terms, answers): (Terms, &[Bytes]),
) {
    let needed = needed(parts, federation, spec, answers);
    let counts = needed.indexes.iter().map(|uid| {
        let parts: Vec<&Part<'_>> = parts.iter().filter(|part| part.index.uid == *uid).collect();
        let facets = federation.facets_by_index.iter().find(|(named, _)| named.as_str() == *uid);
        let facets = facets.and_then(|(_, facets)| facets.clone());
        async move {
            match parts.as_slice() {
                [part] if federation.distinct.is_none() => {
                    let query = page_of(part.query, needed.hits, facets);
                    let terms = Terms { include_metadata: false, ..terms };
                    // A search that waits for itself would be one of unknown size.
                    let answer = merged(gateway, part.index, &query, terms, new_request_uid());
                    Box::pin(answer).await.ok().map(|answer| Counts::Told(answer.body.into()))
                }
                _ => surveyed(gateway, &parts, facets.as_ref(), terms).await.map(Counts::Surveyed),
            }
        }
    });
    let tied = tied_facets_of(answers, spec).unwrap_or_default();
    // Where an index has one search alone, its page has found them out.
    let tied = tied.iter().filter_map(|(uid, tied)| {
        let mut of_index = parts.iter().filter(|part| part.index.uid == *uid);
        of_index.next().filter(|_| of_index.next().is_some()).map(|part| (part.index, tied))
    });
    let ranks = join_all(tied.map(|(index, tied)| async move {
        Some((index.uid.clone(), all_values(gateway, index, tied, terms).await?))
    }));
    // What cannot be counted is what the nodes say.
    let (counts, ranks): (Vec<_>, Vec<_>) = tokio::join!(join_all(counts), ranks);
    spec.facet_ranks = ranks.into_iter().flatten().collect();
    for (uid, counts) in needed.indexes.into_iter().zip(counts) {
        match counts {
            Some(Counts::Told(answer)) => _ = spec.counted.insert(uid.to_owned(), answer),
            Some(Counts::Surveyed(answers)) => _ = spec.surveyed.insert(uid.to_owned(), answers),
            None => {}
        }
    }
}

/// The nodes' documents of searches in one index.
async fn surveyed(
    gateway: &Gateway,
    parts: &[&Part<'_>],
    facets: Option<&Vec<String>>,
    terms: Terms,
) -> Option<Vec<Vec<Bytes>>> {
    let answers = join_all(parts.iter().map(|part| async move {
        let client = SearchQuery { facets: facets.cloned(), ..part.query.clone() };
        let survey = part.search.survey(&client);
        ask(gateway, part.index, &survey, terms).await.ok().map(|gathered| gathered.answers)
    }));
    answers.await.into_iter().collect()
}

/// The indexes that are counted, and how many hits the pages up to this one have.
#[derive(Debug, Default, PartialEq)]
struct Needed<'a> {
    indexes: BTreeSet<&'a str>,
    hits: usize,
}

fn needed<'a>(
    parts: &[Part<'a>],
    federation: &Federation,
    spec: &FederatedSpec,
    answers: &[Bytes],
) -> Needed<'a> {
    let groups = parts.iter().any(|part| part.search.spec.distinct.is_some());
    let is_told = parts.iter().all(|part| part.query.hybrid.is_none());
    let is_estimated = parts.iter().any(|part| part.query.ranking_score_threshold.is_some());
    let indexes: BTreeSet<&str> = parts.iter().map(|part| part.index.uid.as_str()).collect();
    match (groups, spec.paging) {
        _ if !is_told => Needed::default(),
        (true, Paging::Page { page, hits_per_page }) => {
            Needed { indexes, hits: page.saturating_mul(hits_per_page) }
        }
        (true, Paging::Window { .. }) => Needed::default(),
        (false, _) if is_estimated || federation.facets_by_index.is_empty() => Needed::default(),
        (false, _) => {
            let lists_by_count = || parts.iter().any(|part| facet_spec(&part.index.settings).has_counts());
            let are_many = || indexes.len() > 1 && are_many(answers).unwrap_or_default();
            let is_only = |uid: &str| parts.iter().filter(|part| part.index.uid == uid).nth(1).is_none();
            let in_doubt = facets_in_doubt_of(answers, spec, MOST_COUNTED).unwrap_or_default();
            let all_only = lists_by_count() || are_many();
            let is_needed =
                |uid: &&str| (all_only && is_only(uid)) || in_doubt.iter().any(|other| other == uid);
            Needed { indexes: indexes.iter().copied().filter(is_needed).collect(), hits: 0 }
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

    fn asked(index: &IndexRecord, query: &SearchQuery) -> AskedSearch {
        AskedSearch::of(index, query)
    }

    /// The indexes that are counted for queries that group by these attributes.
    fn counted(
        queries: &[(&str, Option<&str>)],
        body: Value,
        paging: Paging,
        answers: &[Bytes],
    ) -> Vec<String> {
        let parts: Vec<_> = queries
            .iter()
            .map(|(uid, distinct)| {
                let distinct = distinct.map(str::to_owned);
                let query = SearchQuery { distinct, ..SearchQuery::from_json(b"{}").expect("good") };
                let index = index(uid);
                let search = asked(&index, &query);
                (index, query, search)
            })
            .collect();
        let parts: Vec<_> =
            parts.iter().map(|(index, query, search)| Part { index, query, search }).collect();
        let facets = parts.iter().map(|part| (part.index.uid.clone(), facet_spec(&part.index.settings)));
        let spec = FederatedSpec { paging, facets: facets.collect(), ..FederatedSpec::default() };
        let needed = needed(&parts, &federation(&body), &spec, answers);
        needed.indexes.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn indexes_are_counted_where_pages_group_their_hits() {
        let paging = Paging::Page { page: 3, hits_per_page: 7 };
        let grouped = [("films", Some("a")), ("books", None)];
        assert_eq!(counted(&grouped, json!({}), paging, &[]), ["books", "films"]);
        assert!(counted(&grouped, json!({}), Paging::default(), &[]).is_empty(), "an estimate");
        assert!(counted(&[("films", None)], json!({}), paging, &[]).is_empty());
        assert_eq!(counted(&[("films", Some("a")), ("films", None)], json!({}), paging, &[]), ["films"]);
    }

    #[test]
    fn indexes_are_counted_where_many_hits_are_found_in_several_with_facets() {
        let counted = |queries: &[&str], body: Value, total: usize| {
            let answer = format!(r#"{{"hits":[],"estimatedTotalHits":{total}}}"#);
            let answers = [Bytes::from(answer.clone()), Bytes::from(answer)];
            let queries: Vec<_> = queries.iter().map(|uid| (*uid, None)).collect();
            counted(&queries, body, Paging::default(), &answers)
        };
        let facets = json!({"facetsByIndex": {"films": ["a"]}});
        assert_eq!(counted(&["films", "books"], facets.clone(), 1_501), ["books", "films"]);
        assert!(counted(&["films", "books"], facets.clone(), 1_500).is_empty());
        assert!(counted(&["films", "books"], json!({}), 1_501).is_empty());
        assert!(counted(&["films"], facets, 1_501).is_empty());
    }

    #[test]
    fn indexes_are_counted_where_nodes_spell_a_value_differently() {
        let answer = |value: &str| {
            let facets = json!({"films": {"distribution": {"a": {value: 1}}, "stats": {}}});
            Bytes::from(json!({"hits": [], "estimatedTotalHits": 1, "facetsByIndex": facets}).to_string())
        };
        let counted = |first, second| {
            let facets = json!({"facetsByIndex": {"films": ["a"]}});
            let queries = [("films", None), ("films", None), ("books", None)];
            counted(&queries, facets, Paging::default(), &[answer(first), answer(second)])
        };
        assert_eq!(counted("Red", "red"), ["films"]);
        assert!(counted("red", "red").is_empty());
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
