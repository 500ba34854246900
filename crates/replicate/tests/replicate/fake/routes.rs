//! The routes of a node.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Response, StatusCode, Uri};
use http_body_util::Full;
use serde_json::{Value, json};

use super::{
    Index, Op,
    queue::{State, Task, matches},
    text,
};

/// What a request is answered.
pub(crate) type Answer = Result<Response<Full<Bytes>>, Dropped>;

/// The connection is dropped instead of an answer.
#[derive(Debug)]
pub(crate) struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dropped on purpose")
    }
}

impl std::error::Error for Dropped {}

/// Answers a request at once. What it changes is queued.
pub(crate) fn answer(state: &mut State, method: &Method, uri: &Uri, body: &Bytes) -> Answer {
    let query: BTreeMap<String, String> = uri.query().map(pairs).unwrap_or_default();
    let path: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
    match (method, path.as_slice()) {
        (&Method::GET, ["tasks"]) => Ok(tasks(state, &query)),
        (&Method::GET, ["tasks", uid]) => Ok(task(state, uid)),
        (&Method::GET, ["indexes", uid, "stats"]) => {
            Ok(of_index(state, uid, |index| json!({ "numberOfDocuments": index.documents.len() })))
        }
        (&Method::GET, ["indexes", uid, "settings"]) => {
            Ok(of_index(state, uid, |index| Value::Object(index.settings.clone())))
        }
        (&Method::GET, ["indexes"]) => {
            let listed =
                |(uid, index): (&String, &Index)| json!({ "uid": uid, "primaryKey": index.primary_key });
            let results: Vec<Value> = state.indexes.iter().map(listed).collect();
            Ok(json_answer(StatusCode::OK, json!({ "results": results })))
        }
        (&Method::POST, ["indexes", uid, "documents", "fetch"]) => Ok(fetch(state, uid, body)),
        (&Method::GET, _) => Ok(json_answer(StatusCode::OK, json!({ "status": "available" }))),
        (method, path) => write(state, method, path, &query, body),
    }
}

fn write(
    state: &mut State,
    method: &Method,
    path: &[&str],
    query: &BTreeMap<String, String>,
    body: &Bytes,
) -> Answer {
    if state.drop_before > 0 {
        state.drop_before -= 1;
        return Err(Dropped);
    }
    if state.refuses_key {
        return Ok(refusal(StatusCode::FORBIDDEN, "invalid_api_key", "The provided API key is invalid."));
    }
    let is_of_documents = path.get(2) == Some(&"documents");
    let metadata = query.get("customMetadata").cloned();
    if metadata.is_some() && !is_of_documents {
        panic!("{method} {path:?} takes no metadata");
    }
    if metadata.is_some() && !state.takes_tags {
        let text = "Unknown parameter `customMetadata`: expected one of `primaryKey`";
        return Ok(refusal(StatusCode::BAD_REQUEST, "bad_request", text));
    }
    let (index, op) = operation(method, path, query, body);
    let uid = state.enqueue(index, op, metadata);
    if state.drop_after > 0 {
        state.drop_after -= 1;
        return Err(Dropped);
    }
    Ok(json_answer(StatusCode::ACCEPTED, json!({ "taskUid": uid, "status": "enqueued" })))
}

fn operation(method: &Method, path: &[&str], query: &BTreeMap<String, String>, body: &Bytes) -> (String, Op) {
    let json = || serde_json::from_slice::<Value>(body).expect("a body of JSON");
    let string = |value: &Value| value.as_str().map(str::to_owned);
    let op = match (method.as_str(), path) {
        ("POST", ["indexes"]) => {
            let body = json();
            let op = Op::Create { primary_key: string(&body["primaryKey"]) };
            return (string(&body["uid"]).expect("a uid"), op);
        }
        ("POST", ["swap-indexes"]) => {
            let names = json()[0]["indexes"].clone();
            let name = |place: usize| string(&names[place]).expect("a uid");
            return (name(0), Op::Swap(name(1)));
        }
        ("DELETE", ["indexes", _]) => Op::Delete,
        ("PATCH", ["indexes", _]) => {
            let body = json();
            Op::Update { primary_key: string(&body["primaryKey"]), uid: string(&body["uid"]) }
        }
        ("PATCH", ["indexes", _, "settings"]) => Op::Settings(json()),
        ("DELETE", ["indexes", _, "settings"]) => Op::ResetSettings,
        ("POST" | "PUT", ["indexes", _, "documents"]) => Op::Put {
            documents: lines(body),
            merge: method == Method::PUT,
            skip: query.get("skipCreation").is_some_and(|skip| skip == "true"),
            primary_key: query.get("primaryKey").cloned(),
        },
        ("POST", ["indexes", _, "documents", "delete-batch"]) => {
            Op::DeleteIds(json().as_array().expect("ids").iter().map(text).collect())
        }
        ("POST", ["indexes", _, "documents", "delete"]) => Op::DeleteWhere(json()["filter"].clone()),
        ("DELETE", ["indexes", _, "documents"]) => Op::Clear,
        ("POST", ["indexes", _, "documents", "edit"]) => {
            let body = json();
            let keeps =
                body["function"].as_str().is_some_and(|function| function.contains("doc = miroir_kept"));
            let filter = body["filter"].clone();
            if keeps { Op::Rehearse(filter) } else { Op::Edit(filter, mark(&body["function"])) }
        }
        other => panic!("unknown route {other:?}"),
    };
    (path[1].to_owned(), op)
}

