//! Conditions with `!=`, where some nodes have never had a document with the attribute.
//!
//! By `archived != true`, a node finds no documents where it does not know the attribute, and by `NOT archived = true` all of
//! them; where it knows it, the two are the same. So a node that has none of the few documents with an attribute
//! would find nothing of what one node with all documents finds. Where some nodes know an attribute and others may not, they
//! are asked in the second way. Which do is told by their lists of fields, and known until something is written; that all do, until
//! the shards move. Nodes of versions that have no such lists tell of what is at the top of documents alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use http::Uri;
use miroir_log::IndexRecord;
use miroir_nodes::NodeRequest;
use miroir_protocol::{
    error::ResponseError,
    unequal::{KnownFields, unequal_attributes, with_not},
};
use miroir_replicate::Topology;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::{fields::ALL, scatter::Terms, stats::everybody};
use crate::state::Gateway;

/// Of how many indexes it is known which attributes their nodes know.
const MOST_INDEXES: usize = 256;

/// Which attributes nodes know, by index.
#[derive(Debug, Default)]
pub(crate) struct KnownAttributes(Mutex<HashMap<String, Known>>);

/// Which attributes the nodes of an index know.
#[derive(Debug, Clone)]
struct Known {
    at: Moment,
    /// What all of them know.
    everywhere: BTreeSet<String>,
    /// What any of them knows.
    somewhere: BTreeSet<String>,
}

/// When something was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    epoch: u64,
    map: u64,
    created_at: OffsetDateTime,
}

/// What a node of an earlier version says instead of its fields: of how many documents each attribute is.
#[derive(Deserialize)]
struct Stats {
    #[serde(rename = "fieldDistribution")]
    fields: Map<String, Value>,
}

/// The filter as nodes are asked it, if that is not as the client writes it.
pub(super) async fn told_apart(
    gateway: &Gateway,
    index: &IndexRecord,
    filter: Option<&Value>,
    terms: Terms,
) -> Option<Value> {
    let filter = filter?;
    let names = unequal_attributes(filter);
    let topology = gateway.topology.load();
    let nodes = topology.fleet.iter().count();
    if names.is_empty() || nodes < 2 {
        return None;
    }
    let (epoch, map) = (gateway.epoch().now(), topology.map.epoch());
    let now = Moment { epoch, map, created_at: index.created_at };
    let known = match gateway.attributes.of(&index.uid, &names, now) {
        Some(known) => known,
        None => {
            let told = fields(&topology, &index.uid, terms).await;
            gateway.attributes.keep(&index.uid, Known::of(&told, nodes, now))
        }
    };
    with_not(filter, |name| known.is_uneven(name))
}

/// An answer to what is [told apart](told_apart), or what is wrong with it as the client writes it.
pub(super) async fn or_as_written<T, A>(
    answer: Result<T, ResponseError>,
    as_written: impl FnOnce() -> A,
) -> Result<T, ResponseError>
where
    A: Future<Output = Result<T, ResponseError>>,
{
    match answer {
        Err(error) => Err(as_written().await.err().unwrap_or(error)),
        answer => answer,
    }
}

/// What every node knows.
async fn fields(topology: &Topology, uid: &str, terms: Terms) -> Vec<BTreeSet<String>> {
    let path = |rest: &str| format!("/indexes/{uid}/{rest}").parse::<Uri>();
    let Ok((lists, stats)) = path("fields").and_then(|lists| Ok((lists, path("stats")?))) else {
        return Vec::new();
    };
    let lists = NodeRequest::query(lists, json!({ "limit": ALL }).to_string());
    if let Ok(lists) = everybody::<KnownFields>(topology, &lists, terms).await {
        return lists.into_iter().map(|list| list.into_names().collect()).collect();
    }
    let stats = everybody::<Stats>(topology, &NodeRequest::get(stats), terms).await.unwrap_or_default();
    stats.into_iter().map(|stats| stats.fields.into_iter().map(|(name, _)| name).collect()).collect()
}

// === impl KnownAttributes ===

impl KnownAttributes {
    /// What is known now, if it is enough to tell of these attributes.
    fn of(&self, uid: &str, names: &BTreeSet<String>, now: Moment) -> Option<Known> {
        let all = self.0.lock();
        let known =
            all.get(uid).filter(|known| known.at.map == now.map && known.at.created_at == now.created_at)?;
        let is_everywhere = |name: &String| known.everywhere.contains(name);
        (known.at.epoch == now.epoch || names.iter().all(is_everywhere)).then(|| known.clone())
    }

    fn keep(&self, uid: &str, known: Known) -> Known {
        let mut all = self.0.lock();
        if all.len() >= MOST_INDEXES {
            all.clear();
        }
        all.insert(uid.to_owned(), known.clone());
        known
    }
}

// === impl Known ===

impl Known {
    /// By what those of so many nodes tell that answer.
    fn of(told: &[BTreeSet<String>], nodes: usize, at: Moment) -> Self {
        let mut knowing = BTreeMap::<&str, usize>::new();
        for name in told.iter().flatten() {
            *knowing.entry(name).or_default() += 1;
        }
        let all = knowing.iter().filter(|(_, knowing)| **knowing == nodes);
        Self {
            at,
            everywhere: all.map(|(name, _)| (*name).to_owned()).collect(),
            somewhere: knowing.keys().map(|name| (*name).to_owned()).collect(),
        }
    }

    /// Whether one node may know an attribute and another one not.
    fn is_uneven(&self, name: &str) -> bool {
        self.somewhere.contains(name) && !self.everywhere.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(nodes: &[&[&str]], of: usize, epoch: u64) -> Known {
        let names = |names: &&[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let told: Vec<BTreeSet<String>> = nodes.iter().map(names).collect();
        Known::of(&told, of, moment(epoch))
    }

    fn moment(epoch: u64) -> Moment {
        Moment { epoch, map: 1, created_at: OffsetDateTime::UNIX_EPOCH }
    }

    #[test]
    fn attributes_of_some_nodes_are_uneven() {
        let all = known(&[&["a", "b", "b.x"], &["a", "b"]], 2, 1);
        assert!(!all.is_uneven("a") && !all.is_uneven("b") && all.is_uneven("b.x"));
        assert!(!all.is_uneven("c"), "nobody's is nobody's");
        assert!(known(&[&["a"]], 2, 1).is_uneven("a"), "a node did not answer");
    }

    #[test]
    fn what_all_nodes_know_stays_known() {
        let attributes = KnownAttributes::default();
        attributes.keep("films", known(&[&["a", "b"], &["a"]], 2, 1));
        let is_known =
            |name: &str, now| attributes.of("films", &BTreeSet::from([name.to_owned()]), now).is_some();
        assert!(is_known("a", moment(1)) && is_known("b", moment(1)) && is_known("c", moment(1)));
        assert!(is_known("a", moment(2)) && !is_known("b", moment(2)) && !is_known("c", moment(2)));
        assert!(!is_known("a", Moment { map: 2, ..moment(2) }), "shards have moved");
    }
}
