//! What clients see when something is not as it should be: nodes away, requests broken off, keys wrong.

use std::{fs, io::Write, net::TcpStream};

use miroir_tests::{Client, Cluster, MASTER_KEY, cluster, data, eventually, lone_node};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_miroir-under-test");
/// Documents of most tests here: enough that every node has many.
const FILMS: usize = 300;

fn load(client: &Client, films: &[&str]) {
    client.post("/indexes").json(&json!({ "uid": "films", "primaryKey": "id" })).succeeds();
    let settings = json!({ "filterableAttributes": ["genre", "year"], "sortableAttributes": ["year"] });
    client.patch("/indexes/films/settings").json(&settings).succeeds();
    client.post("/indexes/films/documents").ndjson(films).succeeds();
}

fn loaded(films: &[&str]) -> Cluster {
    let cluster = cluster(PROGRAM).nodes(3).start();
    load(&cluster.client(), films);
    cluster
}

/// Some searches, which touch every part of an answer.
fn searches() -> Vec<Value> {
    vec![
        json!({ "hitsPerPage": 1_000 }),
        json!({ "q": "love" }),
        json!({ "q": "the", "sort": ["year:desc"], "facets": ["genre", "year"] }),
        json!({ "filter": "year > 1995 AND genre = Drama", "limit": 100 }),
        json!({ "q": "star wars", "showRankingScore": true, "attributesToHighlight": ["*"] }),
    ]
}

/// The answers to them, without what is never the same twice.
fn answers(client: &Client) -> Vec<Value> {
    let answer = |query: &Value| {
        let mut answer = client.search("films", query).ok();
        for name in ["processingTimeMs", "requestUid"] {
            answer.as_object_mut().expect("an answer is an object").remove(name);
        }
        answer
    };
    searches().iter().map(answer).collect()
}

fn count(client: &Client) -> u64 {
    client.get("/indexes/films/stats").send().ok()["numberOfDocuments"].as_u64().expect("a number")
}

#[test]
fn a_node_that_is_down_is_never_silent() {
    let mut cluster = loaded(&data::movies()[..FILMS]);
    let client = cluster.client();
    let before = answers(&client);
    cluster.nodes()[1].stop();

    for query in searches() {
        assert_eq!(client.search("films", &query).refused(503), "miroir_shard_unavailable");
    }
    let listing = client.get("/indexes/films/documents").send();
    assert_eq!(listing.refused(503), "miroir_shard_unavailable");

    let partial = client
        .post("/indexes/films/search")
        .header("miroir-partial", "allow")
        .json(&json!({ "hitsPerPage": 1_000 }))
        .send();
    assert!(!partial.header("miroir-missing-shards").is_empty());
    let body = partial.ok();
    let missing = body["missingShards"].as_array().expect("the missing shards are named").len();
    assert!((1..256).contains(&missing), "{missing} shards are missing");
    let found = body["hits"].as_array().expect("hits").len();
    assert!((1..FILMS).contains(&found), "{found} films are found");

    cluster.nodes()[1].start();
    eventually("the node is asked again", || {
        (client.search("films", &json!({})).status == 200).then_some(())
    });
    assert_eq!(answers(&client), before);
}

#[test]
fn writes_wait_for_a_node_that_is_down() {
    let films = data::movies();
    let mut cluster = loaded(&films[..FILMS]);
    let client = cluster.client();
    cluster.nodes()[2].stop();

    let added = client.post("/indexes/films/documents").ndjson(&films[FILMS..2 * FILMS]).accepted();
    let deleted = client.delete("/indexes/films/documents/1").accepted();
    let waiting = client.get(format!("/tasks/{added}")).send().ok();
    assert!(matches!(waiting["status"].as_str(), Some("enqueued" | "processing")), "{waiting}");
    // A restart of the gateway does not make it forget them.
    cluster.gateway().kill();
    cluster.gateway().start();

    cluster.nodes()[2].start();
    for task in [added, deleted] {
        assert_eq!(client.ended(task)["status"], "succeeded");
    }
    assert_eq!(count(&client), 2 * FILMS as u64 - 1);
    assert_eq!(client.get("/indexes/films/documents/1").send().refused(404), "document_not_found");
}

#[test]
fn a_second_group_hides_the_loss_of_a_node() {
    let films = data::movies();
    let mut cluster = cluster(PROGRAM).nodes(3).groups(2).start();
    let client = cluster.client();
    load(&client, &films[..FILMS]);
    let before = answers(&client);
    for node in [0, 4] {
        cluster.nodes()[node].stop();
        for _ in 0..3 {
            assert_eq!(answers(&client), before);
        }
        // Nobody waits for it.
        let id = 100_000 + node;
        client.post("/indexes/films/documents").json(&json!([{ "id": id, "title": "New" }])).succeeds();
        assert_eq!(client.get(format!("/indexes/films/documents/{id}")).send().ok()["title"], "New");
        client.delete(format!("/indexes/films/documents/{id}")).succeeds();
        cluster.nodes()[node].start();
        // The next one may go when this one has caught up.
        cluster.wait_until_applied();
        assert_eq!(answers(&client), before);
    }
}

