//! What the sequencer has to ask of the nodes themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use http::{StatusCode, Uri};
use miroir_nodes::{Answer, Call, Node, NodeRequest, Outcome, fan_out, one_falls_silent};
use miroir_protocol::{document::document_id, unequal::KnownFields};
use miroir_shard::Slot;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    progress::Progress,
    topology::{CurrentTopology, Topology},
};

const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a node may take to tell of its attributes.
const PATIENCE: Duration = Duration::from_secs(1);
/// More attributes than an index can have.
const FIELDS: u32 = 1_000_000;
const RETRY: Duration = Duration::from_millis(500);

/// Asks the fleet, for as long as it takes to get an answer.
#[derive(Debug)]
pub(crate) struct FleetState {
    topology: CurrentTopology,
    progress: Arc<Progress>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    number_of_documents: u64,
}

/// Which attributes an index has, or ever had.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    /// Those that nodes have told of.
    pub(crate) known: BTreeSet<String>,
    /// Whether a node does not answer.
    pub(crate) is_one_silent: bool,
}

#[derive(Deserialize)]
struct Listed {
    results: Vec<Map<String, Value>>,
}

/// The documents of an index, under its primary key, once everything before a position is applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Present<'a> {
    pub(crate) fleet: &'a FleetState,
    pub(crate) index: &'a str,
    pub(crate) primary_key: &'a str,
    /// The position; none where there is no such index.
    pub(crate) position: Option<u32>,
    /// Whether to wait for nodes that know, however long it takes.
    pub(crate) patient: bool,
}

impl FleetState {
    pub(crate) fn new(topology: CurrentTopology, progress: Arc<Progress>) -> Self {
        Self { topology, progress }
    }

    /// Whether an index has no documents once everything before the entry `uid` is applied. Any group that has come so
    /// far knows: a node that is down holds nobody up while there is another group.
    pub(crate) async fn is_empty_at(&self, uid: u32, index: &str) -> bool {
        let path = format!("/indexes/{index}/stats").parse::<Uri>();
        // An index uid has only characters that a path takes as they are.
        let Ok(path) = path else { return true };
        loop {
            let topology = self.topology.load();
            for group in 0..topology.map.groups().len() {
                if let Some(documents) = self.documents_in(&topology, group, uid, &path).await {
                    return documents == 0;
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// The attributes of an index, as nodes know them that have come to a position from which on it is the same index. Those that
    /// do not answer are not waited for.
    pub(crate) async fn attributes(&self, index: &str, position: u32) -> Attributes {
        let topology = self.topology.load();
        let Ok(path) = format!("/indexes/{index}/fields").parse::<Uri>() else {
            return Attributes::default();
        };
        let request = NodeRequest::query(path, json!({ "limit": FIELDS }).to_string());
        let nodes = topology.map.nodes();
        let there = nodes.iter().filter_map(|node| self.knows(&topology, &node.name, position));
        let calls: Vec<Call> =
            there.map(|node| Call { node: node.clone(), request: request.clone() }).collect();
        let outcomes = fan_out(&calls, PATIENCE).await.into_iter();
        let told = |outcome: Outcome| serde_json::from_slice(&outcome.result.ok()?.body).ok();
        let known = outcomes.filter_map(told).flat_map(KnownFields::into_names).collect();
        let answers = |node: &Node| node.health().answers();
        let is_one_silent = !nodes.iter().all(|node| topology.fleet.get(&node.name).is_some_and(answers));
        Attributes { known, is_one_silent }
    }

    async fn documents_in(&self, topology: &Topology, group: usize, uid: u32, path: &Uri) -> Option<u64> {
        let nodes = topology.map.nodes().iter().filter(|node| usize::from(node.group) == group);
        let call = |node: &miroir_shard::Node| {
            let node = self.knows(topology, &node.name, uid)?.clone();
            Some(Call { node, request: NodeRequest::get(path.clone()) })
        };
        let calls: Vec<Call> = nodes.map(call).collect::<Option<_>>()?;
        ask_all(&calls).await?.iter().map(documents).sum()
    }

    /// A node, where it answers and has come so far.
    fn knows<'a>(&self, topology: &'a Topology, node: &str, position: u32) -> Option<&'a Node> {
        let node = topology.fleet.get(node).filter(|node| node.health().answers());
        node.filter(|node| self.progress.applied(node.name()) >= position)
    }
}

/// What all of them answer; `None` where one does not, which is noticed as soon as it is known of the node.
async fn ask_all(calls: &[Call]) -> Option<Vec<Answer>> {
    let outcomes = tokio::select! {
        biased;
        outcomes = fan_out(calls, TIMEOUT) => outcomes,
        () = one_falls_silent(calls.iter().map(|call| &call.node)) => return None,
    };
    outcomes.into_iter().map(|outcome| outcome.result.ok()).collect()
}

// === impl Present ===

impl Present<'_> {
    /// Those of these documents that are there. `None` where no group has come so far and answers, and that is not waited
    /// for.
    pub(crate) async fn among(&self, ids: &[String]) -> Option<BTreeSet<String>> {
        let Some(position) = self.position else { return Some(BTreeSet::new()) };
        loop {
            let topology = self.fleet.topology.load();
            for group in 0..topology.map.groups().len() {
                if let Some(present) = self.of_group(&topology, group, position, ids).await {
                    return Some(present);
                }
            }
            if !self.patient {
                return None;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn of_group(
        &self,
        topology: &Topology,
        group: usize,
        position: u32,
        ids: &[String],
    ) -> Option<BTreeSet<String>> {
        let (map, mut asked) = (&topology.map, BTreeMap::<&str, Vec<&str>>::new());
        for id in ids {
            let owners = map.groups().get(group)?.owners(map.shard_of(Slot::of(id)));
            let mut nodes =
                owners.iter().filter(|owner| owner.state.is_read()).filter_map(|owner| map.node(owner.node));
            let node = nodes.find_map(|node| self.fleet.knows(topology, &node.name, position))?;
            asked.entry(node.name()).or_default().push(id);
        }
        let path: Uri = format!("/indexes/{}/documents/fetch", self.index).parse().ok()?;
        let call = |(node, ids): (&str, Vec<&str>)| {
            let body = json!({ "ids": ids, "fields": [self.primary_key], "limit": ids.len() });
            let request = NodeRequest::query(path.clone(), body.to_string());
            Some(Call { node: topology.fleet.get(node)?.clone(), request })
        };
        let calls: Vec<Call> = asked.into_iter().map(call).collect::<Option<_>>()?;
        let mut present = BTreeSet::new();
        for answer in ask_all(&calls).await? {
            present.extend(ids_in(&answer, self.primary_key)?);
        }
        Some(present)
    }
}

fn ids_in(answer: &Answer, primary_key: &str) -> Option<Vec<String>> {
    match serde_json::from_slice::<Listed>(&answer.body) {
        Ok(listed) => listed.results.iter().map(|document| document_id(document, primary_key).ok()).collect(),
        Err(_) => (answer.status == StatusCode::NOT_FOUND).then(Vec::new),
    }
}

fn documents(answer: &Answer) -> Option<u64> {
    match serde_json::from_slice::<Stats>(&answer.body) {
        Ok(stats) => Some(stats.number_of_documents),
        Err(_) => (answer.status == StatusCode::NOT_FOUND).then_some(0),
    }
}
