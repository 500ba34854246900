//! Chats, through a running gateway, with a model whose words are known beforehand.

mod one_node;
mod rights;

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use miroir_tests::{
    Answer, Client, Cluster, MASTER_KEY, cluster,
    model::{Model, Reply, piece, searches, words},
};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_miroir-under-test");
const PATH: &str = "/chats/cinema/chat/completions";
const SECRET: &str = "key-of-the-model";

/// A gateway with a few films, and a workspace whose model is this one.
fn filled(model: &Model) -> (Cluster, Client) {
    let cluster = cluster(PROGRAM).nodes(3).start();
    let client = cluster.client();
    fill(&client, model);
    (cluster, client)
}

fn fill(client: &Client, model: &Model) {
    client.patch("/experimental-features").json(&json!({ "chatCompletions": true })).send().ok();
    let template = "{{ doc.title }} ({{ doc.year }}) {{ doc.secret }}";
    let settings = json!({
        "filterableAttributes": ["genre", "year", "owner"],
        "sortableAttributes": ["year"],
        "displayedAttributes": ["title", "id", "year"],
        "chat": {
            "description": "all films",
            "documentTemplate": template,
            "searchParameters": { "limit": 3, "sort": ["year:desc"] },
        },
    });
    client.patch("/indexes/films/settings").json(&settings).succeeds();
    let films: Vec<Value> = (0..12)
        .map(|id| {
            json!({
                "id": id, "title": format!("star {id}"), "year": 1990 + id, "secret": format!("s{id}"),
                "genre": if id % 3 == 0 { "drama" } else { "comedy" }, "owner": if id % 3 == 1 { "u1" } else { "u0" },
            })
        })
        .collect();
    client.post("/indexes/films/documents").json(&json!(films)).succeeds();
    client.post("/indexes/books/documents").json(&json!([{ "id": 1, "title": "none" }])).succeeds();
    let workspace = json!({ "source": "vLlm", "baseUrl": model.url(), "apiKey": SECRET });
    let shown = client.patch("/chats/cinema/settings").json(&workspace).send().ok();
    assert_eq!(shown["apiKey"], "keXXXX...");
}

/// A question of a client whose program declares these tools.
fn question(tools: &[&str]) -> Value {
    let tools: Vec<Value> =
        tools.iter().map(|name| json!({ "type": "function", "function": { "name": name } })).collect();
    let messages = json!([{ "role": "user", "content": "Which stars are there?" }]);
    json!({ "model": "test-1", "stream": true, "messages": messages, "tools": tools })
}

const ALL: [&str; 3] = ["_meiliSearchProgress", "_meiliSearchSources", "_meiliAppendConversationMessage"];

/// The events of a stream, which has to begin and to end as one.
fn events(answer: &Answer) -> Vec<Value> {
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"), "{}", answer.text);
    assert!(!answer.text.contains(SECRET), "{}", answer.text);
    let text = answer.text.strip_prefix("retry: 10000\n\n").expect("when to come back");
    let text = text.strip_suffix("data: [DONE]\n\n").expect("an end");
    let event = |text: &str| serde_json::from_str(text.strip_prefix("data: ").expect("data")).expect("JSON");
    text.split_terminator("\n\n").map(event).collect()
}

fn ask(client: &Client, question: &Value) -> Vec<Value> {
    events(&client.post(PATH).json(question).send())
}

/// What a client's program is told: by which tool, and what.
fn told(event: &Value) -> (&str, Value) {
    let function = &event["choices"][0]["delta"]["tool_calls"][0]["function"];
    let argument = function["arguments"].as_str().unwrap_or_else(|| panic!("nothing is told: {event}"));
    (function["name"].as_str().expect("a name"), serde_json::from_str(argument).expect("JSON"))
}

fn films(words: &str, filter: &str) -> Value {
    json!({ "index_uid": "films", "q": words, "filter": filter })
}

