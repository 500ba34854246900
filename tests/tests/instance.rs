//! What is asked of the instance as a whole: features, metrics, messages, the network.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
};

use http::Method;
use miroir_tests::{Client, MASTER_KEY, cluster, data};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_miroir-under-test");

fn switch(client: &Client, features: &Value) -> Value {
    client.patch("/experimental-features").json(features).send().ok()
}

#[test]
fn features_are_told_to_every_node_and_outlive_the_gateway() {
    let mut cluster = cluster(PROGRAM).nodes(2).start();
    let client = cluster.client();
    client.patch("/indexes/films/settings").json(&json!({ "filterableAttributes": ["director"] })).succeeds();
    client.post("/indexes/films/documents").ndjson(&data::movies()[..100]).succeeds();
    let search = json!({ "filter": "director CONTAINS berg" });
    assert_eq!(client.search("films", &search).refused(400), "feature_not_enabled");

    assert_eq!(switch(&client, &json!({ "containsFilter": true }))["containsFilter"], true);
    client.search("films", &search).ok();
    for node in cluster.nodes() {
        assert_eq!(node.client().get("/experimental-features").send().ok()["containsFilter"], true);
    }
    cluster.gateway().kill();
    cluster.gateway().start();
    assert_eq!(client.get("/experimental-features").send().ok()["containsFilter"], true);
    client.search("films", &search).ok();
}

#[test]
fn a_node_that_was_away_is_told_the_features_when_it_is_back() {
    let mut cluster = cluster(PROGRAM).nodes(2).start();
    let client = cluster.client();
    cluster.nodes()[1].stop();
    switch(&client, &json!({ "containsFilter": true }));
    cluster.nodes()[1].start();
    miroir_tests::eventually("the node has the feature", || {
        let features = cluster.nodes()[1].client().get("/experimental-features").send().ok();
        (features["containsFilter"] == true).then_some(())
    });
}

#[test]
fn settings_of_features_are_refused_while_they_are_off() {
    let cluster = cluster(PROGRAM).nodes(1).start();
    let client = cluster.client();
    client.post("/indexes").json(&json!({ "uid": "films" })).succeeds();
    let chat = json!({ "description": "films" });
    let change = || client.patch("/indexes/films/settings/chat").json(&chat);
    assert_eq!(change().send().refused(400), "feature_not_enabled");
    assert!(client.get("/indexes/films/settings").send().ok().get("chat").is_none());
    switch(&client, &json!({ "chatCompletions": true }));
    assert!(client.get("/indexes/films/settings").send().ok().get("chat").is_some());
}

#[test]
fn metrics_are_those_of_the_whole() {
    let cluster = cluster(PROGRAM).nodes(2).start();
    let client = cluster.client();
    assert_eq!(client.get("/metrics").send().refused(400), "feature_not_enabled");
    client.post("/indexes/films/documents").ndjson(&data::movies()[..100]).succeeds();
    switch(&client, &json!({ "metrics": true }));
    let answer = client.get("/metrics").send();
    assert_eq!(answer.status, 200);
    for line in [
        "meilisearch_index_count 1",
        "meilisearch_index_docs_count{index=\"films\"} 100",
        "meilisearch_nb_tasks{kind=\"statuses\",value=\"succeeded\"} 1",
        "# TYPE meilisearch_db_size_bytes gauge",
    ] {
        assert!(answer.text.lines().any(|found| found == line), "{line} in\n{}", answer.text);
    }
    assert!(answer.text.contains("miroir_http_requests_total"));
}

