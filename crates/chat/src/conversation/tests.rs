use serde_json::{Value, json};

use super::*;

const ALL: Reports = Reports { progress: true, sources: true, append: true };

fn conversation(reports: Reports) -> Conversation {
    let request = ChatRequest::from_json(br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#);
    Conversation::new(request.unwrap(), reports, Uuid::nil)
}

fn chunk(delta: &Value, reason: Option<&str>) -> Chunk {
    let chunk = json!({
        "id": "i", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }],
    });
    Chunk::from_json(&chunk.to_string()).unwrap()
}

fn call(index: u32, id: &str, arguments: &str) -> Value {
    let name = (!id.is_empty()).then_some(SEARCH);
    let id = name.map(|_| id);
    json!({ "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
}

fn called(calls: &[Value]) -> Chunk {
    chunk(&json!({ "tool_calls": calls }), None)
}

fn ended(reason: &str) -> Chunk {
    chunk(&json!({}), Some(reason))
}

/// What an event for the client's program says, and by which tool.
fn told(event: &str) -> (String, Value) {
    let event: Value = serde_json::from_str(event).unwrap();
    let function = &event["choices"][0]["delta"]["tool_calls"][0]["function"];
    let argument = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
    (function["name"].as_str().unwrap().to_owned(), argument)
}

fn messages(conversation: &mut Conversation) -> Value {
    serde_json::from_slice::<Value>(&conversation.ask()).unwrap()["messages"].take()
}

#[test]
fn words_are_handed_on_until_the_model_stops() {
    let mut talk = conversation(Reports::default());
    talk.ask();
    let words = chunk(&json!({ "content": "a" }), None);
    assert_eq!(talk.take(words.clone()), Ok(Step::Send(words.to_json())));
    // An empty list of calls is none.
    assert!(matches!(
        talk.take(chunk(&json!({ "content": "a", "tool_calls": [] }), None)),
        Ok(Step::Send(_))
    ));
    assert!(matches!(talk.take(ended("stop")), Ok(Step::Send(_))));
    assert_eq!(talk.end(), Step::Over);
}

#[test]
fn what_has_no_choices_ends_an_answer_or_begins_it() {
    let mut talk = conversation(Reports::default());
    talk.ask();
    let empty = || Chunk::from_json(r#"{"id":"","object":"","created":0,"model":"","choices":[]}"#).unwrap();
    assert_eq!(talk.take(empty()), Ok(Step::Wait));
    talk.take(ended("stop")).unwrap();
    assert_eq!(talk.take(empty()), Ok(Step::Over));
}

#[test]
fn calls_come_in_pieces_and_are_answered_in_their_order() {
    let mut talk = conversation(ALL);
    talk.ask();
    assert_eq!(talk.take(called(&[call(1, "b", "{\"index_uid\":")])), Ok(Step::Wait));
    assert_eq!(talk.take(called(&[call(0, "a", "{\"index_uid\":\"films\",\"q\":\"x\"}")])), Ok(Step::Wait));
    assert_eq!(talk.take(called(&[call(1, "", "\"books\"}")])), Ok(Step::Wait));
    let Ok(Step::Search(calls)) = talk.take(ended("tool_calls")) else { panic!("the calls are whole") };
    assert_eq!(calls.iter().map(|call| call.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let search = calls[0].search().unwrap();
    assert_eq!((search.index_uid.as_str(), search.q.as_deref(), search.filter), ("films", Some("x"), None));

    let events: Vec<_> = talk.begin(&calls[0]).iter().map(|event| told(event)).collect();
    let arguments = "{\"index_uid\":\"films\",\"q\":\"x\"}";
    let message = json!({
        "role": "assistant",
        "tool_calls": [{ "id": "a", "type": "function", "function": { "name": SEARCH, "arguments": arguments } }],
    });
    let progress = json!({ "call_id": "a", "function_name": SEARCH, "function_arguments": arguments });
    assert_eq!(events, [(PROGRESS.to_owned(), progress), (APPEND.to_owned(), message)]);

    let documents = vec![RawValue::from_string("{\"id\":1}".to_owned()).unwrap()];
    let events = talk.finish(&calls[0], Outcome::Found { documents, text: "one".to_owned() }).unwrap();
    let events: Vec<_> = events.iter().map(|event| told(event)).collect();
    let answer = json!({ "role": "tool", "content": "one", "tool_call_id": "a" });
    assert_eq!(events[0], (SOURCES.to_owned(), json!({ "call_id": "a", "sources": [{ "id": 1 }] })));
    assert_eq!(events[1], (APPEND.to_owned(), answer.clone()));

    talk.finish(&calls[1], Outcome::Unfit("no".to_owned())).unwrap();
    assert_eq!(talk.end(), Step::Again);
    let messages = messages(&mut talk);
    assert_eq!(messages[1]["tool_calls"].as_array().map(Vec::len), Some(2));
    assert_eq!((&messages[2], &messages[3]["content"]), (&answer, &json!("no")));
}

#[test]
fn calls_in_the_last_piece_are_answered_too() {
    let mut talk = conversation(Reports::default());
    talk.ask();
    let last = chunk(&json!({ "tool_calls": [call(0, "a", "{}")] }), Some("tool_calls"));
    assert_eq!(talk.take(last), Ok(Step::Wait));
    let Step::Search(calls) = talk.end() else { panic!("there is a call") };
    assert!(talk.begin(&calls[0]).is_empty());
    assert_eq!(calls[0].search(), Err("missing field `index_uid` at line 1 column 2".to_owned()));
    talk.finish(&calls[0], Outcome::Unfit(String::new())).unwrap();
    assert_eq!(talk.end(), Step::Again);
}

#[test]
fn a_failed_search_is_told_to_both() {
    let mut talk = conversation(ALL);
    talk.ask();
    talk.take(called(&[call(0, "a", "{}")])).unwrap();
    let Ok(Step::Search(calls)) = talk.take(ended("tool_calls")) else { panic!("there is a call") };
    let error = ResponseError::index_not_found("films");
    let events = talk.finish(&calls[0], Outcome::Failed(error)).unwrap();
    let text = "the search tool call failed with Index `films` not found.";
    assert_eq!(told(&events[0]).1, json!({ "role": "tool", "content": text, "tool_call_id": "a" }));
    let event: Value = serde_json::from_str(&events[1]).unwrap();
    assert_eq!((events.len(), &event["error"]["code"]), (2, &json!("404")));
}

#[test]
fn unknown_functions_are_said_to_be_that() {
    let mut talk = conversation(Reports::default());
    talk.ask();
    let weather = json!({ "index": 0, "id": "a", "function": { "name": "weather", "arguments": "" } });
    talk.take(called(&[weather, json!({ "index": 1 })])).unwrap();
    let Ok(Step::Search(calls)) = talk.take(ended("tool_calls")) else { panic!("there are calls") };
    assert_eq!(calls[0].search(), Err("There is no function `weather`.".to_owned()));
    assert_eq!(
        (calls[1].id.as_str(), calls[1].search().is_err()),
        ("00000000-0000-0000-0000-000000000000", true)
    );
}

#[test]
fn a_model_is_not_asked_for_ever() {
    let mut talk = conversation(Reports::default());
    for round in 1..=ROUNDS {
        talk.ask();
        talk.take(called(&[call(0, "a", "{}")])).unwrap();
        assert!(matches!(talk.take(ended("tool_calls")), Ok(Step::Search(_))));
        let expected = if round < ROUNDS { Step::Again } else { Step::Over };
        assert_eq!(talk.end(), expected, "round {round}");
    }
}

#[test]
fn memory_is_bounded() {
    let mut talk = conversation(Reports::default());
    let long = "a".repeat(MOST_ARGUMENTS / 2 + 1);
    talk.take(called(&[call(0, "a", &long)])).unwrap();
    assert!(talk.take(called(&[call(0, "", &long)])).is_err());
    let mut talk = conversation(Reports::default());
    let calls: Vec<Value> = (0..=128).map(|index| call(index, "a", "")).collect();
    assert!(talk.take(called(&calls)).is_err());
    let mut talk = conversation(Reports::default());
    let found = || Outcome::Unfit("a".repeat(MOST_FOUND / 2 + 1));
    assert!(talk.finish(&ToolCall::default(), found()).is_ok());
    assert!(talk.finish(&ToolCall::default(), found()).is_err());
}
