//! What is said about two answers to one request.

use miroir_tests::{Answer, difference::differences};
use serde_json::{Value, json};

use crate::probe::Probe;

/// Members that are never the same twice, or that count bytes on disk.
const VOLATILE: [&str; 5] =
    ["processingTimeMs", "requestUid", "rawDocumentDbSize", "avgDocumentSize", "isIndexing"];

/// Members that one node itself estimates where a search is not paged and it has to drop hits on the way (of the same
/// group under `distinct`, below the threshold): they depend on how far it looked, and nodes with a third of the
/// documents look less far.
const ESTIMATES: [&str; 3] = ["estimatedTotalHits", "facetDistribution", "facetStats"];

/// What is said.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The same.
    Same,
    /// Only estimates differ.
    Estimates,
    /// Not the same, in a search with words: which typos, prefixes and splits of a word a node considers depends on
    /// the words it holds. How many of these there may be is bounded.
    Words(Difference),
    /// Not the same, for no good reason.
    Different(Difference),
}

/// Both answers, without what is volatile, and where they differ.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) places: Vec<String>,
}

/// Compares the answer of one node with the gateway's.
pub(crate) fn judge(probe: &Probe, alone: &Answer, gateway: &Answer) -> Verdict {
    let (mut expected, mut got) = (comparable(alone), comparable(gateway));
    if expected == got {
        return Verdict::Same;
    }
    if probe.is_estimated() {
        remove(&mut expected, &ESTIMATES);
        remove(&mut got, &ESTIMATES);
        if expected == got {
            return Verdict::Estimates;
        }
    }
    let difference = Difference { places: differences(&expected, &got) };
    if probe.has_words() && alone.status == 200 && gateway.status == 200 {
        Verdict::Words(difference)
    } else {
        Verdict::Different(difference)
    }
}

fn comparable(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    remove(&mut body, &VOLATILE);
    json!({ "status": answer.status, "body": body })
}

fn remove(value: &mut Value, names: &[&str]) {
    let body = if value.get("status").is_some() { &mut value["body"] } else { value };
    if let Some(members) = body.as_object_mut() {
        members.retain(|name, _| !names.contains(&name.as_str()));
    }
}