#[test]
fn messages_are_streamed_to_one_client_at_a_time() {
    let cluster = cluster(PROGRAM).nodes(1).start();
    let client = cluster.client();
    let wanted = json!({ "target": "miroir=info", "mode": "json" });
    assert_eq!(client.post("/logs/stream").json(&wanted).send().refused(400), "feature_not_enabled");
    switch(&client, &json!({ "logsRoute": true }));
    let none = client.post("/logs/stream").json(&json!({ "target": "" })).send();
    assert_eq!(none.refused(400), "bad_request");

    let stream = TcpStream::connect(client.address()).expect("connected");
    let body = wanted.to_string();
    write!(
        &stream,
        "POST /logs/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {MASTER_KEY}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut lines = BufReader::new(&stream).lines();
    assert!(lines.next().expect("a line").expect("text").starts_with("HTTP/1.1 200"));
    client.get("/indexes/nothing-here").send();
    let about = lines.map_while(Result::ok).find(|line| line.contains("/indexes/nothing-here"));
    assert!(about.expect("a message").starts_with('{'));
    assert_eq!(client.post("/logs/stream").json(&wanted).send().refused(400), "bad_request");
    assert_eq!(client.delete("/logs/stream").send().status, 204);
    assert_eq!(client.post("/logs/stderr").json(&json!({ "target": "info" })).send().status, 204);
}

#[test]
fn a_network_is_written_down_and_changes_nothing_of_the_fleet() {
    let mut cluster = cluster(PROGRAM).nodes(1).start();
    let client = cluster.client();
    assert_eq!(client.get("/network").send().refused(400), "feature_not_enabled");
    switch(&client, &json!({ "network": true }));
    assert_eq!(client.get("/network").send().ok()["remotes"], json!({}));
    let leader = client.patch("/network").json(&json!({ "leader": "me" })).send();
    assert_eq!(leader.refused(451), "requires_enterprise_edition");
    let network = json!({ "self": "me", "remotes": { "me": { "url": "http://localhost:7700" } } });
    let changed = client.patch("/network").json(&network).send().ok();
    assert_eq!(changed["remotes"]["me"]["status"], "available");
    cluster.gateway().kill();
    cluster.gateway().start();
    assert_eq!(client.get("/network").send().ok(), changed);
    client.post("/indexes/films/documents").json(&json!([{ "id": 1 }])).succeeds();
    let search = |remote: &str| {
        let query = json!({ "indexUid": "films", "federationOptions": { "remote": remote } });
        client.post("/multi-search").json(&json!({ "federation": {}, "queries": [query] })).send()
    };
    let found = search("me").ok();
    assert_eq!(
        (&found["hits"][0]["_federation"]["remote"], &found["remoteErrors"]),
        (&json!("me"), &json!({}))
    );
    assert_eq!(search("ghost").refused(400), "invalid_multi_search_remote");
    assert_eq!(
        client.post("/network/control").json(&json!({})).send().refused(451),
        "requires_enterprise_edition"
    );
}

#[test]
fn sizes_are_shown_as_asked_for() {
    let cluster = cluster(PROGRAM).nodes(2).start();
    let client = cluster.client();
    client.post("/indexes/films/documents").ndjson(&data::movies()[..100]).succeeds();
    let plain = client.get("/indexes/films/stats").send().ok();
    assert!(plain["rawDocumentDbSize"].is_u64() && plain.get("internalDatabaseSizes").is_none());
    let query = "sizeFormat=human&showInternalDatabaseSizes=true";
    let everything = client.get(format!("/stats?{query}")).send().ok();
    let index = client.get(format!("/indexes/films/stats?{query}")).send().ok();
    let mut sizes = vec![&everything["databaseSize"], &index["rawDocumentDbSize"]];
    if !nodes_are_embedded() {
        sizes.push(&index["internalDatabaseSizes"]["documents"]);
        sizes.push(&everything["indexes"]["films"]["internalDatabaseSizes"]["documents"]);
    }
    for size in sizes {
        assert!(size.as_str().is_some_and(|text| text.ends_with('B')), "{size} in {everything} and {index}");
    }
    let wrong = client.get("/indexes/films/stats?sizeFormat=big").send();
    assert_eq!(wrong.refused(400), "invalid_stats_size_format");
}

#[test]
fn the_store_of_tasks_is_compacted() {
    let cluster = cluster(PROGRAM).nodes(1).start();
    let client = cluster.client();
    let compact = || client.post("/tasks/compact").send();
    assert_eq!(compact().refused(400), "feature_not_enabled");
    switch(&client, &json!({ "taskQueueCompactionRoute": true }));
    let summary = compact().ok();
    assert_eq!(summary["status"], "succeeded");
    assert!(summary["preSize"].is_string() && summary["postSize"].is_string());
    client.post("/indexes").json(&json!({ "uid": "films" })).succeeds();
}

#[test]
fn a_head_is_not_a_get() {
    let cluster = cluster(PROGRAM).nodes(1).start();
    let client = cluster.client();
    assert_eq!(client.request(Method::HEAD, "/health").send().status, 405);
}

/// The embedded node is of a version without rules and without rendering.
fn nodes_are_embedded() -> bool {
    std::env::var_os("MEILISEARCH_BIN").is_none()
}

#[test]
fn pinned_documents_take_their_places_over_all_nodes() {
    let mut cluster = cluster(PROGRAM).nodes(3).start();
    let client = cluster.client();
    let rule = json!({
        "conditions": { "query": { "words": "star" } },
        "actions": [
            { "selector": { "indexUid": "films", "id": "4" }, "action": { "type": "pin", "position": 0 } },
            { "selector": { "id": "6" }, "action": { "type": "pin", "position": 2 } },
        ],
    });
    let put = || client.patch("/dynamic-search-rules/stars").json(&rule);
    assert_eq!(put().send().refused(400), "feature_not_enabled");
    switch(&client, &json!({ "dynamicSearchRules": true }));
    if nodes_are_embedded() {
        assert_eq!(put().send().refused(501), "miroir_not_supported");
        return;
    }
    let titles = ["star wars", "star trek", "star gate", "a star", "the star", "nothing"];
    let films: Vec<Value> =
        (1..).zip(titles).map(|(id, title)| json!({ "id": id, "title": title })).collect();
    client.post("/indexes/films/documents").json(&json!(films)).succeeds();
    let task = put().succeeds();
    assert_eq!((&task["type"], &task["details"]["updatedRules"]), (&json!("dsrUpdate"), &json!(1)));

    let found = |search: Value| -> Vec<Value> {
        let answer = client.search("films", &search).ok();
        answer["hits"].as_array().expect("hits").iter().map(|hit| hit["id"].clone()).collect()
    };
    assert_eq!(found(json!({ "q": "star" })), [4, 1, 6, 2, 3, 5]);
    assert_eq!(found(json!({ "q": "star", "offset": 1, "limit": 2 })), [1, 6]);
    assert_eq!(found(json!({ "q": "gate" })), [3]);

    let listed = client.post("/dynamic-search-rules").json(&json!({})).send().ok();
    assert_eq!((&listed["total"], &listed["results"][0]["uid"]), (&json!(1), &json!("stars")));
    cluster.gateway().kill();
    cluster.gateway().start();
    let kept = client.get("/dynamic-search-rules/stars").send().ok();
    assert_eq!(kept["actions"], rule["actions"]);
    assert_eq!(found(json!({ "q": "star" })), [4, 1, 6, 2, 3, 5]);

    client.delete("/dynamic-search-rules/stars").succeeds();
    assert_eq!(found(json!({ "q": "star" })), [1, 2, 3, 4, 5]);
    let gone = client.get("/dynamic-search-rules/stars").send();
    assert_eq!(gone.refused(404), "dynamic_search_rule_not_found");
}

#[test]
fn templates_are_rendered_on_documents_of_any_node() {
    let cluster = cluster(PROGRAM).nodes(3).start();
    let client = cluster.client();
    let render = |template: &str, input: Value| {
        let template = json!({ "kind": "inlineDocumentTemplate", "inline": template });
        client.post("/render-template").json(&json!({ "template": template, "input": input })).send()
    };
    let inline = json!({ "kind": "inlineDocument", "inline": { "title": "Jaws" } });
    assert_eq!(render("{{doc.title}}", inline.clone()).refused(400), "feature_not_enabled");
    switch(&client, &json!({ "renderRoute": true }));
    if nodes_are_embedded() {
        assert_eq!(render("{{doc.title}}", inline).refused(501), "miroir_not_supported");
        return;
    }
    assert_eq!(render("{{doc.title}}!", inline).ok()["rendered"], "Jaws!");
    let films =
        json!([{ "id": 1, "title": "Jaws" }, { "id": 2, "title": "Alien" }, { "id": 3, "title": "Brazil" }]);
    client.post("/indexes/films/documents").json(&films).succeeds();
    let stored = |id: &str| json!({ "kind": "indexDocument", "indexUid": "films", "id": id });
    for (id, title) in [("1", "Jaws"), ("2", "Alien"), ("3", "Brazil")] {
        assert_eq!(render("{{doc.title}}", stored(id)).ok()["rendered"], title);
        let all = "{% for field in fields %}{{ field.name }}={{ field.value }};{% endfor %}";
        let rendered = render(all, stored(id)).ok();
        assert_eq!(
            (&rendered["template"], &rendered["rendered"]),
            (&json!(all), &json!(format!("id={id};title={title};")))
        );
    }
    assert_eq!(render("{{doc.title}}", stored("9")).refused(404), "render_document_not_found");
}

#[test]
fn web_pages_of_any_origin_are_let_in() {
    let cluster = cluster(PROGRAM).nodes(1).start();
    let client = cluster.client().with_key(None);
    let preflight = client
        .request(Method::OPTIONS, "/indexes/films/search")
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
        .send();
    assert_eq!((preflight.status, preflight.text.as_str()), (200, ""));
    assert_eq!(preflight.header("access-control-allow-origin"), "*");
    assert_eq!(preflight.header("access-control-allow-headers"), "authorization,content-type");
    assert_eq!(preflight.header("access-control-max-age"), "86400");
    let refused = client.get("/indexes").header("origin", "https://shop.example").send();
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, "*"));
}

