//! What searches say besides their hits, and what they refuse, through a running gateway.

use std::process::Command;

use miroir_tests::{Client, Cluster, MASTER_KEY, cluster};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_miroir-under-test");

/// A gateway with an index of films, of which two have each maker, and one of books.
fn filled() -> (Cluster, Client) {
    let cluster = cluster(PROGRAM).nodes(3).start();
    let client = cluster.client();
    for (index, order) in [("films", "alpha"), ("books", "count")] {
        let settings = json!({
            "filterableAttributes": ["maker", "colour"],
            "faceting": { "sortFacetValuesBy": { "*": order } },
            "displayedAttributes": ["id", "maker"],
        });
        client.post("/indexes").json(&json!({ "uid": index, "primaryKey": "id" })).succeeds();
        client.patch(format!("/indexes/{index}/settings")).json(&settings).succeeds();
        let document = |id: u32| {
            let colour = if id.is_multiple_of(2) { "red" } else { "blue" };
            json!({ "id": id, "title": "same", "maker": format!("m{}", id / 2), "colour": colour })
        };
        let documents: Vec<Value> = (0..40).map(document).collect();
        client.post(format!("/indexes/{index}/documents")).json(&documents.into()).succeeds();
    }
    (cluster, client)
}

fn multi(client: &Client, body: &Value) -> miroir_tests::Answer {
    client.post("/multi-search").json(body).send()
}

#[test]
fn answers_say_which_search_they_are_to_where_it_is_asked() {
    let (_cluster, client) = filled();
    let search = || client.post("/indexes/films/search").json(&json!({ "limit": 1 }));
    assert!(search().send().body.get("metadata").is_none());
    assert!(search().header("Meili-Include-Metadata", "no").send().body.get("metadata").is_none());
    let metadata = search().header("Meili-Include-Metadata", "True").send().body["metadata"].clone();
    assert_eq!((&metadata["indexUid"], &metadata["primaryKey"]), (&json!("films"), &json!("id")));
    assert!(metadata["queryUid"].is_string() && metadata.get("query").is_none(), "{metadata}");
    let body = json!({ "federation": {}, "queries": [{ "indexUid": "films", "q": "same" }, { "indexUid": "books" }] });
    let answer = client.post("/multi-search").json(&body).header("Meili-Include-Metadata", "1").send().body;
    assert_eq!(
        (&answer["metadata"][0]["query"], &answer["metadata"][1]["indexUid"]),
        (&json!("same"), &json!("books"))
    );
}

#[test]
fn answers_say_where_the_time_went_where_it_is_asked() {
    let (_cluster, client) = filled();
    let answer = client.search("films", &json!({ "showPerformanceDetails": true })).ok();
    assert!(answer["performanceDetails"].is_object(), "{answer}");
    assert!(client.search("films", &json!({})).ok().get("performanceDetails").is_none());
}

#[test]
fn what_needs_another_service_or_a_network_is_refused() {
    let (_cluster, client) = filled();
    let personal = json!({ "q": "same", "personalize": { "userContext": "likes red" } });
    assert_eq!(client.search("films", &personal).refused(400), "feature_not_enabled");
    let federation = json!({ "federation": { "personalize": { "userContext": "x" } }, "queries": [{ "indexUid": "films" }] });
    assert_eq!(multi(&client, &federation).refused(400), "feature_not_enabled");
    let remote = json!({
        "federation": {},
        "queries": [{ "indexUid": "films", "federationOptions": { "remote": "other" } }],
    });
    assert_eq!(multi(&client, &remote).refused(400), "feature_not_enabled");
}

#[test]
fn facets_of_several_indexes_become_one_where_their_orders_agree() {
    let (_cluster, client) = filled();
    let body = |facets: Value| {
        json!({
            "federation": { "facetsByIndex": facets, "mergeFacets": { "maxValuesPerFacet": 3 } },
            "queries": [{ "indexUid": "films" }, { "indexUid": "books" }],
        })
    };
    let answer = multi(&client, &body(json!({ "films": ["colour"] }))).ok();
    assert_eq!(answer["facetDistribution"], json!({ "colour": { "blue": 20, "red": 20 } }));
    let refused = multi(&client, &body(json!({ "films": ["colour"], "books": ["colour"] })));
    assert_eq!(refused.refused(400), "invalid_multi_search_facet_order");
}

#[test]
fn each_value_shows_once_whatever_node_and_index_it_is_on() {
    let (_cluster, client) = filled();
    let body = json!({
        "federation": { "distinct": "maker", "limit": 50 },
        "queries": [{ "indexUid": "films" }, { "indexUid": "books" }],
    });
    let answer = multi(&client, &body).ok();
    let hits = answer["hits"].as_array().map_or(0, Vec::len);
    assert_eq!((hits, &answer["estimatedTotalHits"]), (20, &json!(20)), "{answer}");
    let page = json!({ "distinct": "maker", "facets": ["colour"], "page": 2, "hitsPerPage": 6 });
    let answer = client.search("films", &page).ok();
    assert_eq!((&answer["totalHits"], &answer["totalPages"]), (&json!(20), &json!(4)));
    assert_eq!(answer["facetDistribution"], json!({ "colour": { "red": 20 } }));
}

