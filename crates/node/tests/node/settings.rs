//! Settings: changed, shown, reset; those of later versions.

use crate::common::{TestNode, node_with_films};
use hyper::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn settings_come_back_as_they_were_set() {
    let node = TestNode::start().await;
    let settings = json!({
        "displayedAttributes": ["id", "title"],
        "searchableAttributes": ["title"],
        "filterableAttributes": ["year", { "attributePatterns": ["tag.*"], "features": {
            "facetSearch": false, "filter": { "equality": true, "comparison": false }
        } }],
        "sortableAttributes": ["year"],
        "rankingRules": ["words", "typo", "sort", "year:desc"],
        "stopWords": ["the"],
        "nonSeparatorTokens": ["@"],
        "separatorTokens": ["|"],
        "dictionary": ["J. R. R."],
        "synonyms": { "film": ["movie"] },
        "distinctAttribute": "year",
        "proximityPrecision": "byAttribute",
        "typoTolerance": {
            "enabled": true,
            "minWordSizeForTypos": { "oneTypo": 4, "twoTypos": 8 },
            "disableOnWords": ["star"],
            "disableOnAttributes": ["title"],
            "disableOnNumbers": true,
        },
        "faceting": { "maxValuesPerFacet": 7, "sortFacetValuesBy": { "*": "alpha", "year": "count" } },
        "pagination": { "maxTotalHits": 50 },
        "embedders": { "manual": { "source": "userProvided", "dimensions": 3 } },
        "searchCutoffMs": 150,
        "localizedAttributes": [{ "attributePatterns": ["title"], "locales": ["fra"] }],
        "facetSearch": false,
        "prefixSearch": "disabled",
    });
    node.done(Method::PATCH, "/indexes/a/settings", settings.clone()).await;
    let node = node.restart().await;
    assert_eq!(node.get("/indexes/a/settings").await.1, settings);
    let (_, fresh) = {
        node.done(Method::POST, "/indexes", json!({ "uid": "b" })).await;
        node.get("/indexes/b/settings").await
    };
    node.done(Method::DELETE, "/indexes/a/settings", Value::Null).await;
    assert_eq!(node.get("/indexes/a/settings").await.1, fresh);
}

#[tokio::test]
async fn one_setting_has_a_route_of_its_own() {
    let node = TestNode::start().await;
    node.done(Method::PUT, "/indexes/a/settings/stop-words", json!(["a", "the"])).await;
    assert_eq!(node.get("/indexes/a/settings/stop-words").await.1, json!(["a", "the"]));
    node.done(Method::DELETE, "/indexes/a/settings/stop-words", Value::Null).await;
    assert_eq!(node.get("/indexes/a/settings/stop-words").await.1, json!([]));
    let (status, _) = node.send(Method::PUT, "/indexes/a/settings/nope", "application/json", "[]").await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn part_of_a_setting_changes_alone() {
    let node = TestNode::start().await;
    node.done(Method::PATCH, "/indexes/a/settings/typo-tolerance", json!({ "disableOnWords": ["x"] })).await;
    let patch = json!({ "minWordSizeForTypos": { "oneTypo": 3 } });
    node.done(Method::PATCH, "/indexes/a/settings/typo-tolerance", patch).await;
    let (_, typo) = node.get("/indexes/a/settings/typo-tolerance").await;
    assert_eq!(typo["disableOnWords"], json!(["x"]));
    assert_eq!(typo["minWordSizeForTypos"], json!({ "oneTypo": 3, "twoTypos": 9 }));
}

#[tokio::test]
async fn ranking_rules_of_later_versions_are_taken_and_shown() {
    let node = node_with_films().await;
    let rules = json!(["words", "typo", "proximity", "attributeRank", "sort", "wordPosition", "exactness"]);
    node.done(Method::PUT, "/indexes/films/settings/ranking-rules", rules.clone()).await;
    assert_eq!(node.get("/indexes/films/settings/ranking-rules").await.1, rules);
    assert_eq!(node.search("films", json!({ "q": "star wars" }), "id").await[0], json!(1));
    node.done(Method::DELETE, "/indexes/films/settings/ranking-rules", Value::Null).await;
    let (_, rules) = node.get("/indexes/films/settings/ranking-rules").await;
    assert_eq!(rules, json!(["words", "typo", "proximity", "attribute", "sort", "exactness"]));
}

#[tokio::test]
async fn hidden_fields_are_not_shown_by_searches() {
    let node = node_with_films().await;
    node.done(Method::PUT, "/indexes/films/settings/displayed-attributes", json!(["id"])).await;
    let (_, answer) =
        node.post("/indexes/films/search", json!({ "q": "godfather", "attributesToHighlight": ["*"] })).await;
    assert_eq!(answer["hits"], json!([{ "id": 4, "_formatted": { "id": "4" } }]));
    assert_eq!(node.get("/indexes/films/documents/4").await.1["title"], "The Godfather");
}

#[tokio::test]
async fn refused_settings_make_no_task() {
    let node = TestNode::start().await;
    let (status, error) =
        node.send(Method::PATCH, "/indexes/a/settings", "application/json", r#"{"nope":1}"#).await;
    assert_eq!((status, &error["code"]), (400, &json!("bad_request")));
    let (status, error) =
        node.send(Method::PUT, "/indexes/a/settings/stop-words", "application/json", "1").await;
    assert_eq!((status, &error["code"]), (400, &json!("invalid_settings_stop_words")));
    assert_eq!(node.get("/tasks").await.1["total"], 0);
}