#[test]
fn requests_are_taken_and_refused_where_meilisearch_does() {
    let cluster = cluster(PROGRAM).nodes(2).start();
    let client = cluster.client();
    assert_eq!(client.get("/").send().ok()["status"], "Meilisearch is running");
    assert_eq!(client.post("/").send().status, 405);

    client.post("/indexes?unknown=1").json(&json!({ "uid": "films" })).succeeds();
    assert_eq!(client.get("/batches/0").send().ok()["details"], json!({}));
    client.post("/indexes/films/documents").json(&json!([{ "id": 1 }, { "id": 2 }])).succeeds();
    let found = client.search("films", &json!({ "facets": [] })).ok();
    assert!(found.get("facetDistribution").is_none(), "{found}");
    assert_eq!(client.get("/indexes/films/search?filter=null").send().refused(400), "invalid_search_filter");
    assert_eq!(client.post("/indexes/a%20b/fields").json(&json!({})).send().refused(404), "index_not_found");

    let delete =
        |filter: &str| client.post("/indexes/films/documents/delete").json(&json!({ "filter": filter }));
    assert_eq!(delete("title =").send().refused(400), "invalid_document_filter");
    assert_eq!(delete("title = a").ended()["status"], "failed");
    let ids = json!([1, { "a": 1 }, null]);
    let task = client.post("/indexes/films/documents/delete-batch").json(&ids).succeeds();
    assert_eq!(task["details"]["deletedDocuments"], 1, "{task}");
}
