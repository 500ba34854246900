//! Several searches whose hits become one list. A node is asked all of them at once, so that it counts a document that
//! two of them find once.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::{StatusCode, Uri};
use miroir_log::IndexRecord;
use miroir_merge::{FederatedQuery, FederatedSpec, Paging, SearchSpec, merge_federated};
use miroir_nodes::NodeRequest;
use miroir_protocol::{
    error::{Code, ResponseError},
    search::{Federation, FederationOptions, IndexQuery, inside_query},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    documents::merge_failed,
    multi_search::index_of_query,
    reserved::renamed,
    scatter::{Terms, scatter},
    search::{
        AskedSearch, elapsed_ms, facet_spec, hidden_in, mark_partial, missing_member, named_facets,
        new_request_uid,
    },
    targets::{Scope, Target, turn},
};
use crate::{
    answer::{Answer, json_bytes},
    state::Gateway,
};

/// How many hits a page has where it is not said.
const HITS_PER_PAGE: usize = 20;

/// Parameters of a search that only the federation has.
const PAGING: [&str; 4] = ["offset", "limit", "page", "hitsPerPage"];

/// Answers all searches with one list of hits.
pub(super) async fn federated(
    gateway: &Gateway,
    queries: Vec<IndexQuery>,
    federation: &Federation,
    terms: Terms,
) -> Answer {
    let start = Instant::now();
    let queries = queries.into_iter().enumerate();
    let asked: Result<Vec<Asked>, _> = queries
        .map(|(place, query)| Asked::of(gateway, query).map_err(|error| inside_query(place, error)))
        .collect();
    let asked = asked?;
    check_served(federation)?;
    let paging = paging(federation);
    let own = federation_of_nodes(gateway, federation, paging);
    let indexes: Vec<&str> = asked.iter().map(|query| query.index.uid.as_str()).collect();
    let scope = Scope { turn: turn(&indexes), indexes, slots: None };
    let gathered = scatter(gateway, &scope, terms, |target: &Target| {
        let body = body(&own, &asked, target.filter.as_deref());
        NodeRequest::query(Uri::from_static("/multi-search"), body)
    })
    .await
    .map_err(|error| hidden_in_query(error, &asked))?;
    let facets = asked.iter().map(|query| (query.index.uid.clone(), facet_spec(&query.index.settings)));
    let spec = FederatedSpec {
        paging,
        facets: facets.collect(),
        queries: asked.into_iter().map(Asked::into_query).collect(),
        processing_time_ms: elapsed_ms(start),
        request_uid: Some(new_request_uid()),
        extra: missing_member(&gathered.missing).into_iter().collect(),
    };
    let merged = merge_federated(&gathered.answers, &spec).map_err(|error| merge_failed(&error))?;
    let mut response = json_bytes(StatusCode::OK, merged);
    mark_partial(&mut response, &gathered.missing);
    Ok(response)
}

/// A node's error, without the names of attributes that clients do not see in the index of the query that it is about.
fn hidden_in_query(error: ResponseError, asked: &[Asked]) -> ResponseError {
    let place = error.message().strip_prefix("Inside `.queries[").and_then(|rest| rest.split_once(']'));
    let query = place.and_then(|(place, _)| asked.get(place.parse::<usize>().ok()?));
    match query {
        Some(query) => hidden_in(error, &query.index.settings),
        None => error,
    }
}

/// One query, and what nodes are asked for it.
struct Asked {
    index: Arc<IndexRecord>,
    search: AskedSearch,
    options: Option<FederationOptions>,
}

impl Asked {
    fn of(gateway: &Gateway, query: IndexQuery) -> Result<Self, ResponseError> {
        let (uid, query, options) = query.into_search();
        query.check_semantic()?;
        let index = index_of_query(gateway, &uid)?;
        let search = AskedSearch::of(&index, &query);
        if search.spec.distinct.is_some() {
            return Err(not_served("distinct attributes"));
        }
        if query.hybrid.is_some() {
            return Err(not_served("hybrid search"));
        }
        if options
            .as_ref()
            .is_some_and(|options| options.remote.is_some() || options.query_position.is_some())
        {
            return Err(not_served("remotes"));
        }
        Ok(Self { index, search, options })
    }

    /// The query for a node.
    fn json(&self, filter: Option<&str>) -> Value {
        let mut query = json!(self.search.query(filter));
        if let Some(members) = query.as_object_mut() {
            members.retain(|name, _| !PAGING.contains(&name.as_str()));
            members.insert("indexUid".to_owned(), Value::from(self.index.uid.as_str()));
            if let Some(options) = &self.options {
                members.insert("federationOptions".to_owned(), json!(options));
            }
        }
        query
    }

    fn into_query(self) -> FederatedQuery {
        let weight = self.options.map_or(1.0, |options| options.weight.get());
        FederatedQuery { index: self.index.uid.clone(), weight, search: self.search.spec }
    }
}

