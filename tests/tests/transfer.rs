//! Content that comes from elsewhere or goes there: dumps, imports, exports.

use std::{
    collections::BTreeMap, fs::File, io::Read, os::unix::fs::PermissionsExt, path::Path, process::Command,
};

use miroir_tests::{Client, MASTER_KEY, cluster, data, eventually, lone_node};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_miroir-under-test");

fn run(arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(arguments).output().expect("the program runs");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

fn url(client: &Client) -> String {
    format!("http://{}", client.address())
}

/// Three indexes: one with settings, one with an id that is not called so, one with vectors.
fn load(client: &Client) {
    client.post("/indexes").json(&json!({ "uid": "films", "primaryKey": "id" })).succeeds();
    let settings = json!({
        "filterableAttributes": ["genre", "year"], "stopWords": ["the"], "displayedAttributes": ["id", "title"],
    });
    client.patch("/indexes/films/settings").json(&settings).succeeds();
    client.post("/indexes/films/documents").ndjson(&data::movies()[..1_200]).succeeds();
    let embedders = json!({ "embedders": { "given": { "source": "userProvided", "dimensions": 2 } } });
    client.patch("/indexes/vectors/settings").json(&embedders).succeeds();
    let vectors = json!([
        { "id": "v", "_vectors": { "given": [0.5, 1.0] } }, { "id": "none", "_vectors": { "given": null } },
    ]);
    client.post("/indexes/vectors/documents").json(&vectors).succeeds();
    client
        .post("/indexes/books/documents")
        .json(&json!([{ "isbn_id": 1, "n": { "a": [1, null] } }]))
        .succeeds();
}

/// Everything of an index: documents by id, and settings.
fn content(client: &Client, index: &str) -> (BTreeMap<String, Value>, Value) {
    let ask = json!({ "limit": 10_000, "retrieveVectors": true });
    let page = client.post(format!("/indexes/{index}/documents/fetch")).json(&ask).send().ok();
    let key = client.get(format!("/indexes/{index}")).send().ok()["primaryKey"].clone();
    let key = key.as_str().expect("a primary key").to_owned();
    let documents = page["results"].as_array().expect("documents");
    let documents = documents.iter().map(|document| (document[&key].to_string(), document.clone())).collect();
    (documents, client.get(format!("/indexes/{index}/settings")).send().ok())
}

fn same(one: &Client, other: &Client) {
    for index in ["films", "books", "vectors"] {
        let (one, other) = (content(one, index), content(other, index));
        assert_eq!(one.0.len(), other.0.len(), "{index}");
        assert_eq!(one.0, other.0, "{index}");
        for (name, value) in one.1.as_object().expect("settings") {
            assert_eq!(Some(value), other.1.get(name).or(Some(value)), "{index} {name}");
        }
    }
}

/// The files of a dump.
fn files(dump: &Path) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(File::open(dump).expect("the dump")));
    let mut files = BTreeMap::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().trim_start_matches("./").to_owned();
        let mut text = String::new();
        if entry.header().entry_type().is_file() {
            entry.read_to_string(&mut text).expect("text");
            files.insert(path, text);
        }
    }
    files
}

#[test]
fn a_dump_is_everything_and_comes_back_over_other_nodes() {
    let from = cluster(PROGRAM).nodes(3).start();
    load(&from.client());
    let hook = json!({ "url": "http://127.0.0.1:9/", "headers": { "authorization": "Bearer of somebody" } });
    assert_eq!(from.client().post("/webhooks").json(&hook).send().status, 201);
    from.client().patch("/experimental-features").json(&json!({ "network": true })).send().ok();
    let network =
        json!({ "remotes": { "other": { "url": "http://127.0.0.1:9", "searchApiKey": "secret" } } });
    from.client().patch("/network").json(&network).send().ok();
    let task = from.client().post("/dumps").succeeds();
    let uid = task["details"]["dumpUid"].as_str().expect("its name");
    let dump = from.backup_directory().join(format!("{uid}.dump"));
    let mode = std::fs::metadata(&dump).expect("the dump").permissions().mode();
    assert_eq!(mode & 0o077, 0, "nobody else reads the embedders' keys");
    let files = files(&dump);
    assert!(files["metadata.json"].contains("\"dumpVersion\":\"V6\""));
    assert_eq!(files["indexes/films/documents.jsonl"].lines().count(), 1_200);
    assert!(!files.values().any(|text| text.contains("_miroir")));
    let manifest = std::fs::read_to_string(dump.with_extension("manifest.json")).expect("the manifest");
    let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
    assert_eq!(manifest["indexes"]["films"]["documents"], 1_200);
    assert_eq!(manifest["position"], task["uid"]);

    let to = cluster(PROGRAM).nodes(2).start();
    let file = dump.to_str().expect("text");
    for _ in 0..2 {
        run(&["restore", file, "--to", &url(&to.client()), "--to-key", MASTER_KEY]);
        same(&from.client(), &to.client());
        let hooks = to.client().get("/webhooks").send().ok();
        assert_eq!(hooks["results"].as_array().map(Vec::len), Some(1), "{hooks}");
        assert_eq!(hooks["results"][0]["url"], hook["url"]);
        assert_eq!(to.client().get("/network").send().ok()["remotes"]["other"]["searchApiKey"], "secret");
    }
}

