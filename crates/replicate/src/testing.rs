//! What the unit tests of several modules start from.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use miroir_log::{Entry, Method, Operation, PayloadContent, PayloadRef};
use miroir_nodes::{Node, NodeConfig};
use miroir_shard::{GroupLayout, Layout, NodeLayout, ShardMap};
use time::OffsetDateTime;

use crate::{
    prepared::{Effect, Prepared},
    topology::Topology,
    work::Work,
};

/// Groups of so many nodes, named `g0n0`, `g0n1`, ..., with 16 shards.
pub(crate) fn layout(groups: &[usize], replicas: u8) -> Layout {
    let node = |group, node| NodeLayout { name: format!("g{group}n{node}"), weight: 1 };
    let group = |(group, nodes): (usize, &usize)| GroupLayout {
        name: format!("g{group}"),
        replicas,
        nodes: (0..*nodes).map(|place| node(group, place)).collect(),
    };
    Layout { shard_bits: 4, groups: groups.iter().enumerate().map(group).collect() }
}

pub(crate) fn topology(groups: &[usize], replicas: u8) -> Topology {
    topology_of(&layout(groups, replicas))
}

pub(crate) fn topology_of(layout: &Layout) -> Topology {
    let map = ShardMap::place(layout).expect("a map");
    let fleet = map.nodes().iter().map(|node| client(&node.name, "127.0.0.1:1")).collect();
    Topology { map, fleet }
}

pub(crate) fn client(name: &str, authority: &str) -> Node {
    let config = NodeConfig {
        name: name.to_owned(),
        authority: authority.to_owned(),
        key: None,
        connect_timeout: Duration::from_secs(1),
        max_idle: 1,
        max_answer: 1 << 20,
    };
    Node::new(config).expect("a node")
}

/// An entry for the index `movies`.
pub(crate) fn entry(uid: u32, operation: Operation) -> Entry {
    let index_uid = Some("movies".to_owned());
    Entry { uid, index_uid, operation, custom_metadata: None, enqueued_at: OffsetDateTime::UNIX_EPOCH }
}

/// Documents of that many bytes.
pub(crate) fn addition(bytes: u64) -> Operation {
    let content = PayloadContent::Inline { bytes: Bytes::new() };
    Operation::DocumentAdditionOrUpdate {
        method: Method::Replace,
        primary_key: None,
        payload: PayloadRef { bytes, documents: 1, checksum: None, content },
        allow_index_creation: true,
        skip_creation: false,
    }
}

/// The effect of adding a document to an index that has its primary key.
pub(crate) fn plain() -> Effect {
    Effect { primary_key: Some("id".to_owned()), documents: 1, ..Effect::default() }
}

pub(crate) fn work(uid: u32, operation: Operation, effect: Effect) -> Work {
    let prepared = Arc::new(Prepared::Apply(effect));
    Work { entry: Arc::new(entry(uid, operation)), prepared, started: true, finished: false }
}
