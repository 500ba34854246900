//! What may differ, and why. Kept short: everything else has to be the same.

use serde_json::{Map, Value};

use crate::probe::Probe;

/// One reason.
pub(crate) struct Allowance {
    pub(crate) name: &'static str,
    applies: fn(&Probe) -> bool,
    /// Takes out of an answer what the reason is about.
    reduce: fn(&mut Map<String, Value>),
}

/// What is about all hits, not about those on the page.
const TOTALS: [&str; 5] =
    ["estimatedTotalHits", "totalHits", "totalPages", "facetDistribution", "facetStats"];

/// All reasons.
pub(crate) const ALLOWED: &[Allowance] = &[
    // By count, which of equally frequent values stand in a list that is cut depends on how a node's index of the
    // facet is grouped into levels.
    Allowance { name: "facet ties", applies: |probe| probe.index == "odd", reduce: ties },
    // One node itself only estimates: it stops looking when it has the page, and has by then dropped some of what is of
    // the same group, or below the threshold. Nodes with a third of the documents look less far.
    Allowance {
        name: "estimates",
        applies: |probe| {
            probe.has("rankingScoreThreshold") || (probe.distinct().is_some() && !probe.is_paged())
        },
        reduce: |body| drop_members(body, &TOTALS),
    },
    // A document of several groups: what a node dropped for another document, which is then itself dropped for one of
    // another node, is not brought back.
    Allowance {
        name: "several groups",
        applies: |probe| matches!(probe.distinct(), Some("tags" | "mixed")),
        reduce: Map::clear,
    },
];

impl Allowance {
    pub(crate) fn applies(&self, probe: &Probe) -> bool {
        (self.applies)(probe)
    }

    pub(crate) fn reduce(&self, answer: &mut Value) {
        if let Some(body) = answer["body"].as_object_mut() {
            (self.reduce)(body);
        }
    }
}

fn drop_members(body: &mut Map<String, Value>, names: &[&str]) {
    body.retain(|name, _| !names.contains(&name.as_str()));
}

/// The values of the least count of each list, numbers and texts apart: how many there are stays, which ones goes.
fn ties(body: &mut Map<String, Value>) {
    let Some(facets) = body.get_mut("facetDistribution").and_then(Value::as_object_mut) else { return };
    for values in facets.values_mut().filter_map(Value::as_object_mut) {
        let is_number = |name: &str| name.parse::<f64>().is_ok();
        let least = |numbers: bool| {
            let counts = values.iter().filter(|(name, _)| is_number(name) == numbers);
            counts.filter_map(|(_, count)| count.as_u64()).min()
        };
        let least = [least(false), least(true)];
        let rename = |(place, (name, count)): (usize, (&String, &Value))| {
            let tied = count.as_u64() == least[usize::from(is_number(name))];
            (if tied { format!("tied {place}") } else { name.clone() }, count.clone())
        };
        *values = values.iter().enumerate().map(rename).collect();
    }
}