#[test]
fn a_snapshot_takes_the_place_of_the_last_one() {
    let cluster = cluster(PROGRAM).nodes(2).start();
    let client = cluster.client();
    for documents in 1..=2 {
        client.post("/indexes/books/documents").json(&json!([{ "id": documents }])).accepted();
        assert_eq!(client.post("/snapshots").succeeds()["type"], "snapshotCreation");
        let files = files(&cluster.backup_directory().join("miroir.snapshot"));
        assert_eq!(files["indexes/books/documents.jsonl"].lines().count(), documents);
    }
}

#[test]
fn a_dump_is_what_was_there_when_its_turn_came() {
    let mut cluster = cluster(PROGRAM).nodes(2).start();
    let client = cluster.client();
    for id in 0..20 {
        client.post("/indexes/books/documents").json(&json!([{ "id": id }])).accepted();
    }
    let dump = client.post("/dumps").accepted();
    for id in 20..40 {
        client.post("/indexes/books/documents").json(&json!([{ "id": id }])).accepted();
    }
    cluster.gateway().kill();
    cluster.gateway().start();
    let task = client.ended(dump);
    assert_eq!(task["status"], "succeeded", "{task}");
    let uid = task["details"]["dumpUid"].as_str().expect("its name");
    let files = files(&cluster.backup_directory().join(format!("{uid}.dump")));
    assert_eq!(files["indexes/books/documents.jsonl"].lines().count(), 20);
    client.ended(dump + 20);
    assert_eq!(client.get("/indexes/books/stats").send().ok()["numberOfDocuments"], 40);
}

#[test]
fn a_running_server_is_taken_over_and_followed() {
    let (_node, source, _directory) = lone_node(PROGRAM);
    load(&source);
    let cluster = cluster(PROGRAM).nodes(3).start();
    let client = cluster.client();
    let state = cluster.backup_directory().with_extension("state");
    let (from, to) = (url(&source), url(&client));
    let state = state.to_str().expect("text");
    let import = || {
        let keys = ["--key", MASTER_KEY, "--to-key", MASTER_KEY];
        run(&[&["import", "--from", &from, "--to", &to, "--state", state, "--once"], &keys[..]].concat())
    };
    let said = import();
    assert!(said.contains("films: 1200 documents"), "{said}");
    same(&source, &client);

    source.delete("/indexes/films/documents/1").succeeds();
    source.put("/indexes/films/documents").json(&json!([{ "id": 2, "title": "Changed" }])).succeeds();
    source.put("/indexes/books/settings/stop-words").json(&json!(["a"])).succeeds();
    source.post("/indexes/extra/documents").json(&json!([{ "id": 1 }])).succeeds();
    let said = import();
    assert!(said.contains("films: 1199 documents, 1 deleted"), "{said}");
    same(&source, &client);
    assert_eq!(client.get("/indexes/extra/stats").send().ok()["numberOfDocuments"], 1);
    source.delete("/indexes/extra").succeeds();
    import();
    assert_eq!(client.get("/indexes/extra").send().refused(404), "index_not_found");
}

#[test]
fn an_export_sends_what_clients_put_in() {
    let (_node, target, _directory) = lone_node(PROGRAM);
    let cluster = cluster(PROGRAM).nodes(2).start();
    let client = cluster.client();
    load(&client);
    let body = json!({
        "url": url(&target), "apiKey": MASTER_KEY, "payloadSize": "100KiB",
        "indexes": { "films": { "filter": "year > 2000" }, "boo*": { "overrideSettings": true } },
    });
    let answer = client.post("/export").json(&body).send();
    assert_eq!(answer.status, 200, "{}", answer.text);
    let task = client.ended(answer.task());
    assert_eq!(task["status"], "succeeded", "{task}");
    assert_eq!(task["details"]["indexes"]["books"]["matchedDocuments"], 1);
    assert_ne!(task["details"]["apiKey"], MASTER_KEY);
    let wanted = client.search("films", &json!({ "filter": "year > 2000", "hitsPerPage": 1 })).ok();
    let stats = target.get("/indexes/films/stats").send().ok();
    assert_eq!(stats["numberOfDocuments"], wanted["totalHits"]);
    assert!(stats["fieldDistribution"].get("_miroir").is_none());
    assert_eq!(target.get("/indexes/films/settings/stop-words").send().ok(), json!(["the"]));

    let nowhere = client.post("/export").json(&json!({ "url": "ftp://nope" })).send();
    let task = eventually("the export ends", || Some(client.ended(nowhere.task())));
    assert_eq!(task["status"], "failed", "{task}");
}
