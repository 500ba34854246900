//! Searches beside the plain one: in the values of a facet, for similar documents, several at once.

use crate::common::{TestNode, node_with_films};
use hyper::Method;
use serde_json::{Value, json};

/// The values that a facet search finds, with their counts.
async fn facet_hits(node: &TestNode, query: Value) -> Vec<(String, u64)> {
    let (status, answer) = node.post("/indexes/films/facet-search", query).await;
    assert_eq!(status, 200, "{answer}");
    let hits = answer["facetHits"].as_array().expect("hits").iter();
    hits.map(|hit| (hit["value"].as_str().unwrap_or_default().to_owned(), hit["count"].as_u64().unwrap_or(0)))
        .collect()
}

/// A node with four documents that have vectors.
async fn node_with_vectors() -> TestNode {
    let node = TestNode::start().await;
    let settings = json!({
        "embedders": { "given": { "source": "userProvided", "dimensions": 2 } },
        "filterableAttributes": ["id"],
    });
    node.done(Method::PATCH, "/indexes/points/settings", settings).await;
    let points = json!([
        { "id": 1, "name": "east", "_vectors": { "given": [1.0, 0.0] } },
        { "id": 2, "name": "nearly east", "_vectors": { "given": [0.9, 0.1] } },
        { "id": 3, "name": "north", "_vectors": { "given": [0.0, 1.0] } },
        { "id": 4, "name": "west", "_vectors": { "given": [-1.0, 0.0] } },
    ]);
    node.done(Method::POST, "/indexes/points/documents", points).await;
    node
}

