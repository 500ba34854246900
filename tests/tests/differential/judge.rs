//! What is said about two answers to one request.

use miroir_tests::{Answer, difference::differences};
use serde_json::{Value, json};

use crate::{allowed::ALLOWED, probe::Probe};

/// Members that are never the same twice, that count bytes on disk, or that an embedded node shows where a server does not.
const VOLATILE: [&str; 6] =
    ["processingTimeMs", "requestUid", "rawDocumentDbSize", "avgDocumentSize", "isIndexing", "queryVector"];

/// What is said.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The same.
    Same,
    /// Only what may differ does, for the reason of that name.
    Allowed(&'static str),
    /// Not the same, in a search with words: which typos, prefixes and splits of a word a node considers, and under
    /// `frequency` which words, depends on the words it holds. How many of these there may be is bounded.
    Words(Vec<String>),
    /// Not the same, at these places.
    Different(Vec<String>),
}

/// Compares the answer of one node with the gateway's, the order of facet values included. The order of a document's
/// members is that in which a node first saw their names, and not compared.
pub(crate) fn judge(probe: &Probe, alone: &Answer, gateway: &Answer) -> Verdict {
    let (mut expected, mut got) = (comparable(alone), comparable(gateway));
    if is_same(&expected, &got) {
        return Verdict::Same;
    }
    for allowance in ALLOWED.iter().filter(|allowance| allowance.applies(probe)) {
        allowance.reduce(&mut expected);
        allowance.reduce(&mut got);
        if is_same(&expected, &got) {
            return Verdict::Allowed(allowance.name);
        }
    }
    let mut places = differences(&expected, &got);
    if places.is_empty() {
        let (got, expected) = (facets(&got), facets(&expected));
        places.push(format!("the order of facet values: {got:?}\n    expected {expected:?}"));
    }
    if probe.has_words() && alone.status == 200 && gateway.status == 200 {
        Verdict::Words(places)
    } else {
        Verdict::Different(places)
    }
}

fn is_same(expected: &Value, got: &Value) -> bool {
    expected == got && facets(expected) == facets(got)
}

/// Everything that is counted, in its order.
fn facets(answer: &Value) -> Vec<String> {
    let body = &answer["body"];
    let results = body["results"].as_array().into_iter().flatten();
    let by_index = body["facetsByIndex"].as_object().into_iter().flat_map(|indexes| indexes.values());
    let texts = results.chain([body]).map(|answer| answer["facetDistribution"].to_string());
    texts.chain(by_index.map(Value::to_string)).collect()
}

fn comparable(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    drop_volatile(&mut body);
    for result in body["results"].as_array_mut().into_iter().flatten() {
        drop_volatile(result);
    }
    json!({ "status": answer.status, "body": body })
}

fn drop_volatile(answer: &mut Value) {
    if let Some(members) = answer.as_object_mut() {
        members.retain(|name, _| !VOLATILE.contains(&name.as_str()));
    }
}
