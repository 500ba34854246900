//! API keys and tenant tokens, through a running gateway.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use http::Method;
use miroir_filters::auth::key_value;
use miroir_tests::{Answer, Client, Cluster, MASTER_KEY, cluster};
use serde_json::{Value, json};
use sha2::Sha256;

const PROGRAM: &str = env!("CARGO_BIN_EXE_miroir-under-test");

/// A gateway with two small indexes.
fn filled() -> (Cluster, Client) {
    let cluster = cluster(PROGRAM).nodes(2).start();
    let client = cluster.client();
    for index in ["movies", "books"] {
        let settings = json!({ "filterableAttributes": ["owner"] });
        ended(&client, &client.patch(format!("/indexes/{index}/settings")).json(&settings).send());
        let documents: Vec<Value> =
            (0..12).map(|id| json!({ "id": id, "title": "same", "owner": format!("u{}", id % 3) })).collect();
        ended(&client, &client.post(format!("/indexes/{index}/documents")).json(&json!(documents)).send());
    }
    (cluster, client)
}

fn ended(client: &Client, answer: &Answer) -> Value {
    assert_eq!(answer.status, 202, "{}", answer.text);
    client.with_key(Some(MASTER_KEY)).ended(answer.task())
}

/// A client with a new key.
fn keyed(client: &Client, actions: &[&str], indexes: &[&str]) -> (Client, Value) {
    let asked = json!({ "actions": actions, "indexes": indexes, "expiresAt": null });
    let made = client.post("/keys").json(&asked).send();
    assert_eq!(made.status, 201, "{}", made.text);
    (client.with_key(made.body["key"].as_str()), made.body)
}

fn code(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body["code"].as_str().unwrap_or_default())
}

#[test]
fn a_key_sees_its_indexes_only() {
    let (_cluster, client) = filled();
    let (own, _) = keyed(&client, &["*"], &["mov*"]);
    assert_eq!(own.get("/indexes").send().body["results"].as_array().map(Vec::len), Some(1));
    let stats = own.get("/stats").send();
    let seen: Vec<_> = stats.body["indexes"].as_object().into_iter().flat_map(|all| all.keys()).collect();
    assert_eq!(seen, ["movies"]);
    let tasks = own.get("/tasks").send();
    let of = |task: &Value| task["indexUid"].as_str().map(str::to_owned);
    let seen: Vec<_> = tasks.body["results"].as_array().into_iter().flatten().filter_map(of).collect();
    assert_eq!(seen, ["movies", "movies"]);
    // The uids of others' tasks show nowhere.
    let place = |query: &str| {
        let page = own.get(format!("/tasks?{query}")).send().body;
        (page["results"][0]["uid"].clone(), page["from"].clone(), page["next"].clone())
    };
    assert_eq!(place("limit=3"), (json!(1), json!(1), Value::Null));
    assert_eq!(place("limit=1&indexUids=movies"), (json!(1), json!(1), json!(0)));
    assert_eq!(own.get("/tasks/0").send().status, 200);
    assert_eq!(code(&own.get("/tasks/3").send()), (404, "task_not_found"));
    for path in ["/indexes/books", "/indexes/books/documents/1", "/indexes/books/settings", "/keys", "/dumps"]
    {
        let method = if path == "/dumps" { Method::POST } else { Method::GET };
        assert_eq!(code(&own.request(method, path).send()), (403, "invalid_api_key"), "{path}");
    }
    let both = json!({ "queries": [{ "indexUid": "movies" }, { "indexUid": "books" }] });
    let refused = own.post("/multi-search").json(&both).send();
    assert_eq!(refused.body["message"], "Inside `.queries[1]`: The provided API key is invalid.");
}

#[test]
fn indexes_are_created_by_who_may_create_them() {
    let (_cluster, client) = filled();
    let (writer, _) = keyed(&client, &["documents.*", "settings.*"], &["*"]);
    let document = json!([{ "id": 1 }]);
    let refused = ended(&client, &writer.post("/indexes/music/documents").json(&document).send());
    assert_eq!(
        (&refused["status"], &refused["error"]["code"]),
        (&json!("failed"), &json!("index_not_found"))
    );
    let settings = json!(["the"]);
    let refused = ended(&client, &writer.put("/indexes/music/settings/stop-words").json(&settings).send());
    assert_eq!(refused["error"]["code"], "index_not_found");
    let (creator, _) = keyed(&client, &["documents.add", "indexes.create"], &["mu*"]);
    let made = ended(&client, &creator.post("/indexes/music/documents").json(&document).send());
    assert_eq!(made["status"], "succeeded");
    let refused = creator.post("/indexes").json(&json!({ "uid": "art" })).send();
    assert_eq!(code(&refused), (403, "invalid_api_key"));
}

#[test]
fn keys_survive_a_restart_and_end_when_they_are_deleted() {
    let (mut cluster, client) = filled();
    let (own, key) = keyed(&client, &["search"], &["movies"]);
    let all = client.get("/keys").send().body;
    cluster.gateway().terminate();
    cluster.gateway().start();
    assert_eq!(cluster.client().get("/keys").send().body, all);
    assert_eq!(own.search("movies", &json!({})).status, 200);
    let uid = key["uid"].as_str().expect("a uid");
    assert_eq!(client.delete(format!("/keys/{uid}")).send().status, 204);
    assert_eq!(code(&own.search("movies", &json!({}))), (403, "invalid_api_key"));
}

