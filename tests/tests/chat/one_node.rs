//! What the gateway answers against what one real node does, for the same words of the model. Only where `MEILISEARCH_BIN` names
//! a Meilisearch: embedded nodes have no completions.

use miroir_tests::{
    Client, lone_node,
    model::{Model, Reply, piece, searches, words},
};
use serde_json::{Value, json};

use super::{
    ALL, PATH, SECRET, fill, filled, films, question,
    rights::{key, tenant_token},
};

/// A client asks; the model answers so. What comes back and what the model was asked, a line each.
fn said(client: &Client, model: &Model, question: &Value, replies: &[Reply]) -> Vec<String> {
    model.will(replies.to_vec());
    let answer = client.post(PATH).json(question).send();
    let mut lines = vec![answer.status.to_string()];
    for name in ["content-type", "content-encoding", "cache-control", "x-accel-buffering"] {
        lines.push(format!("{name}: {}", answer.header(name)));
    }
    lines.extend(answer.text.split_terminator("\n\n").map(|event| {
        let data = event.strip_prefix("data: ").unwrap_or(event);
        serde_json::from_str(data).map_or_else(|_| data.to_owned(), |event| masked(event).to_string())
    }));
    model.forget();
    lines.extend(model.asked().into_iter().map(|asked| asked.body.to_string()));
    lines
}

/// An event without what is random in it.
fn masked(mut event: Value) -> Value {
    if event["event_id"].is_string() {
        event["event_id"] = json!("any");
    }
    if let Some(id) = event.pointer_mut("/choices/0/delta/tool_calls/0/id") {
        *id = json!("any");
    }
    event
}