fn message(answer: &Value) -> &str {
    answer["message"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn facet_values_are_found_by_their_beginning_and_with_typos() {
    let node = node_with_films().await;
    let all = [("Adventure".to_owned(), 2), ("Drama".to_owned(), 2), ("Thriller".to_owned(), 1)];
    assert_eq!(facet_hits(&node, json!({ "facetName": "genre" })).await, all);
    let typo = json!({ "facetName": "genre", "facetQuery": "drame" });
    assert_eq!(facet_hits(&node, typo).await, [("Drama".to_owned(), 2)]);
    let query =
        json!({ "facetName": "genre", "q": "star", "filter": "year > 1976", "exhaustiveFacetCount": true });
    assert_eq!(facet_hits(&node, query).await, [("Adventure".to_owned(), 2)]);
}

#[tokio::test]
async fn facet_search_needs_a_facet_and_can_be_switched_off() {
    let node = node_with_films().await;
    let path = "/indexes/films/facet-search";
    let (status, answer) = node.post(path, json!({ "facetName": "title" })).await;
    assert_eq!((status, &answer["code"]), (400, &json!("invalid_facet_search_facet_name")));
    let (status, answer) = node.post("/indexes/ghost/facet-search", json!({ "facetName": "genre" })).await;
    assert_eq!((status, &answer["code"]), (404, &json!("index_not_found")));
    node.done(Method::PUT, "/indexes/films/settings/facet-search", json!(false)).await;
    let (status, answer) = node.post(path, json!({ "facetName": "genre" })).await;
    assert_eq!((status, &answer["code"]), (400, &json!("facet_search_disabled")));
}

#[tokio::test]
async fn similar_documents_come_nearest_first_and_without_the_document_itself() {
    let node = node_with_vectors().await;
    let query = json!({ "id": 1, "embedder": "given", "limit": 2, "showRankingScore": true });
    let (status, answer) = node.post("/indexes/points/similar", query).await;
    assert_eq!(status, 200, "{answer}");
    let ids: Vec<_> = answer["hits"].as_array().expect("hits").iter().map(|hit| hit["id"].clone()).collect();
    assert_eq!(ids, [json!(2), json!(3)]);
    assert!(answer["hits"][0]["_rankingScore"].as_f64() > answer["hits"][1]["_rankingScore"].as_f64());
    assert_eq!((&answer["id"], &answer["limit"], &answer["offset"]), (&json!("1"), &json!(2), &json!(0)));
    let (_, got) = node.get("/indexes/points/similar?id=1&embedder=given&filter=id%20%3E%202&limit=1").await;
    assert_eq!(got["hits"], json!([{ "id": 3, "name": "north" }]));
}

#[tokio::test]
async fn similar_search_says_what_it_does_not_know() {
    let node = node_with_vectors().await;
    let refused = async |query: Value| {
        let (status, answer) = node.post("/indexes/points/similar", query).await;
        assert_eq!(status, 400, "{answer}");
        answer["code"].clone()
    };
    assert_eq!(refused(json!({ "id": 9, "embedder": "given" })).await, "not_found_similar_id");
    assert_eq!(refused(json!({ "id": 1, "embedder": "other" })).await, "invalid_similar_embedder");
    assert_eq!(refused(json!({ "id": [], "embedder": "given" })).await, "invalid_similar_id");
    let bad_filter = json!({ "id": 1, "embedder": "given", "filter": "name = east" });
    assert_eq!(refused(bad_filter).await, "invalid_similar_filter");
}

#[tokio::test]
async fn each_query_of_a_multi_search_has_its_own_result() {
    let node = node_with_films().await;
    node.done(Method::POST, "/indexes/books/documents", json!([{ "id": 7, "title": "Star Maker" }])).await;
    let queries = json!({ "queries": [
        { "indexUid": "films", "q": "star", "limit": 1, "facets": ["genre"] },
        { "indexUid": "books", "q": "star", "hitsPerPage": 3 },
    ] });
    let (status, answer) = node.post("/multi-search", queries).await;
    assert_eq!(status, 200, "{answer}");
    let [films, books] = [&answer["results"][0], &answer["results"][1]];
    assert_eq!((&films["indexUid"], &films["estimatedTotalHits"]), (&json!("films"), &json!(3)));
    assert_eq!(films["facetDistribution"]["genre"]["Adventure"], 2);
    assert_eq!((&books["hits"][0]["id"], &books["totalHits"]), (&json!(7), &json!(1)));
    assert_eq!(films["requestUid"], books["requestUid"]);
}

#[tokio::test]
async fn errors_of_a_multi_search_name_the_query() {
    let node = node_with_films().await;
    let queries = json!({ "queries": [{ "indexUid": "films" }, { "indexUid": "ghost" }] });
    let (status, answer) = node.post("/multi-search", queries).await;
    assert_eq!((status, message(&answer)), (400, "Inside `.queries[1]`: Index `ghost` not found."));
    let queries = json!({ "queries": [{ "indexUid": "films", "sort": ["year:up"] }] });
    let (status, answer) = node.post("/multi-search", queries).await;
    assert_eq!((status, &answer["code"]), (400, &json!("invalid_search_sort")));
    assert!(message(&answer).starts_with("Inside `.queries[0]`: Invalid syntax for the sort parameter"));
}

/// A node with films and books.
async fn node_with_two_indexes() -> TestNode {
    let node = node_with_films().await;
    let settings = json!({ "filterableAttributes": ["genre", "year"] });
    node.done(Method::PATCH, "/indexes/books/settings", settings).await;
    let books = json!([
        { "id": 7, "title": "Star", "genre": "Essay", "year": 2001 },
        { "id": 8, "title": "The Star Diaries", "genre": "Drama", "year": 1957 },
    ]);
    node.done(Method::POST, "/indexes/books/documents", books).await;
    node
}

async fn federated(node: &TestNode, federation: Value, queries: Value) -> Value {
    let (status, answer) =
        node.post("/multi-search", json!({ "federation": federation, "queries": queries })).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn ids(answer: &Value) -> Vec<u64> {
    answer["hits"].as_array().expect("hits").iter().filter_map(|hit| hit["id"].as_u64()).collect()
}

#[tokio::test]
async fn federated_hits_are_one_list_by_weighted_score() {
    let node = node_with_two_indexes().await;
    let queries =
        json!([{ "indexUid": "films", "q": "star" }, { "indexUid": "books", "q": "star", "limit": null }]);
    let answer = federated(&node, json!({}), queries).await;
    assert_eq!(ids(&answer)[0], 7, "{answer}");
    assert_eq!(ids(&answer).len(), 5);
    let of_the_first = &answer["hits"][0]["_federation"];
    assert_eq!((&of_the_first["indexUid"], &of_the_first["queriesPosition"]), (&json!("books"), &json!(1)));
    assert_eq!((&answer["limit"], &answer["estimatedTotalHits"]), (&json!(20), &json!(5)));
    let queries = json!([
        { "indexUid": "films", "q": "star" },
        { "indexUid": "books", "q": "star", "federationOptions": { "weight": 0.1 } },
    ]);
    let answer = federated(&node, json!({ "page": 2, "hitsPerPage": 3 }), queries).await;
    assert_eq!(ids(&answer), [7, 8]);
    assert_eq!((&answer["totalHits"], &answer["totalPages"]), (&json!(5), &json!(2)));
}

#[tokio::test]
async fn document_found_by_two_queries_shows_once() {
    let node = node_with_two_indexes().await;
    let queries = json!([{ "indexUid": "films", "q": "star wars" }, { "indexUid": "films", "q": "star" }]);
    let answer = federated(&node, json!({}), queries).await;
    let mut found = ids(&answer);
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), ids(&answer).len(), "{answer}");
}

#[tokio::test]
async fn federated_facets_come_by_index_or_as_one() {
    let node = node_with_two_indexes().await;
    let queries = json!([{ "indexUid": "films", "q": "star" }, { "indexUid": "books", "q": "star" }]);
    let facets = json!({ "films": ["genre"], "books": ["genre", "year"] });
    let answer = federated(&node, json!({ "facetsByIndex": facets }), queries.clone()).await;
    let of_films = &answer["facetsByIndex"]["films"]["distribution"]["genre"];
    assert_eq!(*of_films, json!({ "Adventure": 2, "Drama": 1 }));
    let merged = json!({ "facetsByIndex": facets, "mergeFacets": { "maxValuesPerFacet": 2 } });
    let answer = federated(&node, merged, queries).await;
    assert_eq!(answer["facetDistribution"]["genre"], json!({ "Adventure": 2, "Drama": 2 }));
    assert_eq!(answer["facetStats"]["year"], json!({ "min": 1957.0, "max": 2001.0 }));
    assert!(answer.get("facetsByIndex").is_none());
}

#[tokio::test]
async fn distinct_counts_across_indexes() {
    let node = node_with_two_indexes().await;
    let queries = json!([{ "indexUid": "films" }, { "indexUid": "books" }]);
    let federation = json!({ "distinct": "genre", "facetsByIndex": { "books": ["genre"] } });
    let answer = federated(&node, federation, queries).await;
    let mut genres: Vec<_> =
        answer["hits"].as_array().expect("hits").iter().map(|hit| hit["genre"].to_string()).collect();
    genres.sort();
    assert_eq!(genres, [r#""Adventure""#, r#""Drama""#, r#""Essay""#, r#""Thriller""#]);
    assert_eq!(answer["estimatedTotalHits"], 4);
    assert_eq!(answer["facetsByIndex"]["books"]["distribution"]["genre"], json!({ "Essay": 1 }));
}

#[tokio::test]
async fn federated_errors_say_where() {
    let node = node_with_two_indexes().await;
    let refused = async |federation: Value, queries: Value| {
        let (status, answer) =
            node.post("/multi-search", json!({ "federation": federation, "queries": queries })).await;
        assert_eq!(status, 400, "{answer}");
        message(&answer).to_owned()
    };
    let films = json!({ "indexUid": "films" });
    let text = refused(json!({}), json!([films, { "indexUid": "ghost" }])).await;
    assert_eq!(text, "Inside `.queries[1]`: Index `ghost` not found.");
    let text = refused(json!({ "facetsByIndex": { "films": ["title"] } }), json!([films])).await;
    assert!(
        text.starts_with("Inside `.queries[0]`: Inside `.federation.facetsByIndex.films`: Invalid facet"),
        "{text}"
    );
    let text = refused(json!({ "facetsByIndex": { "ghost": ["title"] } }), json!([films])).await;
    let expected = "Inside `.federation.facetsByIndex.ghost`: Index `ghost` not found.\n - Note: index `ghost` is not used in queries";
    assert_eq!(text, expected);
    let remote = json!([{ "indexUid": "films", "federationOptions": { "remote": "far" } }]);
    let text = refused(json!({}), remote).await;
    assert!(
        text.starts_with("Inside `.queries[0]`: Performing a remote federated search requires"),
        "{text}"
    );
}

#[tokio::test]
async fn fields_say_what_they_are_used_for() {
    let node = node_with_films().await;
    let query = json!({ "filter": { "filterable": true, "sortable": false }, "limit": 1 });
    let (status, answer) = node.post("/indexes/films/fields", query).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["total"], &answer["results"][0]["name"]), (&json!(1), &json!("genre")));
    let filterable = json!({
        "enabled": true, "sortBy": "alpha", "facetSearch": true, "equality": true, "comparison": true,
    });
    assert_eq!(answer["results"][0]["filterable"], filterable);
    assert_eq!(answer["results"][0]["searchable"], json!({ "enabled": false }));
    let (_, answer) = node.post("/indexes/films/fields", json!({})).await;
    let names: Vec<_> =
        answer["results"].as_array().expect("fields").iter().map(|field| &field["name"]).collect();
    assert_eq!(names, ["cast", "cast.name", "director", "genre", "id", "title", "year"]);
}
