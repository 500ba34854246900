//! A search in the values of a facet.

use bytes::Bytes;
use http::Uri;
use miroir_log::IndexRecord;
use miroir_merge::{
    FacetSearchSpec, FacetSurvey, merge_facet_search, merge_surveyed_facet_search, total_hits,
};
use miroir_nodes::NodeRequest;
use miroir_protocol::{
    error::{Code, ResponseError},
    search::{FacetSearchQuery, SearchQuery},
};
use miroir_shard::{SEQUENCE_FIELD, is_internal};

use super::{
    documents::merge_failed,
    facets::facet_spec,
    filter::narrowed,
    pins::slots_of_filter,
    reserved::guarded_filter,
    scatter::{Terms, scatter},
    search::{found, hidden_in, missing_member, path as search_path},
    survey::{MOST_COUNTED, NO_GROUPS},
    targets::{Scope, Target, turn},
    unequal::{or_as_written, told_apart},
};
use crate::{answer::Answer, state::Gateway};

/// What nodes are asked about in place of the internal field: an attribute that no document has, so that they answer as
/// if the field were not there.
const NOBODYS_FACET: &str = "_miroir.-";

/// Answers a facet search in one index.
pub(crate) async fn facet_search(
    gateway: &Gateway,
    index: &IndexRecord,
    query: &FacetSearchQuery,
    terms: Terms,
) -> Answer {
    let Some(filter) = told_apart(gateway, index, query.filter.as_ref(), terms).await else {
        return search_as_asked(gateway, index, query, terms).await;
    };
    let apart = FacetSearchQuery { filter: Some(filter), ..query.clone() };
    let answer = Box::pin(search_as_asked(gateway, index, &apart, terms)).await;
    or_as_written(answer, || Box::pin(search_as_asked(gateway, index, query, terms))).await
}

async fn search_as_asked(
    gateway: &Gateway,
    index: &IndexRecord,
    query: &FacetSearchQuery,
    terms: Terms,
) -> Answer {
    let path: Uri = format!("/indexes/{}/facet-search", index.uid)
        .parse()
        .map_err(|_| ResponseError::new(Code::Internal, "The index uid cannot be put into a request."))?;
    let slots = slots_of_filter(query.filter.as_ref(), index.primary_key.as_deref());
    let scope = Scope { indexes: vec![&index.uid], slots, turn: turn(&index.uid) };
    let of_values = scatter(gateway, &scope, terms, |target: &Target| {
        NodeRequest::query(path.clone(), body(query, target.filter.as_deref()))
    });
    let (gathered, groups) = tokio::join!(of_values, Groups::of(gateway, index, query, &scope, terms));
    let gathered =
        gathered.map_err(|error| hidden_in(named_as_asked(error, &query.facet_name), &index.settings))?;
    let facets = facet_spec(&index.settings);
    let spec = FacetSearchSpec {
        facet_query: query.facet_query.clone(),
        max_values: facets.max_values,
        order: facets.order_of(&query.facet_name),
        extra: missing_member(&gathered.missing).into_iter().collect(),
    };
    let merged = match groups.filter(|_| gathered.answers.len() > 1) {
        Some(Groups { survey, answers }) => {
            merge_surveyed_facet_search(&gathered.answers, &answers, &survey, &spec)
        }
        None => merge_facet_search(&gathered.answers, &spec),
    };
    let merged = merged.map_err(|error| merge_failed(&error))?;
    Ok(found(merged, &gathered.missing))
}

/// How many hits a facet search looks for before it counts.
const LOOKED_FOR: usize = 20;

/// All documents of a facet search in an index with a distinct attribute: nodes count the groups of their own documents.
struct Groups {
    survey: FacetSurvey,
    answers: Vec<Bytes>,
}

impl Groups {
    /// Asks for them. `None` where nobody groups documents, or they are too many; what is wrong is told by the facet search.
    async fn of(
        gateway: &Gateway,
        index: &IndexRecord,
        query: &FacetSearchQuery,
        scope: &Scope<'_>,
        terms: Terms,
    ) -> Option<Self> {
        let survey = survey(index, query)?;
        let path = search_path(index).ok()?;
        let ask = |hits_per_page: u64| {
            let path = path.clone();
            let asked = surveyed(query, &survey, hits_per_page);
            scatter(gateway, scope, terms, move |target: &Target| {
                let filter = narrowed(asked.filter.as_ref(), target.filter.as_deref());
                let asked = SearchQuery { filter, ..asked.clone() };
                let body = serde_json::to_vec(&asked).expect("a query that was JSON is JSON");
                NodeRequest::query(path.clone(), body)
            })
        };
        let totals = ask(0).await.ok()?;
        let is_few = |answer: &Bytes| total_hits(answer).is_ok_and(|total| total <= MOST_COUNTED);
        if !totals.answers.iter().all(is_few) {
            return None;
        }
        let answers = ask(MOST_COUNTED).await.ok()?.answers;
        Some(Self { survey, answers })
    }
}