#[test]
fn a_model_searches_over_all_nodes_and_the_client_hears_of_it() {
    let model = Model::start();
    let (_cluster, client) = filled(&model);
    let search = films("star", "genre = drama");
    model.will([Reply::Stream(searches(&[("call-1", &search)])), Reply::Stream(words(&["Four", " stars"]))]);
    let events = ask(&client, &question(&ALL));
    let tools: Vec<_> = events[..4].iter().map(|event| told(event).0).collect();
    assert_eq!(tools, [ALL[0], ALL[2], ALL[1], ALL[2]]);
    let progress = json!({
        "call_id": "call-1", "function_name": "_meiliSearchInIndex", "function_arguments": search.to_string(),
    });
    assert_eq!(told(&events[0]).1, progress);
    let found: Vec<Value> =
        [9, 6, 3].map(|id| json!({ "title": format!("star {id}"), "id": id, "year": 1990 + id })).into();
    assert_eq!(told(&events[2]).1, json!({ "call_id": "call-1", "sources": found }));
    let text = "star 9 (1999) s9\nstar 6 (1996) s6\nstar 3 (1993) s3";
    let answer = json!({ "role": "tool", "content": text, "tool_call_id": "call-1" });
    assert_eq!(told(&events[3]).1, answer);
    let said: String =
        events[4..].iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!((said.as_str(), events.len()), ("Four stars", 8));
    assert_eq!(events[5]["choices"][0]["delta"]["refusal"], Value::Null);

    let asked = model.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].head.starts_with("post /v1/chat/completions http/1.1\r\n"), "{}", asked[0].head);
    assert!(asked[0].head.contains(&format!("authorization: bearer {SECRET}\r\n")));
    let [tool] = asked[0].body["tools"].as_array().expect("tools").as_slice() else { panic!("one tool") };
    let function = &tool["function"];
    let (description, parameters) = (function["description"].as_str(), &function["parameters"]["properties"]);
    assert!(description.is_some_and(|text| text.ends_with("\n\n - books: \n\n\n\n - films: all films\n\n")));
    assert_eq!(parameters["index_uid"]["enum"], json!(["books", "films"]));
    let filter = parameters["filter"]["description"].as_str().expect("a description");
    assert!(
        filter.contains(
            "## Facet distributions of the films index\ngenre: comedy, drama.\nowner: u0, u1.\nyear: "
        ),
        "{filter}"
    );
    assert_eq!(asked[0].body["messages"][0]["role"], "system");
    assert_eq!(asked[1].body["messages"][2]["tool_calls"][0]["id"], "call-1");
    assert_eq!(asked[1].body["messages"][3], answer);
}

