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
const TOTALS: [&str; 6] =
    ["estimatedTotalHits", "totalHits", "totalPages", "facetDistribution", "facetStats", "facetsByIndex"];

/// All reasons.
pub(crate) const ALLOWED: &[Allowance] = &[
    // By count, which of equally frequent values stand in a list that is cut follows from all values of the index, which
    // are not asked for where several searches become one list.
    Allowance {
        name: "facet ties",
        applies: |probe| {
            probe.is_about("odd") && probe.body.as_ref().is_some_and(|body| body["federation"].is_object())
        },
        reduce: ties,
    },
    // One node itself only estimates: it stops looking when it has the page, and has by then dropped some of what is of
    // the same group, or below the threshold. Nodes with a third of the documents look less far.
    Allowance {
        name: "estimates",
        applies: |probe| {
            let by_vector = probe.has("hybrid");
            probe.has("rankingScoreThreshold")
                || (!probe.distinct().is_empty() && (!probe.is_paged() || by_vector))
        },
        reduce: |body| drop_members(body, &TOTALS),
    },
    // A value that is spelled in several ways keeps the spelling of one of its documents.
    Allowance { name: "spelling", applies: |_| true, reduce: spelling },
    // Counts of several indexes are put in order, and cut, by the spelling.
    Allowance {
        name: "spelling, in a list that is cut",
        applies: |probe| {
            probe.is_about("synthetic")
                && probe.body.as_ref().is_some_and(|body| body["federation"]["mergeFacets"].is_object())
        },
        reduce: |body| drop_members(body, &["facetDistribution"]),
    },
    // Meilisearch leaves out documents that hold null for an attribute of a sort, but counts some of them where it skips
    // to a place.
    Allowance {
        name: "sorted listings from a place on",
        applies: |probe| {
            let body = probe.body.as_ref().filter(|_| probe.path.ends_with("/documents/fetch"));
            body.is_some_and(|body| {
                body["offset"].as_u64() > Some(0)
                    && body["sort"].as_array().is_some_and(|sort| sort.len() > 1)
            })
        },
        reduce: |body| drop_members(body, &["results"]),
    },
    // How often each value occurs among documents of which only some are looked at.
    Allowance {
        name: "facet search under distinct",
        applies: |probe| probe.path.ends_with("/facet-search") && !probe.distinct().is_empty(),
        reduce: Map::clear,
    },
    // A document of several groups: what a node dropped for another document, which is then itself dropped for one of
    // another node, is not brought back.
    Allowance {
        name: "several groups",
        applies: |probe| {
            let in_lists = ["tags", "mixed", "rank", "arr", "nested.depth.level"];
            let is_in_lists =
                |name: &&str| in_lists.contains(name) || name.contains(".items.") || name.contains(".list.");
            probe.distinct().iter().any(is_in_lists)
        },
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
        for result in answer["body"]["results"].as_array_mut().into_iter().flatten() {
            if let Some(body) = result.as_object_mut() {
                (self.reduce)(body);
            }
        }
    }
}

fn drop_members(body: &mut Map<String, Value>, names: &[&str]) {
    body.retain(|name, _| !names.contains(&name.as_str()));
}

/// Values without their case and the white space around them, in an order that does not depend on them.
fn spelling(body: &mut Map<String, Value>) {
    for facets in facets_of(body) {
        let plain = |(name, count): (&String, &Value)| (name.trim().to_lowercase(), count.clone());
        let mut values: Vec<(String, Value)> = facets.iter().map(plain).collect();
        values.sort_by(|left, right| left.0.cmp(&right.0));
        *facets = values.into_iter().collect();
    }
    for hit in body.get_mut("facetHits").and_then(Value::as_array_mut).into_iter().flatten() {
        hit["value"] = hit["value"].as_str().map(|value| value.trim().to_lowercase()).into();
    }
}

/// The values of every facet of an answer.
fn facets_of(body: &mut Map<String, Value>) -> Vec<&mut Map<String, Value>> {
    let mut all: Vec<&mut Value> = Vec::new();
    for (name, value) in body.iter_mut() {
        match name.as_str() {
            "facetDistribution" => all.push(value),
            "facetsByIndex" => {
                let indexes = value.as_object_mut().into_iter().flat_map(|indexes| indexes.values_mut());
                all.extend(indexes.filter_map(|index| index.get_mut("distribution")));
            }
            _ => {}
        }
    }
    let facets = all.into_iter().filter_map(Value::as_object_mut);
    facets.flat_map(|facets| facets.values_mut().filter_map(Value::as_object_mut)).collect()
}

/// The values of the least count of each list, numbers and texts apart: how many there are stays, which ones goes. Of the
/// others, those with equal counts get one order.
fn ties(body: &mut Map<String, Value>) {
    for values in facets_of(body) {
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
        let mut all: Vec<(String, Value)> = values.iter().enumerate().map(rename).collect();
        all.sort_by_key(|(name, count)| (!is_number(name), std::cmp::Reverse(count.as_u64()), name.clone()));
        *values = all.into_iter().collect();
    }
}