/// The mark by which a function leaves documents alone.
fn mark(function: &Value) -> Option<String> {
    let marked = function.as_str()?.strip_prefix("if doc._miroir?.e == \"")?;
    marked.split_once('"').map(|(mark, _)| mark.to_owned())
}

fn lines(body: &Bytes) -> Vec<serde_json::Map<String, Value>> {
    serde_json::Deserializer::from_slice(body).into_iter().map(|line| line.expect("a document")).collect()
}

/// Looking at single tasks lets the queue move; the list does not.
fn tasks(state: &mut State, query: &BTreeMap<String, String>) -> Response<Full<Bytes>> {
    let number = |name: &str| query.get(name).map(|text| text.parse::<u32>().expect("a number"));
    if let Some(uids) = query.get("uids") {
        if state.works_when_asked {
            state.work();
        }
        let uids: Vec<u32> = uids.split(',').map(|uid| uid.parse().expect("a uid")).collect();
        let found = state.tasks.iter().rev().filter(|task| uids.contains(&task.uid));
        return json_answer(StatusCode::OK, json!({ "results": found.map(view).collect::<Vec<_>>() }));
    }
    // Small pages, so that there is more than one.
    let limit = number("limit").unwrap_or(20).min(7) as usize;
    let from = number("from").unwrap_or(u32::MAX);
    let asked = |name: &str, value: &str| {
        query.get(name).is_none_or(|values| values.split(',').any(|asked| asked == value))
    };
    let is_asked =
        |task: &&Task| task.uid <= from && asked("statuses", status(task)) && asked("types", kind(task));
    let mut found = state.tasks.iter().rev().filter(is_asked);
    let results: Vec<Value> = found.by_ref().take(limit).map(view).collect();
    let next = found.next().map(|task| task.uid);
    json_answer(StatusCode::OK, json!({ "results": results, "next": next }))
}

fn task(state: &State, uid: &str) -> Response<Full<Bytes>> {
    match state.tasks.iter().find(|task| task.uid.to_string() == uid) {
        Some(task) => json_answer(StatusCode::OK, view(task)),
        None => refusal(StatusCode::NOT_FOUND, "task_not_found", "not found"),
    }
}

fn of_index(state: &State, uid: &str, view: impl FnOnce(&Index) -> Value) -> Response<Full<Bytes>> {
    match state.indexes.get(uid) {
        Some(index) => json_answer(StatusCode::OK, view(index)),
        None => refusal(StatusCode::NOT_FOUND, "index_not_found", "not found"),
    }
}

fn status(task: &Task) -> &'static str {
    match &task.outcome {
        None => "enqueued",
        Some(Ok(_)) => "succeeded",
        Some(Err(_)) => "failed",
    }
}

fn kind(task: &Task) -> &'static str {
    match &task.op {
        Op::Create { .. } => "indexCreation",
        Op::Delete => "indexDeletion",
        Op::Update { .. } => "indexUpdate",
        Op::Settings(_) | Op::ResetSettings => "settingsUpdate",
        Op::Put { .. } => "documentAdditionOrUpdate",
        Op::DeleteIds(_) | Op::DeleteWhere(_) | Op::Clear => "documentDeletion",
        Op::Edit(..) | Op::Rehearse(_) => "documentEdition",
        Op::Swap(_) => "indexSwap",
    }
}

fn view(task: &Task) -> Value {
    let details = task.outcome.as_ref().and_then(|outcome| outcome.as_ref().ok());
    let error = task.outcome.as_ref().and_then(|outcome| outcome.as_ref().err());
    json!({
        "uid": task.uid, "indexUid": task.index, "status": status(task), "details": details, "customMetadata": task.metadata,
        "error": error.map(|(code, kind, message)| error_body(code, kind, message)),
    })
}

fn fetch(state: &State, uid: &str, body: &Bytes) -> Response<Full<Bytes>> {
    let Some(index) = state.indexes.get(uid) else {
        return refusal(StatusCode::NOT_FOUND, "index_not_found", "not found");
    };
    let asked: Value = serde_json::from_slice(body).expect("a body of JSON");
    let wanted =
        |id: &String| asked["ids"].as_array().is_none_or(|ids| ids.iter().any(|one| one == id.as_str()));
    let documents = index.documents.iter().filter(|(id, _)| wanted(id)).map(|(_, document)| document);
    let found: Vec<_> = documents.filter(|document| matches(&asked["filter"], document)).collect();
    let limit = asked["limit"].as_u64().expect("a limit") as usize;
    let shown: Vec<_> = found.iter().take(limit).collect();
    json_answer(StatusCode::OK, json!({ "results": shown, "total": found.len() }))
}

pub(super) fn refusal(status: StatusCode, code: &str, message: &str) -> Response<Full<Bytes>> {
    json_answer(status, error_body(code, "invalid_request", message))
}

fn error_body(code: &str, kind: &str, message: &str) -> Value {
    json!({ "message": message, "code": code, "type": kind, "link": format!("https://docs/{code}") })
}

fn json_answer(status: StatusCode, body: Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.to_string().into()));
    *response.status_mut() = status;
    response
}

fn pairs(query: &str) -> BTreeMap<String, String> {
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    query.split('&').filter_map(pair).collect()
}
