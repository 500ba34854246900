//! All values of a facet, where a list by count holds equal counts: they tell in which order these come, and which are left
//! where the list is cut between them.
//!
//! They are a question to every node, beside the search. So they are kept until something is written.

use std::collections::HashMap;

use bytes::Bytes;
use miroir_log::IndexRecord;
use miroir_merge::{FacetRanks, SearchSpec, TiedFacet, facet_ranks, tied_facets};
use miroir_nodes::NodeRequest;
use miroir_protocol::search::SearchQuery;
use parking_lot::Mutex;
use serde_json::json;

use super::{
    scatter::{Terms, scatter},
    search::{Question, path},
    survey::NO_GROUPS,
    targets::{Scope, Target},
};
use crate::state::Gateway;

/// Facets with more values than this are not kept, and not asked for only to tell the order of values that are all listed.
const MOST_VALUES: usize = 5_000;
/// How many facets are kept.
const MOST_FACETS: usize = 64;

/// The facets whose values are known, by index and attribute.
#[derive(Debug, Default)]
pub(crate) struct KnownFacets(Mutex<HashMap<(String, String), Known>>);

/// What is known of a facet.
#[derive(Debug, Clone)]
enum Known {
    /// Its values in one epoch.
    Values(u64, FacetRanks),
    /// That it has many.
    Many,
}

/// The values, where they are needed to merge the answers to a question; nodes are asked for them unless the answers hold them.
pub(super) async fn needed(
    question: &Question<'_>,
    answers: &[Bytes],
    spec: &SearchSpec,
) -> Option<FacetRanks> {
    let Question { gateway, index, query, terms, .. } = question;
    // What is wrong with the answers is said where they are merged.
    let tied = tied_facets(answers, spec).ok().filter(|tied| !tied.is_empty())?;
    if finds_all(query, spec) {
        return facet_ranks(answers).ok();
    }
    all_values(gateway, index, &tied, *terms).await
}

/// All values of these facets of an index, as far as they are worth a question.
pub(super) async fn all_values(
    gateway: &Gateway,
    index: &IndexRecord,
    tied: &[TiedFacet],
    terms: Terms,
) -> Option<FacetRanks> {
    let epoch = gateway.epoch().now();
    let (mut ranks, unknown) = gateway.facets.known(&index.uid, tied, epoch);
    if unknown.is_empty() {
        return Some(ranks);
    }
    let (asked, is_whole) = asked_values(gateway, index, &unknown, terms).await?;
    if is_whole {
        gateway.facets.keep(&index.uid, &unknown, epoch, &asked);
    }
    ranks.join(asked);
    Some(ranks)
}

/// What nodes say are all values of these attributes, and whether no shard is missing.
async fn asked_values(
    gateway: &Gateway,
    index: &IndexRecord,
    attributes: &[&str],
    terms: Terms,
) -> Option<(FacetRanks, bool)> {
    let path = path(index).ok()?;
    let scope = Scope::of_index(&index.uid);
    let gathered = scatter(gateway, &scope, terms, |target: &Target| {
        let body =
            json!({ "filter": target.filter, "distinct": NO_GROUPS, "limit": 0, "facets": attributes });
        NodeRequest::query(path.clone(), body.to_string())
    });
    let gathered = gathered.await.ok()?;
    Some((facet_ranks(&gathered.answers).ok()?, gathered.missing.is_empty()))
}

// === impl KnownFacets ===

