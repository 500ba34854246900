//! Answers that are given more than once, through a running gateway: as long as nothing has changed, and not a moment longer.

use std::{thread, time::Duration};

use miroir_tests::{Client, Cluster, Fault, cluster};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_miroir-under-test");

/// A gateway with these filters besides `auth`, a slow network to its nodes, and some films.
fn filled(filters: &[&str]) -> (Cluster, Client) {
    let filters: Vec<&str> = [&["auth"], filters].concat();
    let cluster = cluster(PROGRAM).nodes(2).linked().section("filters", json!(filters)).start();
    let client = cluster.client();
    let settings = json!({ "filterableAttributes": ["owner"] });
    client.patch("/indexes/films/settings").json(&settings).succeeds();
    add(&client, 0..20);
    (cluster, client)
}

fn add(client: &Client, ids: std::ops::Range<u32>) {
    let film = |id| json!({ "id": id, "title": "same", "owner": format!("u{}", id % 2) });
    let films: Vec<Value> = ids.map(film).collect();
    client.post("/indexes/films/documents").json(&json!(films)).succeeds();
}

/// Which search an answer was made for.
fn made_for(client: &Client, query: &Value) -> String {
    let answer = client.search("films", query);
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["requestUid"].as_str().expect("an id").to_owned()
}

fn found(client: &Client, query: &Value) -> u64 {
    client.search("films", query).body["estimatedTotalHits"].as_u64().expect("a number of hits")
}

#[test]
fn an_answer_is_given_again_until_a_write_is_done() {
    let (_cluster, client) = filled(&["cache"]);
    let query = json!({ "q": "same" });
    let first = made_for(&client, &query);
    assert_eq!(made_for(&client, &query), first);
    assert_ne!(made_for(&client, &json!({ "q": "sam" })), first);
    for count in 21..40 {
        add(&client, count - 1..count);
        assert_eq!(found(&client, &query), u64::from(count), "a write that is done is seen by all");
    }
    assert_ne!(made_for(&client, &query), first);

    let shown = |client: &Client| client.search("films", &query).body["hits"][0].get("owner").is_some();
    assert!(shown(&client));
    let settings = json!({ "displayedAttributes": ["id"] });
    client.patch("/indexes/films/settings").json(&settings).succeeds();
    assert!(!shown(&client), "settings that are in force are seen by all");
    client.delete("/indexes/films").succeeds();
    assert_eq!(client.search("films", &query).status, 404);
}

#[test]
fn nobody_is_given_what_is_not_theirs() {
    let (_cluster, client) = filled(&["cache", "coalesce"]);
    let key = |indexes: &[&str]| {
        let asked = json!({ "actions": ["search"], "indexes": indexes, "expiresAt": null });
        let made = client.post("/keys").json(&asked).send();
        client.with_key(made.body["key"].as_str())
    };
    let all = json!({ "queries": [{ "indexUid": "films", "q": "same" }] });
    let ask = |client: &Client| client.post("/multi-search").json(&all).send();
    assert_eq!(ask(&client).status, 200);
    let (films, films_too, books) = (key(&["films"]), key(&["films"]), key(&["books"]));
    let answer = ask(&films);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(ask(&films_too).text, answer.text, "who may see the same is given the same");
    assert_eq!(ask(&books).status, 403);
    assert_eq!(ask(&client.with_key(None)).status, 401);
}

#[test]
fn searches_at_the_same_time_are_asked_once() {
    let (cluster, client) = filled(&["coalesce"]);
    for node in 0..2 {
        cluster.link(node).set(Fault::Delay(Duration::from_millis(200)));
    }
    let query = json!({ "q": "same" });
    let ask = || made_for(&client, &query);
    let mut answers: Vec<String> = thread::scope(|scope| {
        let searches: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        searches.into_iter().map(|search| search.join().expect("an answer")).collect()
    });
    answers.sort();
    answers.dedup();
    assert!(answers.len() <= 2, "{answers:?}");
    assert!(!answers.contains(&made_for(&client, &query)), "nothing is kept");
}