#[test]
fn the_reserved_field_is_refused_and_nothing_is_added() {
    let cluster = loaded(&data::movies()[..10]);
    let client = cluster.client();
    let request = client.post("/indexes/films/documents");
    let answer = request.json(&json!([{ "id": 900, "title": "A" }, { "id": 901, "_miroir": 1 }])).send();
    if answer.status == 202 {
        let task = client.ended(answer.task());
        assert_eq!(task["status"], "failed", "{task}");
        assert_eq!(task["error"]["code"], "miroir_reserved_field", "{task}");
    } else {
        assert_eq!(answer.refused(400), "miroir_reserved_field");
    }
    assert_eq!(count(&client), 10);
}

#[test]
fn one_bad_document_keeps_all_of_its_request_out() {
    let cluster = loaded(&data::movies()[..10]);
    let client = cluster.client();
    let documents = json!([{ "id": 900 }, { "id": "not an id" }, { "id": 901 }]);
    let task = client.post("/indexes/films/documents").json(&documents).ended();
    assert_eq!(task["status"], "failed");
    assert_eq!(task["error"]["code"], "invalid_document_id");
    assert_eq!(count(&client), 10);
}

#[test]
fn a_body_that_breaks_off_leaves_nothing() {
    let cluster = loaded(&data::movies()[..10]);
    let client = cluster.client();
    let tasks = client.get("/tasks").send().ok()["total"].clone();
    for framing in ["Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5000\r\n"] {
        let mut stream = TcpStream::connect(client.address()).expect("the gateway listens");
        let head = format!(
            "POST /indexes/films/documents HTTP/1.1\r\nHost: miroir\r\nAuthorization: Bearer {MASTER_KEY}\r\n\
             Content-Type: application/x-ndjson\r\n{framing}"
        );
        stream.write_all(head.as_bytes()).expect("the head is sent");
        stream.write_all(data::movies()[10..40].join("\n").as_bytes()).expect("half the body is sent");
        drop(stream);
    }
    eventually("the payloads are gone", || {
        let payloads = fs::read_dir(cluster.log_directory().join("payloads")).expect("the spool is there");
        let left = payloads
            .filter_map(Result::ok)
            .filter(|file| file.path().extension().is_some_and(|extension| extension != "lock"));
        (left.count() == 0).then_some(())
    });
    assert_eq!(client.get("/tasks").send().ok()["total"], tasks);
    assert_eq!(count(&client), 10);
}

#[test]
fn what_cannot_be_taken_is_refused_before_it_is_logged() {
    let cluster = cluster(PROGRAM).nodes(1).section("log", json!({ "max_payload": "20KB" })).start();
    let client = cluster.client();
    load(&client, &data::movies()[..10]);
    let tasks = client.get("/tasks").send().ok()["total"].clone();
    let post = || client.post("/indexes/films/documents");
    let json_body = |request: miroir_tests::Request| request.header("content-type", "application/json");

    assert_eq!(post().ndjson(&data::movies()).send().refused(413), "payload_too_large");
    assert_eq!(json_body(post()).body("[{").send().refused(400), "malformed_payload");
    assert_eq!(json_body(post()).send().refused(400), "missing_payload");
    assert_eq!(post().body("[]").send().refused(415), "missing_content_type");
    let xml = post().header("content-type", "text/xml").body("<a/>").send();
    assert_eq!(xml.refused(415), "invalid_content_type");
    let packed = json_body(post()).header("content-encoding", "rot13").body("[]").send();
    assert!((400..500).contains(&packed.status), "{}", packed.text);
    let broken = json_body(post()).header("content-encoding", "gzip").body("no gzip").send();
    assert!((400..500).contains(&broken.status), "{}", broken.text);
    for answer in [packed, broken] {
        assert!(answer.body["code"].is_string() && answer.body["message"].is_string(), "{}", answer.text);
    }

    assert_eq!(client.get("/tasks").send().ok()["total"], tasks);
    assert_eq!(count(&client), 10);
}

#[test]
fn only_the_key_opens() {
    let cluster = loaded(&data::movies()[..10]);
    let client = cluster.client();
    let tasks = client.get("/tasks").send().ok()["total"].clone();
    let (wrong, missing) = (client.with_key(Some("wrong")), client.with_key(None));
    for path in ["/indexes", "/indexes/films/search?q=a", "/tasks", "/stats", "/version"] {
        assert_eq!(wrong.get(path).send().refused(403), "invalid_api_key", "{path}");
        assert_eq!(missing.get(path).send().refused(401), "missing_authorization_header", "{path}");
    }
    let films = json!([{ "id": 900 }]);
    let add = |client: &Client| client.post("/indexes/films/documents").json(&films).send();
    assert_eq!(add(&wrong).refused(403), "invalid_api_key");
    assert_eq!(add(&missing).refused(401), "missing_authorization_header");
    assert_eq!(missing.get("/health").send().ok(), json!({ "status": "available" }));
    assert_eq!(client.get("/tasks").send().ok()["total"], tasks);
}