/// A client with a tenant token for the first owner's films, and all books.
fn tenant(client: &Client, key: &Value) -> Client {
    let rules = json!({ "movies": { "filter": "owner = u1" }, "books": null });
    let token = tenant_token(key, &json!({ "searchRules": rules, "apiKeyUid": key["uid"] }));
    client.with_key(Some(&token))
}

fn tenant_token(key: &Value, claims: &Value) -> String {
    let encoded = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", encoded(json!({ "alg": "HS256", "typ": "JWT" })), encoded(claims.clone()));
    let secret = key["key"].as_str().expect("a key").as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any key");
    mac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[test]
fn a_tenants_filter_goes_with_every_kind_of_search() {
    let (_cluster, client) = filled();
    let (_, key) = keyed(&client, &["search"], &["*"]);
    let tenant = tenant(&client, &key);
    let owners = |hits: &Value| -> Vec<String> {
        let hits = hits.as_array().into_iter().flatten();
        hits.map(|hit| hit["owner"].as_str().expect("an owner").to_owned()).collect()
    };
    assert_eq!(owners(&tenant.search("movies", &json!({ "q": "same" })).body["hits"]), ["u1"; 4]);
    assert_eq!(owners(&tenant.search("movies", &json!({ "filter": "owner = u2" })).body["hits"]), [""; 0]);
    assert_eq!(
        owners(&tenant.search("movies", &json!({ "filter": "owner = u2 OR owner = u1" })).body["hits"]),
        ["u1"; 4]
    );
    assert_eq!(owners(&tenant.get("/indexes/movies/search?q=same").send().body["hits"]), ["u1"; 4]);
    assert_eq!(tenant.search("books", &json!({})).body["estimatedTotalHits"], 12);
    let queries = json!([{ "indexUid": "movies" }, { "indexUid": "books", "filter": "owner = u0" }]);
    let multi = tenant.post("/multi-search").json(&json!({ "queries": queries })).send().body;
    assert_eq!(owners(&multi["results"][0]["hits"]), ["u1"; 4]);
    assert_eq!(owners(&multi["results"][1]["hits"]), ["u0"; 4]);
    let federated = json!({ "federation": {}, "queries": [{ "indexUid": "movies", "q": "same" }] });
    assert_eq!(owners(&tenant.post("/multi-search").json(&federated).send().body["hits"]), ["u1"; 4]);
    let facets = tenant.post("/indexes/movies/facet-search").json(&json!({ "facetName": "owner" })).send();
    let hits = facets.body["facetHits"].as_array().cloned().unwrap_or_default();
    let values: Vec<_> = hits.iter().map(|hit| &hit["value"]).collect();
    assert_eq!(values, ["u1"]);
}

#[test]
fn a_tenant_finds_nothing_that_is_similar_to_what_it_does_not_see() {
    let (_cluster, client) = filled();
    let (_, key) = keyed(&client, &["search"], &["movies", "books"]);
    let tenant = tenant(&client, &key);
    client.delete("/indexes/movies/documents").succeeds();
    let embedders = json!({ "embedders": { "e": { "source": "userProvided", "dimensions": 2 } } });
    client.patch("/indexes/movies/settings").json(&embedders).succeeds();
    let film =
        |id: u32, owner: &str| json!({ "id": id, "owner": owner, "_vectors": { "e": [id * id, 100] } });
    let films: Vec<Value> = (100..106).map(|id| film(id, if id % 2 == 0 { "u1" } else { "u2" })).collect();
    client.post("/indexes/movies/documents").json(&films.into()).succeeds();
    let similar = |id: u32| {
        let body = json!({ "id": id, "embedder": "e", "limit": 3 });
        tenant.post("/indexes/movies/similar").json(&body).send()
    };
    let found = similar(102).body;
    let ids: Vec<u64> =
        found["hits"].as_array().into_iter().flatten().filter_map(|hit| hit["id"].as_u64()).collect();
    assert_eq!((ids, &found["estimatedTotalHits"]), (vec![100, 104], &json!(2)), "{found}");
    assert_eq!(code(&similar(101)), (400, "not_found_similar_id"));
}

#[test]
fn a_tenant_token_does_nothing_but_search() {
    let (_cluster, client) = filled();
    let (own, key) = keyed(&client, &["*"], &["*"]);
    let tenant = tenant(&client, &key);
    assert_eq!(code(&tenant.get("/indexes/movies/documents").send()), (403, "invalid_api_key"));
    let refused = tenant.search("airports", &json!({}));
    let expected = r#"The provided tenant token cannot acces the index `airports`, allowed indexes are ["books", "movies"]."#;
    assert_eq!((refused.status, refused.body["message"].as_str()), (403, Some(expected)));
    let ended = json!({ "searchRules": ["*"], "apiKeyUid": key["uid"], "exp": 1_000_000_000 });
    let refused = client.with_key(Some(&tenant_token(&key, &ended))).search("movies", &json!({}));
    assert!(
        refused.body["message"].as_str().is_some_and(|text| text.starts_with("Tenant token expired.")),
        "{}",
        refused.text
    );
    assert_eq!(own.delete(format!("/keys/{}", key["uid"].as_str().expect("a uid"))).send().status, 204);
    assert_eq!(code(&tenant.search("movies", &json!({}))), (403, "invalid_api_key"));
}

#[test]
fn a_keys_value_follows_from_its_uid() {
    let cluster = cluster(PROGRAM).nodes(1).start();
    for key in cluster.client().get("/keys").send().body["results"].as_array().expect("keys") {
        let uid = key["uid"].as_str().expect("a uid").parse().expect("a uid");
        assert_eq!(key["key"], key_value(MASTER_KEY, uid));
    }
}
