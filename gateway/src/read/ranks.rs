//! All values of a facet, where a list by count is cut between equal counts: they tell which of these one node would list.

use bytes::Bytes;
use miroir_log::IndexRecord;
use miroir_merge::{FacetRanks, SearchSpec, facet_ranks, facets_cut_in_ties};
use miroir_nodes::NodeRequest;
use miroir_protocol::search::SearchQuery;
use serde_json::json;

use super::{
    scatter::{Terms, scatter},
    search::{Question, path},
    survey::NO_GROUPS,
    targets::{Scope, Target},
};
use crate::state::Gateway;

/// The values, where they are needed to merge the answers to a question; nodes are asked for them unless the answers hold them.
pub(super) async fn needed(
    question: &Question<'_>,
    answers: &[Bytes],
    spec: &SearchSpec,
) -> Option<FacetRanks> {
    let Question { gateway, index, query, terms, .. } = question;
    // What is wrong with the answers is said where they are merged.
    let cut = facets_cut_in_ties(answers, spec).ok().filter(|cut| !cut.is_empty())?;
    if finds_all(query, spec) {
        return facet_ranks(answers).ok();
    }
    all_values(gateway, index, &cut, *terms).await
}

/// All values of these attributes in an index.
pub(super) async fn all_values(
    gateway: &Gateway,
    index: &IndexRecord,
    attributes: &[String],
    terms: Terms,
) -> Option<FacetRanks> {
    let path = path(index).ok()?;
    let scope = Scope::of_index(&index.uid);
    let gathered = scatter(gateway, &scope, terms, |target: &Target| {
        let body =
            json!({ "filter": target.filter, "distinct": NO_GROUPS, "limit": 0, "facets": attributes });
        NodeRequest::query(path.clone(), body.to_string())
    });
    facet_ranks(&gathered.await.ok()?.answers).ok()
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
}
