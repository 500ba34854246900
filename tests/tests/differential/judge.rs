//! What is said about two answers to one request.

use miroir_tests::{Answer, difference::differences};
use serde_json::{Value, json};

use crate::{allowed::ALLOWED, probe::Probe};

/// Members that are never the same twice, or that count bytes on disk.
const VOLATILE: [&str; 5] =
    ["processingTimeMs", "requestUid", "rawDocumentDbSize", "avgDocumentSize", "isIndexing"];

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

/// Compares the answer of one node with the gateway's.
pub(crate) fn judge(probe: &Probe, alone: &Answer, gateway: &Answer) -> Verdict {
    let (mut expected, mut got) = (comparable(alone), comparable(gateway));
    if expected == got {
        return Verdict::Same;
    }
    for allowance in ALLOWED.iter().filter(|allowance| allowance.applies(probe)) {
        allowance.reduce(&mut expected);
        allowance.reduce(&mut got);
        if expected == got {
            return Verdict::Allowed(allowance.name);
        }
    }
    let places = differences(&expected, &got);
    if probe.has_words() && alone.status == 200 && gateway.status == 200 {
        Verdict::Words(places)
    } else {
        Verdict::Different(places)
    }
}

fn comparable(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    if let Some(members) = body.as_object_mut() {
        members.retain(|name, _| !VOLATILE.contains(&name.as_str()));
    }
    json!({ "status": answer.status, "body": body })
}
