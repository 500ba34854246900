//! A search, asked as the gateway asks it: the real plan, the real cover of its parts.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{StatusCode, Uri};
use miroir_nodes::{Answer, Instead, Judged, Node, NodeError, NodeRequest, Part, Reading, cover};
use miroir_replicate::{CurrentTopology, Progress, Topology};
use miroir_shard::{Ask, NodeId, OwnerState, SearchPlan, ShardId, ShardMap};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::planted::Bug;
use crate::fake::text;

/// How long a search may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// What searches go by.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(crate) topology: CurrentTopology,
    pub(crate) progress: Arc<Progress>,
    pub(crate) bug: Option<Bug>,
}

/// What one node gave.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) node: String,
    /// The shards it was asked for.
    pub(crate) shards: Vec<ShardId>,
    /// Without their internal member, by id; each time that one was given.
    pub(crate) documents: Vec<(String, Map<String, Value>)>,
}

struct Search<'a> {
    reader: &'a Reader,
    topology: &'a Topology,
    map: &'a ShardMap,
    index: &'a str,
    deadline: Instant,
}

impl Reader {
    /// All documents of an index, as several nodes give them, and the map by which they were asked; `None` where not all
    /// of them can be read.
    pub(crate) async fn search(&self, index: &str) -> Option<(Vec<Given>, ShardMap)> {
        let topology = self.topology.load();
        let map = self.map(&topology);
        let deadline = Instant::now() + DEADLINE;
        let search = Search { reader: self, topology: &topology, map: &map, index, deadline };
        let plan = map.nodes_for_search(|id| search.cost(id));
        if !plan.missing.is_empty() {
            return None;
        }
        let covered = cover(&search, search.parts(plan)).await.ok()?;
        let given = covered.into_iter().map(|(ask, body)| search.given(&ask, &body)).collect();
        Some((given, topology.map.clone()))
    }

    fn map(&self, topology: &Topology) -> ShardMap {
        let map = topology.map.clone();
        if self.bug != Some(Bug::FillingIsRead) {
            return map;
        }
        let nodes = (0..map.nodes().len()).map(|place| NodeId(place as u16));
        let copies = nodes.flat_map(|node| map.shards_of(node).map(move |copy| (node, copy)));
        let filling: Vec<_> = copies.filter(|(_, (_, state))| *state == OwnerState::Filling).collect();
        filling.into_iter().fold(map.clone(), |map, (node, (shard, _))| {
            map.with_owner(shard, node, Some(OwnerState::Readable))
        })
    }
}

impl Search<'_> {
    fn cost(&self, id: NodeId) -> Option<u32> {
        let indexes: &[&str] = if self.reader.bug == Some(Bug::StaleIsRead) { &[] } else { &[self.index] };
        if self.reader.bug == Some(Bug::LostIsRead) {
            return Some(0);
        }
        self.topology.read_cost(&self.reader.progress, indexes, id)
    }

    fn parts(&self, plan: SearchPlan) -> Vec<Part<Ask>> {
        plan.asks.into_iter().filter_map(|ask| self.part(ask)).collect()
    }

    fn part(&self, ask: Ask) -> Option<Part<Ask>> {
        let node = self.topology.fleet.get(&self.map.node(ask.node)?.name)?.clone();
        let filter = ask.shards.as_ref().map(|shards| self.filter(ask.node, shards));
        let path: Uri = format!("/indexes/{}/documents/fetch", self.index).parse().expect("a path");
        let request = NodeRequest::query(path, json!({ "filter": filter, "limit": 1_000 }).to_string());
        Some(Part { key: ask, node, request })
    }

    /// Every second node is told what it holds besides, which it holds nothing else of; with so few shards none would be.
    fn filter(&self, node: NodeId, shards: &[ShardId]) -> String {
        if node.0.is_multiple_of(2) {
            return self.map.filter(node, shards);
        }
        let held = self.map.shards_of(node).map(|(shard, _)| shard);
        let others: Vec<ShardId> = held.filter(|shard| !shards.contains(shard)).collect();
        format!("NOT {}", self.map.filter(node, &others))
    }

    fn shards(&self, ask: &Ask) -> Vec<ShardId> {
        let held = || self.map.shards_of(ask.node).map(|(shard, _)| shard).collect();
        ask.shards.clone().unwrap_or_else(held)
    }

    fn given(&self, ask: &Ask, body: &Bytes) -> Given {
        let answer: Value = serde_json::from_slice(body).expect("JSON");
        let strip = |document: &Value| {
            let mut document = document.as_object().cloned().expect("a document");
            document.remove("_miroir");
            (text(&document["id"]), document)
        };
        let documents = answer["results"].as_array().expect("results").iter().map(strip).collect();
        let node = self.map.node(ask.node).expect("a node").name.clone();
        Given { node, shards: self.shards(ask), documents }
    }
}

impl Reading for Search<'_> {
    type Key = Ask;
    type Refusal = ();

    fn instead(&self, ask: &Ask, tried: &[Ask]) -> Instead<Ask> {
        let is_new = |id: &NodeId| tried.iter().all(|ask| ask.node != *id);
        let cost = |id: NodeId| self.cost(id).filter(|_| is_new(&id));
        let mut plan = self.map.nodes_for_shards(&self.shards(ask), cost);
        let complete = plan.missing.is_empty();
        if self.reader.bug == Some(Bug::StandInGivesTooMuch) {
            plan.asks.iter_mut().for_each(|ask| ask.shards = None);
        }
        Instead { parts: self.parts(plan), complete }
    }

    fn judge(&self, _: &Node, result: Result<Answer, NodeError>) -> Judged<()> {
        match result {
            Ok(answer) if answer.status == StatusCode::OK => Judged::Answer(answer.body),
            // No index, no documents.
            Ok(answer) if answer.status == StatusCode::NOT_FOUND => {
                Judged::Answer(Bytes::from_static(br#"{"results":[]}"#))
            }
            _ => Judged::Failed,
        }
    }

    fn partial(&self) -> bool {
        false
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl Given {
    /// The documents by id, where none is there twice.
    pub(crate) fn by_id(&self) -> Option<BTreeMap<&str, &Map<String, Value>>> {
        let documents: BTreeMap<_, _> =
            self.documents.iter().map(|(id, document)| (id.as_str(), document)).collect();
        (documents.len() == self.documents.len()).then_some(documents)
    }
}