/// Requests whose answers could show the internal field, or let it be used.
fn curious() -> Vec<(&'static str, Option<Value>)> {
    let search = |body: Value| ("/indexes/films/search", Some(body));
    let fetch = |body: Value| ("/indexes/films/documents/fetch", Some(body));
    vec![
        search(json!({ "attributesToRetrieve": ["*"], "attributesToHighlight": ["*"], "limit": 50 })),
        search(json!({ "q": "love", "showMatchesPosition": true, "attributesToCrop": ["*"] })),
        search(json!({ "facets": ["*"] })),
        search(json!({ "showRankingScoreDetails": true, "sort": ["year:asc"] })),
        search(json!({ "attributesToRetrieve": ["_miroir"] })),
        search(json!({ "attributesToRetrieve": ["_miroir.n", "id"], "attributesToHighlight": ["_miroir"] })),
        search(json!({ "filter": "nope = 1" })),
        search(json!({ "sort": ["nope:asc"] })),
        search(json!({ "facets": ["nope"] })),
        search(json!({ "distinct": "nope" })),
        search(json!({ "attributesToSearchOn": ["nope"], "q": "a" })),
        search(json!({ "q": ";;:,!" })),
        search(json!({ "q": "_miroir" })),
        fetch(json!({})),
        fetch(json!({ "fields": ["_miroir"] })),
        fetch(json!({ "fields": ["*"], "sort": ["year:asc"] })),
        fetch(json!({ "filter": "nope = 1" })),
        fetch(json!({ "sort": ["nope:asc"] })),
        ("/indexes/films/documents", None),
        ("/indexes/films/documents?fields=_miroir", None),
        ("/indexes/films/documents/1", None),
        ("/indexes/films/documents/1?fields=_miroir", None),
        ("/indexes/films/stats", None),
        ("/indexes/films/settings", None),
        ("/indexes/films/settings/filterable-attributes", None),
        ("/indexes/films/settings/displayed-attributes", None),
        ("/stats", None),
    ]
}

#[test]
fn the_internal_field_appears_nowhere() {
    let cluster = loaded(&data::movies()[..FILMS]);
    let client = cluster.client();
    for (path, body) in curious() {
        let answer = ask(&client, path, body.as_ref());
        let shown = answer.to_string();
        // The query is given back as it was sent.
        let asked = body.as_ref().is_some_and(|body| body["q"] == "_miroir");
        assert!(asked || !shown.contains("_miroir"), "{path} {body:?}: {shown}");
        assert!(!shown.contains(";;") || shown.contains("\"query\":\";;:,!\""), "{path}: {shown}");
    }
    for task in client.get("/tasks").send().ok()["results"].as_array().expect("tasks") {
        assert!(!task.to_string().contains("_miroir"), "{task}");
    }
}

/// Naming the internal field is naming an attribute that no document has and no setting allows.
#[test]
fn the_internal_field_cannot_be_used() {
    let cluster = loaded(&data::movies()[..FILMS]);
    let gateway = cluster.client();
    let (_node, alone, _directory) = lone_node(PROGRAM);
    load(&alone, &data::movies()[..FILMS]);
    let search = |body: Value| ("/indexes/films/search", Some(body));
    let fetch = |body: Value| ("/indexes/films/documents/fetch", Some(body));
    let uses = [
        search(json!({ "filter": "_miroir.s = '!'" })),
        search(json!({ "filter": "_miroir.s EXISTS" })),
        search(json!({ "filter": "_miroir EXISTS" })),
        search(json!({ "filter": [["year = 1990", "_miroir.s != x"]] })),
        search(json!({ "facets": ["_miroir.s"] })),
        search(json!({ "facets": ["_miroir"] })),
        search(json!({ "distinct": "_miroir.s" })),
        search(json!({ "sort": ["_miroir.n:asc"] })),
        search(json!({ "q": "a", "attributesToSearchOn": ["_miroir.s"] })),
        search(json!({ "attributesToRetrieve": ["_miroir"], "limit": 3 })),
        fetch(json!({ "filter": "_miroir.s EXISTS" })),
        fetch(json!({ "sort": ["_miroir.n:asc"] })),
        fetch(json!({ "fields": ["_miroir"], "limit": 3 })),
    ];
    let mut differing = Vec::new();
    for (path, body) in uses {
        let (expected, got) = (ask(&alone, path, body.as_ref()), ask(&gateway, path, body.as_ref()));
        if expected != got {
            differing.push(format!("{path} {body:?}\n  one node: {expected}\n  gateway:  {got}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

fn ask(client: &Client, path: &str, body: Option<&Value>) -> Value {
    let mut answer = match body {
        Some(body) => client.post(path).json(body).send(),
        None => client.get(path).send(),
    };
    if let Some(members) = answer.body.as_object_mut() {
        members.retain(|name, _| !["processingTimeMs", "requestUid"].contains(&name.as_str()));
    }
    json!([answer.status, answer.body])
}