#[test]
fn several_searches_at_once_are_all_answered() {
    let model = Model::start();
    let (_cluster, client) = filled(&model);
    let (one, other) = (films("", "year = 1995"), films("star", ""));
    model.will([
        Reply::Stream(searches(&[("a", &one), ("b", &other)])),
        Reply::Stream(searches(&[("c", &one)])),
        Reply::Stream(words(&["done"])),
    ]);
    let events = ask(&client, &question(&[ALL[1]]));
    let sources: Vec<usize> =
        events[..3].iter().map(|event| told(event).1["sources"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(sources, [1, 3, 1]);
    let asked = model.asked();
    let roles: Vec<_> = asked[2].body["messages"].as_array().expect("messages").iter().collect();
    let roles: Vec<_> = roles.iter().filter_map(|message| message["role"].as_str()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "tool", "assistant", "tool"]);
}

#[test]
fn what_is_wrong_with_a_search_is_told_to_the_model() {
    let model = Model::start();
    let (_cluster, client) = filled(&model);
    let unfit = films("", "title = x");
    let garbled = films("", "year = = 1");
    let unknown = json!({ "index_uid": "nothing", "q": "", "filter": "" });
    let nonsense = json!("{\"q\": ");
    model.will([
        Reply::Stream(searches(&[("a", &unfit), ("b", &unknown), ("c", &nonsense), ("d", &garbled)])),
        Reply::Stream(words(&["sorry"])),
    ]);
    let events = ask(&client, &question(&[ALL[1]]));
    assert_eq!(told(&events[0]).1, json!({ "call_id": "a", "sources": [] }));
    let errors: Vec<_> = events.iter().filter(|event| event["type"] == "error").collect();
    let codes: Vec<_> = errors.iter().map(|event| &event["error"]["code"]).collect();
    assert_eq!(codes, ["404", "400"]);
    assert_eq!(errors[0]["error"]["message"], "Index `nothing` not found.");
    let asked = model.asked();
    let texts: Vec<_> =
        (3..7).filter_map(|place| asked[1].body["messages"][place]["content"].as_str()).collect();
    assert!(texts[0].starts_with("Attribute `title` is not filterable."), "{texts:?}");
    assert_eq!(texts[1], "the search tool call failed with Index `nothing` not found.");
    assert_eq!(texts[2], "EOF while parsing a value at line 1 column 6");
    assert!(texts[3].starts_with("the search tool call failed with Index `films`: "), "{texts:?}");
}

#[test]
fn a_model_that_fails_ends_the_stream_with_its_error() {
    let model = Model::start();
    let (_cluster, client) = filled(&model);
    let error = |reply: Reply| {
        model.will([reply]);
        let mut events = ask(&client, &question(&[]));
        let event = events.pop().expect("an event");
        assert_eq!(event["type"], "error", "{event}");
        assert!(event["event_id"].is_string());
        (events.len(), event["error"].clone())
    };
    let refusal = json!({ "error": {
        "message": format!("Incorrect API key provided: {SECRET}."), "type": "invalid_request_error",
        "param": null, "code": "invalid_api_key",
    }});
    let (before, refused) = error(Reply::Refusal(401, refusal));
    let expected = json!({
        "type": "invalid_request_error", "code": "invalid_api_key",
        "message": "Incorrect API key provided: XXX....", "param": null, "event_id": null,
    });
    assert_eq!((before, refused), (0, expected));
    assert_eq!(error(Reply::Refusal(502, json!("bad gateway"))).1["type"], "reqwest_error");
    let start = || vec![piece(&json!({ "content": "a" }), None)];
    let (before, broken) = error(Reply::Broken(start()));
    assert_eq!((before, &broken["type"]), (1, &json!("transport_error")));
    assert_eq!(error(Reply::Raw("data: [1]\n\n".to_owned())).1["type"], "json_deserialize_error");
    assert_eq!(error(Reply::Raw(String::new())).1["type"], "stream_ended");

    let nowhere = json!({ "source": "vLlm", "baseUrl": "http://127.0.0.1:1/v1" });
    client.patch("/chats/cinema/settings").json(&nowhere).send().ok();
    let unreachable = ask(&client, &question(&[])).pop().expect("an event");
    assert_eq!(unreachable["error"]["type"], "transport_error");
    let message = "error sending request for url (http://127.0.0.1:1/v1/chat/completions)";
    assert_eq!(unreachable["error"]["message"], message);
}

#[test]
fn what_meilisearch_does_not_do_is_refused() {
    let model = Model::start();
    let cluster = cluster(PROGRAM).nodes(1).start();
    let client = cluster.client();
    let refused =
        |question: &Value, status| client.post(PATH).json(question).send().refused(status).to_owned();
    assert_eq!(refused(&json!({}), 400), "bad_request");
    assert_eq!(refused(&question(&[]), 400), "feature_not_enabled");
    client.patch("/experimental-features").json(&json!({ "chatCompletions": true })).send().ok();
    assert_eq!(refused(&question(&[]), 404), "chat_not_found");
    let workspace = json!({ "source": "vLlm", "baseUrl": model.url() });
    client.patch("/chats/cinema/settings").json(&workspace).send().ok();
    let with = |name: &str, value: Value| {
        let mut question = question(&[]);
        question[name] = value;
        question
    };
    assert_eq!(refused(&with("n", json!(2)), 501), "unimplemented_multi_choice_chat_completions");
    assert_eq!(refused(&with("stream", json!(false)), 501), "unimplemented_non_streaming_chat_completions");
    assert_eq!(refused(&question(&["weather"]), 501), "unimplemented_external_function_calling");
    assert_eq!(refused(&question(&["_meiliSearchInIndex"]), 400), "bad_request");
    assert!(model.asked().is_empty());
}

#[test]
fn a_client_that_leaves_takes_the_model_with_it() {
    let model = Model::start();
    let (_cluster, client) = filled(&model);
    model.will([Reply::Silent(vec![piece(&json!({ "content": "well" }), None)])]);
    let mut stream = TcpStream::connect(client.address()).expect("connected");
    let body = question(&[]).to_string();
    write!(
        stream,
        "POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {MASTER_KEY}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let (mut said, mut piece) = (String::new(), [0; 4096]);
    while !said.contains("well") {
        let length = stream.read(&mut piece).expect("the stream goes on");
        assert_ne!(length, 0, "{said}");
        said.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    drop(stream);
    model.wait_until_left();
    assert_eq!(client.get("/health").send().status, 200);
}

#[test]
fn tokens_and_searches_are_counted() {
    let model = Model::start();
    let (_cluster, client) = filled(&model);
    client.patch("/experimental-features").json(&json!({ "metrics": true })).send().ok();
    let mut last = words(&["done"]);
    let mut usage = piece(&json!({}), None);
    usage["choices"] = json!([]);
    usage["usage"] = json!({ "prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12 });
    last.push(usage);
    model.will([Reply::Stream(searches(&[("a", &films("star", ""))])), Reply::Stream(last)]);
    ask(&client, &question(&[]));
    let metrics = client.get("/metrics").send().text;
    for line in [
        "meilisearch_chat_searches_total{type=\"internal\"} 1",
        "meilisearch_chat_tokens_total{workspace=\"cinema\",model=\"test-1\"} 12",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in\n{metrics}");
    }
}
