//! What a model gets at, by the key and the token of the client.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use miroir_tests::{
    Client,
    model::{Model, Reply, searches, words},
};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{ALL, PATH, ask, filled, films, question, told};

pub(crate) fn key(client: &Client, actions: &[&str], indexes: &[&str]) -> Value {
    let asked = json!({ "actions": actions, "indexes": indexes, "expiresAt": null });
    client.post("/keys").json(&asked).send().ok()
}

pub(crate) fn tenant_token(key: &Value, rules: &Value) -> String {
    let encoded = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let claims = json!({ "searchRules": rules, "apiKeyUid": key["uid"] });
    let message = format!("{}.{}", encoded(json!({ "alg": "HS256", "typ": "JWT" })), encoded(claims));
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key["key"].as_str().expect("a key").as_bytes()).expect("any");
    mac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[test]
fn a_model_finds_what_the_client_may_see() {
    let model = Model::start();
    let (_cluster, client) = filled(&model);
    let search = || Reply::Stream(searches(&[("a", &films("star", ""))]));
    let last = || Reply::Stream(words(&["done"]));
    let as_key = |key: &Value| client.with_key(key["key"].as_str());
    let refused = as_key(&key(&client, &["search"], &["*"])).post(PATH).json(&question(&[])).send();
    assert_eq!(refused.refused(403), "invalid_api_key");
    assert_eq!(client.with_key(None).post(PATH).json(&question(&[])).send().status, 401);

    // A key that may chat, but not search.
    model.will([search(), last()]);
    let events = ask(&as_key(&key(&client, &["chatCompletions"], &["*"])), &question(&[ALL[1]]));
    assert_eq!(events[0]["error"]["code"], "403");
    assert_eq!(events[0]["error"]["message"], "The provided API key is invalid.");

    // A key for other indexes: the model does not hear of the films, and does not get at them.
    model.asked();
    model.will([search(), last()]);
    let events = ask(&as_key(&key(&client, &["chatCompletions", "search"], &["b*"])), &question(&[ALL[1]]));
    let message = "The API key cannot acces the index `films`, authorized indexes are [\"b*\"].";
    assert_eq!(events[0]["error"]["message"], message);
    let properties = &model.asked()[0].body["tools"][0]["function"]["parameters"]["properties"];
    assert_eq!(properties["index_uid"]["enum"], json!(["books"]));

    // A tenant: its own films only, in what is found and in what is counted.
    let chat = key(&client, &["chatCompletions", "search"], &["*"]);
    let rules = json!({ "films": { "filter": "owner = u1" } });
    let tenant = client.with_key(Some(&tenant_token(&chat, &rules)));
    model.will([search(), last()]);
    let events = ask(&tenant, &question(&[ALL[1]]));
    let sources = told(&events[0]).1["sources"].take();
    let ids: Vec<_> = sources.as_array().expect("sources").iter().map(|film| film["id"].clone()).collect();
    assert_eq!(ids, [10, 7, 4]);
    let properties = model.asked()[0].body["tools"][0]["function"]["parameters"]["properties"].take();
    assert_eq!(properties["index_uid"]["enum"], json!(["films"]));
    let filter = properties["filter"]["description"].as_str().expect("a description");
    assert!(filter.contains("owner: u1.\n"), "{filter}");
}
