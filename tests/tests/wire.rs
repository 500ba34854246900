//! What one real Meilisearch v1.50 answered, request by request, and what the gateway answers over three embedded nodes,
//! which have the engine of 1.15.
//!
//! The steps that are known to differ are listed with the reason; the test fails when another one differs, and when a
//! listed one no longer does.

use std::collections::BTreeMap;

use http::Method;
use miroir_tests::{Client, cluster, data, difference::differences};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_miroir-under-test");
const RECORDING: &str = include_str!("../data/wire.jsonl");
/// Steps that make what later ones are about, and are not compared.
const PREPARATION: &str = "preparation";

/// Why steps differ, and which.
const KNOWN: &[(&str, &[u64])] = &[];

/// Members whose values are never the same twice.
const VOLATILE: [&str; 22] = [
    "enqueuedAt",
    "startedAt",
    "finishedAt",
    "duration",
    "createdAt",
    "updatedAt",
    "processingTimeMs",
    "requestUid",
    "databaseSize",
    "usedDatabaseSize",
    "commitSha",
    "commitDate",
    "pkgVersion",
    "lastUpdate",
    "dumpUid",
    "batchUid",
    "progressTrace",
    "writeChannelCongestion",
    "internalDatabaseSizes",
    "batchStrategy",
    "rawDocumentDbSize",
    "avgDocumentSize",
];

#[test]
fn clients_see_what_meilisearch_answers() {
    let cluster = cluster(PROGRAM).nodes(3).start();
    let client = cluster.client().with_key(None);
    let mut outcome = Outcome::default();
    for line in RECORDING.lines() {
        let step = Step::read(line);
        let got = step.ask(&client);
        if step.group != PREPARATION {
            outcome.add(&step, &differences(&normal(&step.expect), &got));
        }
    }
    outcome.finish();
}

/// One recorded request.
struct Step {
    number: u64,
    group: String,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    expect: Value,
}

/// What has come out so far.
#[derive(Default)]
struct Outcome {
    /// Same and all, by group.
    groups: BTreeMap<String, (usize, usize)>,
    unexpected: Vec<String>,
    healed: Vec<u64>,
}

// === impl Step ===

impl Step {
    fn read(line: &str) -> Self {
        let step: Value = serde_json::from_str(line).expect("the recording is JSON");
        let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
        let headers = step["headers"].as_object().into_iter().flatten();
        let body = text("raw");
        Self {
            number: step["n"].as_u64().expect("a step has a number"),
            group: text("group"),
            method: text("method").parse().expect("a method"),
            path: text("path"),
            headers: headers
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
            body: body.strip_prefix('@').map_or(body.clone(), |name| data::file(name).to_owned()),
            expect: step["expect"].clone(),
        }
    }

    /// Sends it; the answer, and the finished task if it became one.
    fn ask(&self, client: &Client) -> Value {
        let request = client.request(self.method.clone(), uri(&self.path)).body(self.body.clone());
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let answer = request.send();
        let mut got = json!({ "status": answer.status, "answer": masked(&answer.body, "") });
        if let Some(uid) = answer.body["taskUid"].as_u64() {
            let task = client.with_key(Some(miroir_tests::MASTER_KEY)).ended(uid);
            // The others, which cancel and delete tasks, were not recorded to their end, but over by the next step.
            if answer.status == 202 {
                got["task"] = masked(&task, "");
            }
        }
        got
    }

    fn known(&self) -> bool {
        KNOWN.iter().any(|(_, steps)| steps.contains(&self.number))
    }
}

// === impl Outcome ===

impl Outcome {
    fn add(&mut self, step: &Step, differing: &[String]) {
        let (same, all) = self.groups.entry(step.group.clone()).or_default();
        *all += 1;
        *same += usize::from(differing.is_empty());
        match (differing.is_empty(), step.known()) {
            (true, true) => self.healed.push(step.number),
            (false, false) => {
                let places = differing.iter().take(6).map(|place| format!("\n    {place}"));
                let places: String = places.collect();
                let Step { number, group, method, path, .. } = step;
                let body: String = step.body.chars().take(140).collect();
                self.unexpected.push(format!("#{number} {group}: {method} {path} {body}{places}"));
            }
            _ => {}
        }
    }

    fn finish(&self) {
        for difference in &self.unexpected {
            println!("{difference}");
        }
        for (group, (same, all)) in &self.groups {
            println!("{group:16} {same}/{all}");
        }
        let same: usize = self.groups.values().map(|(same, _)| same).sum();
        let all: usize = self.groups.values().map(|(_, all)| all).sum();
        println!("same answers: {same}/{all}");
        for (reason, steps) in KNOWN {
            println!("known: {reason}: {steps:?}");
        }
        assert!(self.unexpected.is_empty(), "{} steps differ unexpectedly", self.unexpected.len());
        assert!(self.healed.is_empty(), "these steps do not differ any more: {:?}", self.healed);
    }
}

/// The recording holds a few characters that a URI may not.
fn uri(path: &str) -> String {
    path.replace(' ', "%20")
}

/// Numbers as they compare: whole ones as such, others with six digits.
fn normal(value: &Value) -> Value {
    masked(value, "")
}

fn masked(value: &Value, name: &str) -> Value {
    match value {
        Value::Null => Value::Null,
        _ if VOLATILE.contains(&name) => json!("[volatile]"),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), masked(value, name))).collect()
        }
        Value::Array(items) => items.iter().map(|item| masked(item, "")).collect(),
        Value::String(text) => json!(without_keys(&without_uuids(text))),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => rounded(float),
            _ => value.clone(),
        },
        Value::Bool(_) => value.clone(),
    }
}

fn rounded(number: f64) -> Value {
    let rounded: f64 = format!("{number:.5e}").parse().unwrap_or(number);
    if rounded.fract() == 0.0 && rounded.abs() < 1e15 { json!(rounded as i64) } else { json!(rounded) }
}

fn without_uuids(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = if rest.get(..36).is_some_and(is_uuid) {
            masked.push_str("[uuid]");
            36
        } else {
            masked.push(letter);
            letter.len_utf8()
        };
        rest = &rest[length..];
    }
    masked
}

/// Values of keys with a uid of their own are never the same; those of a uid that the recording names are.
fn without_keys(text: &str) -> String {
    let digits = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits(text) && !text.starts_with("b387a8da") { "[key]".to_owned() } else { text.to_owned() }
}

fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    })
}
