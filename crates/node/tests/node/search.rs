//! Searches.

use crate::common::{TestNode, node_with_films};
use hyper::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn words_typos_and_prefixes_are_found() {
    let node = node_with_films().await;
    assert_eq!(node.search("films", json!({ "q": "star wars" }), "id").await[0], json!(1));
    assert_eq!(node.search("films", json!({ "q": "godfathr" }), "id").await, [json!(4)]);
    assert_eq!(node.search("films", json!({ "q": "gam" }), "id").await, [json!(3)]);
    assert_eq!(node.search("films", json!({ "q": "pacino" }), "id").await, [json!(4)]);
}

#[tokio::test]
async fn get_and_post_answer_the_same() {
    let node = node_with_films().await;
    let query = json!({ "q": "star", "limit": 2, "filter": "year > 1976", "sort": ["year:desc"] });
    let (_, mut posted) = node.post("/indexes/films/search", query).await;
    let path = "/indexes/films/search?q=star&limit=2&filter=year%20%3E%201976&sort=year:desc";
    let (_, mut got) = node.get(path).await;
    for answer in [&mut posted, &mut got] {
        answer["requestUid"].take();
        answer["processingTimeMs"].take();
    }
    assert_eq!(posted, got);
    assert_eq!(posted["hits"][0]["id"], 2);
}

#[tokio::test]
async fn filter_sort_facets_and_distinct() {
    let node = node_with_films().await;
    let query = json!({ "filter": ["genre = Drama", "year < 1976"] });
    assert_eq!(node.search("films", query, "id").await, [json!(4)]);
    let query = json!({ "sort": ["year:asc"], "limit": 2 });
    assert_eq!(node.search("films", query, "year").await, [json!(1972), json!(1976)]);
    let query = json!({ "distinct": "genre", "sort": ["year:asc"] });
    assert_eq!(node.search("films", query, "id").await, [json!(4), json!(1), json!(3)]);
    let (_, answer) = node.post("/indexes/films/search", json!({ "facets": ["*"], "limit": 0 })).await;
    let genres = json!({ "Adventure": 2, "Drama": 2, "Thriller": 1 });
    assert_eq!(answer["facetDistribution"]["genre"], genres);
    assert_eq!(answer["facetStats"]["year"], json!({ "min": 1972.0, "max": 1983.0 }));
}

