//! Whether every document is what it should be, wherever it should be.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{INDEX, Load};
use crate::{client::Client, cluster::Cluster, nodes::Node, wait::eventually};

/// How many differences are shown.
const SHOWN: usize = 5;

pub(super) fn check(load: &Load, cluster: &mut Cluster, copies: usize) {
    let expected = load.ledger.documents();
    let found = documents(&load.client);
    assert_same("clients", &found, &expected);
    let stats = load.client.get(format!("/indexes/{INDEX}/stats")).send().ok();
    assert_eq!(stats["numberOfDocuments"], expected.len());
    cluster.wait_until_applied();
    on_nodes(load, cluster, &expected, copies);
    verified(&load.client);
}

/// How many of the fixed documents each member holds, as it says itself.
pub(super) fn held(load: &Load, cluster: &mut Cluster) -> BTreeMap<String, u64> {
    let query = json!({ "filter": "kind = fixed", "hitsPerPage": 1, "attributesToRetrieve": ["id"] });
    let members = members(load);
    let nodes = cluster.nodes().iter().filter(|node| members.iter().any(|name| name == node.name()));
    let holds = |node: &Node| node.client().search(INDEX, &query).ok()["totalHits"].as_u64();
    nodes.map(|node| (node.name().to_owned(), holds(node).expect("a number"))).collect()
}

/// How many documents there are at the least that were not where they are now: of those that clients write as many as of
/// the fixed ones.
pub(super) fn least_moved(load: &Load, before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> u64 {
    let had = |node: &String| before.get(node).copied().unwrap_or(0);
    let gained: u64 = after.iter().map(|(node, holds)| holds.saturating_sub(had(node))).sum();
    let stats = load.client.get(format!("/indexes/{INDEX}/stats")).send().ok();
    let all = stats["numberOfDocuments"].as_u64().expect("a number");
    (gained * all).div_ceil(load.ledger.fixed.max(1))
}

/// The names of the nodes that the gateway knows.
fn members(load: &Load) -> Vec<String> {
    let fleet = load.client.get("/_miroir/nodes").send().ok();
    let nodes = fleet["nodes"].as_array().expect("nodes").iter();
    nodes.filter_map(|node| node["name"].as_str().map(str::to_owned)).collect()
}

/// All copies of a document are equal, the internal member too, and there are as many as there should be.
fn on_nodes(load: &Load, cluster: &mut Cluster, expected: &BTreeMap<String, Value>, copies: usize) {
    let members = members(load);
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for node in cluster.nodes().iter().filter(|node| members.iter().any(|name| name == node.name())) {
        for (id, document) in documents(&node.client()) {
            all.entry(id).or_default().push(document);
        }
    }
    let mut wrong = Vec::new();
    for (id, found) in &all {
        let differ = found.iter().any(|copy| copy != &found[0]);
        if found.len() != copies || differ || !expected.contains_key(id) {
            wrong.push(format!("{id}: {found:?}"));
        }
    }
    wrong.truncate(SHOWN);
    assert!(wrong.is_empty(), "not {copies} equal copies:\n{}", wrong.join("\n"));
    assert_eq!(all.len(), expected.len(), "documents on nodes");
}

/// The gateway's own comparison finds the same.
fn verified(client: &Client) {
    let report = compared(client, false);
    assert_eq!(report["documentsDiffering"], 0, "{report}");
    assert_eq!(report["state"], "done", "{report}");
}

/// What `miroir verify` says.
pub(super) fn compared(client: &Client, mend: bool) -> Value {
    client.post("/_miroir/verify").json(&json!({ "mend": mend })).send().ok();
    eventually("copies are compared", || {
        let report = client.get("/_miroir/verify").send().ok();
        (!["waiting", "running"].contains(&report["state"].as_str().unwrap_or_default())).then_some(report)
    })
}

fn documents(client: &Client) -> BTreeMap<String, Value> {
    let page = json!({ "limit": 1_000_000 });
    let page = client.post(format!("/indexes/{INDEX}/documents/fetch")).json(&page).send().ok();
    let mut documents = BTreeMap::new();
    for document in page["results"].as_array().expect("a list") {
        let id = document["id"].as_str().expect("an id").to_owned();
        let twice = documents.insert(id, document.clone());
        assert!(twice.is_none(), "{document} is there twice");
    }
    documents
}

fn assert_same(who: &str, found: &BTreeMap<String, Value>, expected: &BTreeMap<String, Value>) {
    let ids = found.keys().chain(expected.keys());
    let mut differing: Vec<&String> = ids.filter(|id| found.get(*id) != expected.get(*id)).collect();
    differing.dedup();
    let (count, shown) = (differing.len(), &differing[..differing.len().min(SHOWN)]);
    let show = |id: &&String| format!("{id}: {:?} instead of {:?}", found.get(*id), expected.get(*id));
    let shown: Vec<String> = shown.iter().map(show).collect();
    assert!(differing.is_empty(), "{who} see {count} documents that are not right:\n{}", shown.join("\n"));
}