/// Conversations, each with a name.
fn conversations() -> Vec<(&'static str, Value, Vec<Reply>)> {
    let all = || question(&ALL);
    let last = || Reply::Stream(words(&["Four", " stars"]));
    let search = |call: &Value| vec![Reply::Stream(searches(&[("call-1", call)])), last()];
    let refusal = json!({ "error": { "message": "no", "type": "t", "param": "p", "code": "c" } });
    let parts = json!({ "content": [{ "type": "text", "text": "a" }, { "type": "reference" }] });
    let log = json!([{ "token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": [] }]);
    let mut logged = piece(&json!({ "content": "a", "refusal": "b" }), Some("length"));
    logged["choices"][0]["logprobs"] = json!({ "content": log, "refusal": null });
    logged["usage"] = json!({ "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3 });
    let mut several = all();
    several["n"] = json!(2);
    let mut whole = all();
    whole["stream"] = json!(false);
    vec![
        ("words", all(), vec![last()]),
        ("a search", all(), search(&films("star", "genre = drama"))),
        ("a search without reports", question(&[]), search(&films("", ""))),
        ("nothing is found", all(), search(&films("nothing", ""))),
        ("a garbled filter", all(), search(&films("", "year = = 1"))),
        ("an unknown index", all(), search(&json!({ "index_uid": "nothing" }))),
        ("no index", all(), search(&json!({ "q": "a" }))),
        ("no JSON", all(), search(&json!("{\"q\": "))),
        ("nothing but the index", all(), search(&json!({ "index_uid": "films" }))),
        ("another index", all(), search(&json!({ "index_uid": "books", "q": "none", "filter": "" }))),
        ("a refusal", all(), vec![Reply::Refusal(401, refusal)]),
        ("a refusal without JSON", all(), vec![Reply::Refusal(502, json!("bad gateway"))]),
        (
            "words in parts",
            all(),
            vec![Reply::Stream(vec![piece(&parts, None), piece(&json!({}), Some("stop"))])],
        ),
        ("everything there is", all(), vec![Reply::Stream(vec![logged])]),
        ("several answers", several, vec![]),
        ("no stream", whole, vec![]),
        ("another tool", question(&["weather"]), vec![]),
        ("the tool itself", question(&["_meiliSearchInIndex"]), vec![]),
        ("no messages", json!({ "model": "m" }), vec![]),
        (
            "a strange message",
            json!({ "model": "m", "messages": [{ "role": "user", "content": 1 }] }),
            vec![],
        ),
        ("a strange role", json!({ "model": "m", "messages": [{ "role": "robot" }] }), vec![]),
        ("a strange tool", json!({ "model": "m", "messages": [], "tools": [{}] }), vec![]),
    ]
}

/// Streams that do not end as they should. Meilisearch asks once more after each of them, when nobody listens any more, so
/// each is one of a model of its own.
fn unruly() -> [(&'static str, Reply); 5] {
    let start = vec![piece(&json!({ "content": "a" }), None)];
    [
        ("a broken stream", Reply::Broken(start)),
        ("an empty event", Reply::Raw("data: \n\n: a\n\n".to_owned())),
        ("no end", Reply::Raw(String::new())),
        ("no chunk", Reply::Raw("data: [1]\n\n".to_owned())),
        ("no choices", Reply::Raw("data: {\"id\":\"a\"}\n\n".to_owned())),
    ]
}

/// One node and the gateway, asked the same.
struct Pair {
    alone: Client,
    gateway: Client,
    differing: Vec<String>,
}

impl Pair {
    fn both(&self) -> [&Client; 2] {
        [&self.alone, &self.gateway]
    }

    /// Gives the workspace these settings; both show the same.
    fn workspace(&self, settings: &Value) {
        let change = |client: &Client| client.patch("/chats/cinema/settings").json(settings).send().ok();
        assert_eq!(change(&self.alone), change(&self.gateway));
    }

    /// The same question to both, which are `own` clients of one kind.
    fn compare(&mut self, model: &Model, name: &str, own: [&Client; 2], question: &Value, replies: &[Reply]) {
        let [one, other] = own.map(|client| said(client, model, question, replies));
        let line = |lines: &[String], place: usize| lines.get(place).cloned().unwrap_or_default();
        let pairs = (0..one.len().max(other.len())).map(|place| (line(&one, place), line(&other, place)));
        for (one, other) in pairs.filter(|(one, other)| one != other) {
            self.differing.push(format!("{name}\n one node:    {one}\n the gateway: {other}"));
        }
    }

    /// As [`Pair::compare`], by everybody's client.
    fn ask(&mut self, model: &Model, name: &str, question: &Value, replies: &[Reply]) {
        let (alone, gateway) = (self.alone.clone(), self.gateway.clone());
        self.compare(model, name, [&alone, &gateway], question, replies);
    }
}

fn a_search() -> Vec<Reply> {
    let calls = searches(&[("call-1", &films("star", ""))]);
    vec![Reply::Stream(calls), Reply::Stream(words(&["done"]))]
}

#[test]
fn streams_are_those_of_one_node() {
    if std::env::var_os("MEILISEARCH_BIN").is_none() {
        return;
    }
    let model = Model::start();
    let (_node, alone, _directory) = lone_node(crate::PROGRAM);
    fill(&alone, &model);
    let (_cluster, gateway) = filled(&model);
    let mut pair = Pair { alone, gateway, differing: Vec::new() };
    for (name, question, replies) in conversations() {
        pair.ask(&model, name, &question, &replies);
    }
    rights(&mut pair, &model);
    settings(&mut pair, &model);
    sources(&mut pair, &model);
    for (name, reply) in unruly() {
        let model = Model::start();
        pair.workspace(&json!({ "source": "vLlm", "baseUrl": model.url() }));
        pair.ask(&model, name, &question(&ALL), &[reply]);
    }
    assert!(pair.differing.is_empty(), "{}", pair.differing.join("\n\n"));
}

fn rights(pair: &mut Pair, model: &Model) {
    for (actions, indexes) in [
        (&["chatCompletions"][..], &["*"][..]),
        (&["chatCompletions", "search"], &["b*"]),
        (&["search"], &["*"]),
    ] {
        let own = pair.both().map(|client| client.with_key(key(client, actions, indexes)["key"].as_str()));
        let name = format!("a key for {actions:?} in {indexes:?}");
        pair.compare(model, &name, own.each_ref(), &question(&ALL), &a_search());
    }
    let rules = json!({ "films": { "filter": "owner = u1" } });
    let own = pair.both().map(|client| {
        let key = key(client, &["chatCompletions", "search"], &["*"]);
        client.with_key(Some(&tenant_token(&key, &rules)))
    });
    pair.compare(model, "a tenant", own.each_ref(), &question(&ALL), &a_search());
}

fn settings(pair: &mut Pair, model: &Model) {
    for (name, change) in [
        ("a template that asks for too much", json!({ "documentTemplate": "{{ doc.nothing }}" })),
        ("the default template", json!({ "documentTemplate": null })),
        ("a short text", json!({ "documentTemplate": "{{ doc.title }}", "documentTemplateMaxBytes": 3 })),
        ("a wrong sort", json!({ "searchParameters": { "sort": ["title:asc"] } })),
        ("a wrong way to sort", json!({ "searchParameters": { "sort": ["year"] } })),
        (
            "an unknown embedder",
            json!({ "searchParameters": { "sort": null, "hybrid": { "embedder": "x" } } }),
        ),
        ("distinct", json!({ "searchParameters": { "hybrid": null, "distinct": "genre" } })),
    ] {
        for client in pair.both() {
            client.patch("/indexes/films/settings/chat").json(&change).succeeds();
        }
        pair.ask(model, name, &question(&ALL), &a_search());
    }
}

fn sources(pair: &mut Pair, model: &Model) {
    pair.workspace(&json!({ "source": "openAi" }));
    pair.ask(model, "a newer model of OpenAI's", &question(&ALL), &a_search());
    pair.workspace(&json!({ "source": "mistral", "prompts": { "system": "be kind" } }));
    pair.ask(model, "a model of Mistral's", &question(&ALL), &a_search());
    let flat = json!({ "object": "error", "message": "no", "type": "t", "param": null, "code": "c" });
    pair.ask(model, "a refusal of Mistral's", &question(&[]), &[Reply::Refusal(429, flat)]);
    pair.workspace(&json!({ "source": "openAi", "baseUrl": "http://127.0.0.1:1/v1", "apiKey": SECRET }));
    pair.ask(model, "nowhere", &question(&[]), &[]);
}
