//! Searches beside the plain one: in the values of a facet, for similar documents, several at once.

mod common;

use common::{TestNode, node_with_films};
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
