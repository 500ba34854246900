//! Which nodes a read asks.

use std::sync::atomic::Ordering;

use miroir_nodes::Node;
use miroir_replicate::Topology;
use miroir_shard::{Ask, NodeId, ShardId, Slot};

use crate::state::Gateway;

/// What a node that has been failing lately costs, against one that has not.
const SUSPECT: u32 = 1_000;

/// The nodes that together hold every shard that can be read, each shard once.
#[derive(Debug)]
pub(super) struct Targets {
    /// Who is asked.
    pub asked: Vec<Target>,
    /// The shards of which no copy can be read.
    pub missing: Vec<ShardId>,
}

/// One node of a read.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Its place in the map.
    pub id: NodeId,
    /// Its client.
    pub node: Node,
    /// The filter that leaves of its documents what is wanted of it; none where that is all of them.
    pub filter: Option<String>,
}

impl Targets {
    /// Plans a read of a whole index without the nodes `failed`. A node behind the index's finished tasks is not asked.
    pub(super) fn of_index(gateway: &Gateway, index: &str, failed: &[NodeId]) -> Self {
        let topology = gateway.topology.load();
        let groups = u32::try_from(topology.map.groups().len()).unwrap_or(1).max(1);
        let turn = if groups > 1 { gateway.turns.fetch_add(1, Ordering::Relaxed) % groups } else { 0 };
        let plan = topology.map.nodes_for_search(|id| {
            let group = u32::from(topology.map.node(id)?.group);
            Some(cost(gateway, &topology, index, failed, id)? + (group + groups - turn) % groups)
        });
        let asked = plan.asks.iter().filter_map(|ask| target(&topology, ask)).collect();
        Self { asked, missing: plan.missing }
    }

    /// Whether a read could be answered in full without any of the nodes asked.
    pub(crate) fn has_alternative(&self, gateway: &Gateway, index: &str, failed: &[NodeId]) -> bool {
        let topology = gateway.topology.load();
        if topology.map.groups().len() <= 1 {
            return false;
        }
        let without: Vec<NodeId> =
            failed.iter().copied().chain(self.asked.iter().map(|target| target.id)).collect();
        let plan = topology.map.nodes_for_search(|id| cost(gateway, &topology, index, &without, id));
        plan.missing.is_empty()
    }

    /// The nodes that hold a document, the one to ask first in front.
    pub(super) fn of_document(gateway: &Gateway, index: &str, id: &str) -> Vec<Node> {
        let topology = gateway.topology.load();
        let owners = topology.map.owners(Slot::of(id)).filter(|owner| owner.state.is_read());
        let mut nodes: Vec<(u32, Node)> = owners
            .filter_map(|owner| {
                let cost = cost(gateway, &topology, index, &[], owner.node)?;
                let node = topology.fleet.get(&topology.map.node(owner.node)?.name)?;
                Some((cost, node.clone()))
            })
            .collect();
        nodes.sort_by_key(|(cost, _)| *cost);
        nodes.into_iter().map(|(_, node)| node).collect()
    }
}

fn cost(gateway: &Gateway, topology: &Topology, index: &str, failed: &[NodeId], id: NodeId) -> Option<u32> {
    let name = &topology.map.node(id)?.name;
    if failed.contains(&id) || !gateway.progress.is_fresh(name, index) {
        return None;
    }
    let node = topology.fleet.get(name)?;
    Some(if node.health().is_up() { 0 } else { SUSPECT })
}

fn target(topology: &Topology, ask: &Ask) -> Option<Target> {
    let node = topology.fleet.get(&topology.map.node(ask.node)?.name)?.clone();
    let filter = ask.shards.as_ref().map(|shards| topology.map.filter(shards));
    Some(Target { id: ask.node, node, filter })
}