fn check_served(federation: &Federation) -> Result<(), ResponseError> {
    if federation.distinct.is_some() {
        return Err(not_served("`distinct`"));
    }
    if federation.merge_facets.is_some() {
        return Err(not_served("`mergeFacets`"));
    }
    if federation.personalize.is_some() {
        return Err(not_served("`personalize`"));
    }
    Ok(())
}

fn not_served(what: &str) -> ResponseError {
    let message = format!("Federated search with {what} is not served by this version of Miroir.");
    ResponseError::new(Code::MiroirNotSupported, message)
}

fn paging(federation: &Federation) -> Paging {
    match (federation.page, federation.hits_per_page) {
        (None, None) => Paging::Window { offset: federation.offset, limit: federation.limit },
        (page, hits_per_page) => {
            Paging::Page { page: page.unwrap_or(1), hits_per_page: hits_per_page.unwrap_or(HITS_PER_PAGE) }
        }
    }
}

/// The federation that every node is asked for: all hits up to the end of the page.
fn federation_of_nodes(gateway: &Gateway, client: &Federation, paging: Paging) -> Value {
    let needed = SearchSpec { paging, ..SearchSpec::default() }.node_limit();
    let mut own = match paging {
        Paging::Window { .. } => json!({ "offset": 0, "limit": needed }),
        Paging::Page { .. } => json!({ "page": 1, "hitsPerPage": needed }),
    };
    let catalog = gateway.log.catalog();
    let facets = client.facets_by_index.iter().map(|(uid, facets)| {
        let settings = catalog.indexes.get(uid.as_str()).map_or(&Value::Null, |index| &index.settings);
        let named = |facets: &Vec<String>| -> Vec<String> {
            named_facets(facets, settings).iter().map(|name| renamed(name)).collect()
        };
        (uid.as_str(), facets.as_ref().map(named))
    });
    let facets: BTreeMap<_, _> = facets.collect();
    if !facets.is_empty() {
        own["facetsByIndex"] = json!(facets);
    }
    own
}

/// What a node is asked.
fn body(federation: &Value, queries: &[Asked], filter: Option<&str>) -> Bytes {
    let queries: Vec<Value> = queries.iter().map(|query| query.json(filter)).collect();
    json!({ "federation": federation, "queries": queries }).to_string().into()
}

#[cfg(test)]
mod tests {
    use miroir_protocol::search::MultiSearch;

    use super::*;

    fn request(body: &Value) -> MultiSearch {
        MultiSearch::from_json(body.to_string().as_bytes()).expect("good")
    }

    fn asked(query: Value) -> Asked {
        let mut request = request(&json!({"federation": {}, "queries": [query]}));
        let (uid, query, options) = request.queries.remove(0).into_search();
        let index = IndexRecord {
            uid: uid.as_str().to_owned(),
            primary_key: Some("id".to_owned()),
            created_at: time::OffsetDateTime::UNIX_EPOCH,
            updated_at: time::OffsetDateTime::UNIX_EPOCH,
            settings: json!({}),
        };
        Asked { search: AskedSearch::of(&index, &query), index: Arc::new(index), options }
    }

    #[test]
    fn queries_leave_paging_to_the_federation() {
        let query = asked(
            json!({"indexUid": "films", "q": "war", "filter": "a = 1", "federationOptions": {"weight": 0.5}}),
        );
        let json = query.json(Some("s"));
        assert_eq!((&json["indexUid"], &json["q"]), (&json!("films"), &json!("war")));
        assert_eq!(json["filter"], json!(["s", "a = 1"]));
        assert_eq!(json["federationOptions"]["weight"], 0.5);
        assert_eq!(json["showRankingScoreDetails"], true);
        assert!(PAGING.iter().all(|name| json.get(name).is_none()));
        let query = query.into_query();
        assert_eq!((query.index.as_str(), query.weight), ("films", 0.5));
    }

    #[test]
    fn pages_count_from_one() {
        let paging_of = |federation: Value| {
            paging(&request(&json!({"federation": federation, "queries": []})).federation.expect("one"))
        };
        assert_eq!(paging_of(json!({})), Paging::Window { offset: 0, limit: 20 });
        assert_eq!(paging_of(json!({"hitsPerPage": 4})), Paging::Page { page: 1, hits_per_page: 4 });
        assert_eq!(paging_of(json!({"page": 3})), Paging::Page { page: 3, hits_per_page: 20 });
    }

    #[test]
    fn what_is_not_served_is_said() {
        let served = |federation: Value| {
            check_served(&request(&json!({"federation": federation, "queries": []})).federation.expect("one"))
        };
        assert!(served(json!({"limit": 3, "facetsByIndex": {"a": ["b"]}})).is_ok());
        for federation in [json!({"distinct": "a"}), json!({"mergeFacets": {}})] {
            let error = served(federation).expect_err("not served");
            assert_eq!(error.code_name(), "miroir_not_supported");
        }
    }
}