#[tokio::test]
async fn pages_and_windows() {
    let node = node_with_films().await;
    let (_, answer) =
        node.post("/indexes/films/search", json!({ "q": "star", "page": 2, "hitsPerPage": 2 })).await;
    assert_eq!(answer["hits"].as_array().map(Vec::len), Some(1));
    let paging = [&answer["hitsPerPage"], &answer["page"], &answer["totalPages"], &answer["totalHits"]];
    assert_eq!(paging, [&json!(2), &json!(2), &json!(2), &json!(3)]);
    let (_, answer) = node.post("/indexes/films/search", json!({ "q": "star", "page": 0 })).await;
    assert_eq!(answer["hits"], json!([]));
    let (_, answer) = node.post("/indexes/films/search", json!({ "offset": 4, "limit": 3 })).await;
    assert_eq!(answer["hits"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        [&answer["offset"], &answer["limit"], &answer["estimatedTotalHits"]],
        [&json!(4), &json!(3), &json!(5)]
    );
}

#[tokio::test]
async fn only_max_total_hits_can_be_paged_to() {
    let node = node_with_films().await;
    node.done(Method::PATCH, "/indexes/films/settings", json!({ "pagination": { "maxTotalHits": 2 } })).await;
    assert_eq!(node.search("films", json!({ "limit": 5 }), "id").await.len(), 2);
    assert_eq!(node.search("films", json!({ "offset": 2 }), "id").await.len(), 0);
}

#[tokio::test]
async fn matches_are_highlighted_cropped_and_located() {
    let node = node_with_films().await;
    let query = json!({
        "q": "war", "attributesToRetrieve": ["title"], "attributesToHighlight": ["title"], "showMatchesPosition": true,
        "filter": "year = 1983",
    });
    let (_, answer) = node.post("/indexes/films/search", query).await;
    let expected = json!({
        "title": "War Games",
        "_formatted": { "title": "<em>War</em> Games" },
        "_matchesPosition": { "title": [{ "start": 0, "length": 3 }] },
    });
    assert_eq!(answer["hits"][0], expected);
    let query = json!({ "q": "born", "attributesToCrop": ["title:1"], "attributesToRetrieve": ["title"] });
    let (_, answer) = node.post("/indexes/films/search", query).await;
    assert_eq!(answer["hits"][0]["_formatted"], json!({ "title": "…Born" }));
}

#[tokio::test]
async fn matches_in_arrays_say_where() {
    let node = node_with_films().await;
    let query = json!({ "q": "pacino", "showMatchesPosition": true, "attributesToRetrieve": ["id"] });
    let (_, answer) = node.post("/indexes/films/search", query).await;
    let expected = json!({ "cast.name": [{ "start": 3, "length": 6, "indices": [0] }] });
    assert_eq!(answer["hits"][0]["_matchesPosition"], expected);
}

#[tokio::test]
async fn scores_rules_and_threshold() {
    let node = node_with_films().await;
    let query = json!({ "q": "star wars", "showRankingScore": true, "showRankingScoreDetails": true, "sort": ["year:asc"] });
    let (_, answer) = node.post("/indexes/films/search", query).await;
    let first = &answer["hits"][0];
    assert!(first["_rankingScore"].as_f64().is_some_and(|score| score > 0.9), "{first}");
    assert_eq!(first["_rankingScoreDetails"]["year:asc"]["value"], json!(1977.0));
    let good = json!({ "q": "star wars", "rankingScoreThreshold": 0.9 });
    assert_eq!(node.search("films", good, "id").await, [json!(1)]);
}

#[tokio::test]
async fn strategy_and_fields_to_search_in() {
    let node = node_with_films().await;
    let all = json!({ "q": "star wars", "matchingStrategy": "all" });
    assert_eq!(node.search("films", all, "id").await, [json!(1)]);
    let last = json!({ "q": "star wars", "matchingStrategy": "last" });
    assert!(node.search("films", last, "id").await.len() > 1);
    let director = json!({ "q": "george", "attributesToSearchOn": ["director"] });
    assert_eq!(node.search("films", director, "id").await, [json!(1)]);
    let title = json!({ "q": "george", "attributesToSearchOn": ["title"] });
    assert_eq!(node.search("films", title, "id").await, Vec::<Value>::new());
}

#[tokio::test]
async fn hits_near_a_place_come_with_their_distance() {
    let node = TestNode::start().await;
    let settings = json!({ "filterableAttributes": ["_geo"], "sortableAttributes": ["_geo"] });
    node.done(Method::PATCH, "/indexes/places/settings", settings).await;
    let places = json!([
        { "id": "paris", "_geo": { "lat": 48.8566, "lng": 2.3522 } },
        { "id": "lille", "_geo": { "lat": 50.6292, "lng": 3.0573 } },
        { "id": "nowhere" },
    ]);
    node.done(Method::POST, "/indexes/places/documents", places).await;
    let query = json!({ "sort": ["_geoPoint(50.6, 3.0):asc"], "attributesToRetrieve": ["id", "_geo"] });
    assert_eq!(
        node.search("places", query.clone(), "id").await,
        [json!("lille"), json!("paris"), json!("nowhere")]
    );
    let distances = node.search("places", query, "_geoDistance").await;
    assert_eq!((&distances[0], &distances[2]), (&json!(5185), &Value::Null));
    let near = json!({ "filter": "_geoRadius(50.6, 3.0, 10000)" });
    assert_eq!(node.search("places", near, "id").await, [json!("lille")]);
}

#[tokio::test]
async fn bad_searches_are_refused_in_words() {
    let node = node_with_films().await;
    for (query, code) in [
        (json!({ "filter": "title = x" }), "invalid_search_filter"),
        (json!({ "filter": "year >" }), "invalid_search_filter"),
        (json!({ "sort": ["genre:asc"] }), "invalid_search_sort"),
        (json!({ "facets": ["title"] }), "invalid_search_facets"),
        (json!({ "distinct": "title" }), "invalid_search_distinct"),
        (json!({ "q": 1 }), "invalid_search_q"),
        (json!({ "unknown": 1 }), "bad_request"),
    ] {
        let (status, error) = node.post("/indexes/films/search", query.clone()).await;
        assert_eq!((status, error["code"].as_str()), (400, Some(code)), "{query}");
    }
    assert_eq!(node.post("/indexes/ghost/search", json!({})).await.0, 404);
}