/// What is counted, where that is not what nodes tell: under a distinct attribute, but for searches by vector, which do not
/// group what they count, and where a threshold makes it an estimate.
fn survey(index: &IndexRecord, query: &FacetSearchQuery) -> Option<FacetSurvey> {
    let distinct = index.settings["distinctAttribute"].as_str()?.to_owned();
    let by_words = query.hybrid.is_none() && query.vector.is_none() && query.media.is_none();
    if !by_words || query.ranking_score_threshold.is_some() || is_internal(&query.facet_name) {
        return None;
    }
    let is_exhaustive = query.exhaustive_facet_count.unwrap_or_default();
    let looked_for = (!is_exhaustive).then_some(LOOKED_FOR);
    Some(FacetSurvey { facet: query.facet_name.clone(), distinct, looked_for })
}

/// The search for the same documents, not grouped.
fn surveyed(client: &FacetSearchQuery, survey: &FacetSurvey, hits_per_page: u64) -> SearchQuery {
    let needed = [&survey.facet, &survey.distinct].map(String::to_owned);
    SearchQuery {
        q: client.q.clone(),
        filter: client.filter.as_ref().map(guarded_filter),
        matching_strategy: client.matching_strategy,
        attributes_to_search_on: client.attributes_to_search_on.clone(),
        locales: client.locales.clone(),
        distinct: Some(NO_GROUPS.to_owned()),
        page: Some(1),
        hits_per_page: usize::try_from(hits_per_page).ok(),
        attributes_to_retrieve: Some(needed.into_iter().chain([SEQUENCE_FIELD.to_owned()]).collect()),
        show_ranking_score_details: true,
        ..SearchQuery::default()
    }
}

/// What a node is asked.
fn body(client: &FacetSearchQuery, node_filter: Option<&str>) -> Bytes {
    let filter = client.filter.as_ref().map(guarded_filter);
    let mut query = FacetSearchQuery { filter: narrowed(filter.as_ref(), node_filter), ..client.clone() };
    if is_internal(&query.facet_name) {
        NOBODYS_FACET.clone_into(&mut query.facet_name);
    }
    serde_json::to_vec(&query).expect("a query that was JSON is JSON").into()
}

/// A node's error about the facet it was asked for, about the one that the client named.
fn named_as_asked(error: ResponseError, facet: &str) -> ResponseError {
    if !is_internal(facet) {
        return error;
    }
    error.map_message(|message| message.replace(&format!("`{NOBODYS_FACET}`"), &format!("`{facet}`")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(body_sent: &Value, node_filter: Option<&str>) -> Value {
        let query = FacetSearchQuery::from_json(body_sent.to_string().as_bytes()).expect("good");
        serde_json::from_slice(&body(&query, node_filter)).expect("JSON")
    }

    #[test]
    fn nodes_are_asked_what_the_client_asks_within_their_shards() {
        let client = json!({"facetName": "genre", "facetQuery": "co", "filter": "a = 1", "exhaustiveFacetCount": true});
        let asked = asked(&client, Some("s"));
        assert_eq!(asked["facetName"], "genre");
        assert_eq!(asked["facetQuery"], "co");
        assert_eq!(asked["filter"], json!(["s", "a = 1"]));
        assert_eq!(asked["exhaustiveFacetCount"], true);
    }

    #[test]
    fn the_internal_field_is_an_attribute_like_any_that_is_not_there() {
        for name in ["_miroir", "_miroir.s", "_miroir.n"] {
            assert_eq!(asked(&json!({"facetName": name}), None)["facetName"], "_miroir.-");
        }
        assert_eq!(asked(&json!({"facetName": "_miroirs"}), None)["facetName"], "_miroirs");
        let error = ResponseError::new(
            Code::InvalidFacetSearchFacetName,
            "Attribute `_miroir.-` is not facet-searchable. Available are: `a, b`.",
        );
        let error = named_as_asked(error, "_miroir.s");
        assert_eq!(error.message(), "Attribute `_miroir.s` is not facet-searchable. Available are: `a, b`.");
    }

    #[test]
    fn all_documents_are_asked_for_where_the_index_groups_them() {
        let index = |settings: Value| IndexRecord {
            uid: "films".to_owned(),
            primary_key: None,
            created_at: time::OffsetDateTime::UNIX_EPOCH,
            updated_at: time::OffsetDateTime::UNIX_EPOCH,
            settings,
        };
        let grouped = index(json!({ "distinctAttribute": "maker" }));
        let query = |body: Value| FacetSearchQuery::from_json(body.to_string().as_bytes()).expect("good");
        let plain = query(json!({ "facetName": "genre", "q": "x", "filter": "_miroir.s = 1" }));
        let about = survey(&grouped, &plain).expect("one");
        assert_eq!((about.distinct.as_str(), about.looked_for), ("maker", Some(LOOKED_FOR)));
        let asked = surveyed(&plain, &about, 7);
        assert_eq!((asked.q.as_deref(), asked.page, asked.hits_per_page), (Some("x"), Some(1), Some(7)));
        assert_eq!(asked.filter, Some(json!("_mir-ir.s = 1")));
        assert_eq!(asked.attributes_to_retrieve.map(|names| names.len()), Some(3));
        let all = query(json!({ "facetName": "genre", "exhaustiveFacetCount": true }));
        assert_eq!(survey(&grouped, &all).expect("one").looked_for, None);
        assert_eq!(survey(&index(json!({})), &plain), None);
        let nearest = json!({ "facetName": "genre", "vector": [1.0], "hybrid": { "embedder": "e" } });
        assert_eq!(survey(&grouped, &query(nearest)), None);
    }
}