impl KnownFacets {
    /// The values that are known, and the attributes to ask for.
    fn known<'t>(&self, uid: &str, tied: &'t [TiedFacet], epoch: u64) -> (FacetRanks, Vec<&'t str>) {
        let (mut ranks, mut unknown) = (FacetRanks::default(), Vec::new());
        let all = self.0.lock();
        for TiedFacet { attribute, is_cut } in tied {
            match all.get(&(uid.to_owned(), attribute.clone())) {
                Some(Known::Values(then, values)) if *then == epoch => ranks.join(values.clone()),
                Some(Known::Many) if !is_cut => {}
                _ => unknown.push(attribute.as_str()),
            }
        }
        (ranks, unknown)
    }

    /// Keeps what was asked for in this epoch.
    fn keep(&self, uid: &str, attributes: &[&str], epoch: u64, ranks: &FacetRanks) {
        let mut all = self.0.lock();
        for attribute in attributes {
            let values = ranks.only(attribute);
            let known = if values.count() > MOST_VALUES { Known::Many } else { Known::Values(epoch, values) };
            let key = (uid.to_owned(), (*attribute).to_owned());
            if all.len() >= MOST_FACETS && !all.contains_key(&key) {
                all.retain(|_, known| matches!(known, Known::Values(then, _) if *then == epoch));
            }
            if all.len() >= MOST_FACETS && !all.contains_key(&key) {
                all.clear();
            }
            all.insert(key, known);
        }
    }
}

/// Whether a search finds all documents of its index.
fn finds_all(query: &SearchQuery, spec: &SearchSpec) -> bool {
    query.q.as_deref().is_none_or(|words| words.trim().is_empty())
        && query.filter.is_none()
        && query.hybrid.is_none()
        && query.ranking_score_threshold.is_none()
        && spec.distinct.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_for_everything_find_all_values() {
        let search = |body: &[u8]| SearchQuery::from_json(body).expect("good");
        let plain = SearchSpec::default();
        assert!(finds_all(&search(br#"{"q": " ", "facets": ["a"]}"#), &plain));
        assert!(!finds_all(&search(br#"{"q": "x"}"#), &plain));
        assert!(!finds_all(&search(br#"{"filter": "a = 1"}"#), &plain));
        let grouped = SearchSpec { distinct: Some("a".to_owned()), ..SearchSpec::default() };
        assert!(!finds_all(&search(b"{}"), &grouped));
    }

    fn values(attribute: &str, count: usize) -> FacetRanks {
        let values: serde_json::Map<_, _> = (0..count).map(|value| (format!("v{value}"), json!(1))).collect();
        let answer = json!({
            "hits": [], "query": "", "estimatedTotalHits": 9, "facetDistribution": {attribute: values}, "facetStats": {}
        });
        facet_ranks(&[answer.to_string().into()]).expect("an answer")
    }

    fn tied(attribute: &str, is_cut: bool) -> [TiedFacet; 1] {
        [TiedFacet { attribute: attribute.to_owned(), is_cut }]
    }

    #[test]
    fn values_are_asked_for_once_in_an_epoch() {
        let facets = KnownFacets::default();
        assert_eq!(facets.known("films", &tied("genre", false), 1).1, ["genre"]);
        facets.keep("films", &["genre"], 1, &values("genre", 30));
        let cut = tied("genre", true);
        let (ranks, unknown) = facets.known("films", &cut, 1);
        assert_eq!((ranks.count(), unknown.len()), (30, 0));
        assert_eq!(facets.known("films", &tied("genre", false), 2).1, ["genre"]);
        assert_eq!(facets.known("books", &tied("genre", false), 1).1, ["genre"]);
    }

    #[test]
    fn facets_with_many_values_are_asked_for_only_where_a_list_is_cut() {
        let facets = KnownFacets::default();
        facets.keep("films", &["title"], 1, &values("title", MOST_VALUES + 1));
        assert!(facets.known("films", &tied("title", false), 7).1.is_empty());
        assert_eq!(facets.known("films", &tied("title", true), 1).1, ["title"]);
    }

    #[test]
    fn no_more_facets_are_kept_than_there_is_room_for() {
        let facets = KnownFacets::default();
        for attribute in 0..3 * MOST_FACETS {
            facets.keep("films", &[&format!("a{attribute}")], 1, &FacetRanks::default());
            assert!(facets.0.lock().len() <= MOST_FACETS);
        }
    }
}