#[test]
fn hidden_attributes_are_not_named_in_errors() {
    let (_cluster, client) = filled();
    let refused = client.post("/indexes/films/facet-search").json(&json!({ "facetName": "title" })).send();
    assert_eq!(refused.refused(400), "invalid_facet_search_facet_name");
    let message = refused.body["message"].as_str().unwrap_or_default();
    assert!(message.contains("`maker, <..hidden-attributes>`"), "{message}");
}

#[test]
fn the_plan_of_a_search_is_told_before_and_after_it_was_asked() {
    let (_cluster, client) = filled();
    let plan = |question: Value| client.post("/_miroir/explain").json(&question).send().ok();
    let everybody = plan(json!({ "indexUid": "films", "search": { "q": "same", "limit": 5 } }));
    let asked = everybody["nodes"].as_array().expect("nodes");
    assert_eq!(asked.len(), 3, "{everybody}");
    assert!(
        asked.iter().all(|node| node["body"]["q"] == "same" && node.get("outcome").is_none()),
        "{everybody}"
    );

    client.put("/indexes/films/settings/filterable-attributes").json(&json!(["id"])).succeeds();
    let search = json!({ "filter": "id = 7", "showRankingScore": true });
    let owner = plan(json!({ "indexUid": "films", "search": search, "execute": true }));
    assert_eq!(owner["nodes"].as_array().map(Vec::len), Some(1), "{owner}");
    let outcome = &owner["nodes"][0]["outcome"];
    assert_eq!((&outcome["status"], &outcome["hits"]), (&json!(200), &json!(1)), "{owner}");

    let url = format!("http://{}", client.address());
    let arguments = ["explain", "films", "same", "--execute", "--gateway", &url, "--master-key", MASTER_KEY];
    let output = Command::new(PROGRAM).args(arguments).output().expect("the program runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(told.starts_with("Index films, by epoch "), "{told}");
    assert_eq!(told.matches("\n  answered after ").count(), 3, "{told}");
}

/// An index of 60 things, of which two have each maker, with these settings besides.
fn things(client: &Client, index: &str, settings: &Value) {
    client.post("/indexes").json(&json!({ "uid": index, "primaryKey": "id" })).succeeds();
    client.patch(format!("/indexes/{index}/settings")).json(settings).succeeds();
    let document = |id: usize| {
        let size = [json!(5), json!("5"), json!(9), json!("3")];
        let colour = ["Red", "red", "RED"];
        json!({ "id": id, "maker": id / 2, "kind": "k", "size": size[id % 4], "colour": colour[id % 3] })
    };
    let documents: Vec<Value> = (0..60).map(document).collect();
    client.post(format!("/indexes/{index}/documents")).json(&documents.into()).succeeds();
}

#[test]
fn facets_that_nodes_cannot_tell_are_counted_over_all_documents() {
    let cluster = cluster(PROGRAM).nodes(3).start();
    let client = cluster.client();
    let settings = json!({ "filterableAttributes": ["id", "maker", "kind", "size", "colour"] });
    things(&client, "things", &settings);
    let facets = |body: Value| client.search("things", &body).ok()["facetDistribution"].clone();
    let all = facets(json!({ "facets": ["colour", "size"] }));
    assert_eq!(all, json!({ "colour": { "Red": 60 }, "size": { "5": 15, "9": 15, "3": 15 } }));
    let some = facets(json!({ "facets": ["colour"], "filter": "id > 0", "page": 1 }));
    assert_eq!(some, json!({ "colour": { "red": 59 } }));
    let groups = client.search("things", &json!({ "distinct": "size", "page": 1 })).ok();
    assert_eq!(groups["totalHits"], 4);
}

#[test]
fn facets_are_searched_among_the_groups_of_all_nodes() {
    let cluster = cluster(PROGRAM).nodes(3).start();
    let client = cluster.client();
    let settings = json!({ "filterableAttributes": ["kind", "maker"], "distinctAttribute": "maker" });
    things(&client, "things", &settings);
    let count = |body: Value| {
        let answer = client.post("/indexes/things/facet-search").json(&body).send().ok();
        answer["facetHits"][0]["count"].clone()
    };
    // Twenty groups are looked for; what lies behind is not grouped.
    assert_eq!(count(json!({ "facetName": "kind" })), 40);
    assert_eq!(count(json!({ "facetName": "kind", "facetQuery": "k", "exhaustiveFacetCount": true })), 30);
}

#[test]
fn a_star_stands_for_what_can_be_counted() {
    let cluster = cluster(PROGRAM).nodes(3).start();
    let client = cluster.client();
    things(&client, "plain", &json!({}));
    let error = client.search("plain", &json!({ "facets": ["*"] }));
    assert_eq!((error.status, &error.body["code"]), (400, &json!("invalid_search_facets")));
    assert!(error.body["message"].as_str().is_some_and(|message| message.contains("`*`")), "{error:?}");
    let starred = json!({ "filterableAttributes": ["*"], "distinctAttribute": "maker" });
    things(&client, "starred", &starred);
    assert_eq!(client.search("starred", &json!({ "page": 1 })).ok()["totalHits"], 30);
}
