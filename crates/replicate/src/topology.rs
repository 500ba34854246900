//! Which nodes there are and what each holds.

use std::sync::Arc;

use arc_swap::ArcSwap;
use miroir_nodes::Fleet;
use miroir_shard::{NodeId, ShardMap};

use crate::progress::Progress;

/// What a node that has been failing lately costs, against one that has not.
const SUSPECT: u32 = 1_000;

/// The shard map and the clients of its nodes, as one immutable value.
#[derive(Debug)]
pub struct Topology {
    /// Who owns what.
    pub map: ShardMap,
    /// The nodes' clients; every node of the map is in it.
    pub fleet: Fleet,
}

impl Topology {
    /// What it costs to read a node for indexes, lower is better; `None` where it must not be read: it is behind the
    /// finished tasks of one of them, or its data are not known to be what they were.
    pub fn read_cost(&self, progress: &Progress, indexes: &[&str], node: NodeId) -> Option<u32> {
        let name = &self.map.node(node)?.name;
        let health = self.fleet.get(name)?.health();
        let fresh = indexes.iter().all(|index| progress.is_fresh(name, index));
        (fresh && health.is_trusted()).then_some(if health.is_up() { 0 } else { SUSPECT })
    }
}

/// The topology as it is now. A request loads it once and keeps that to its end.
#[derive(Clone, Debug)]
pub struct CurrentTopology(Arc<ArcSwap<Topology>>);

impl CurrentTopology {
    /// Starts with this one.
    pub fn new(topology: Topology) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(topology)))
    }

    /// The topology now.
    pub fn load(&self) -> Arc<Topology> {
        self.0.load_full()
    }

    /// Puts another one in its place, and gives the one before: whoever has loaded that still works with it.
    pub(crate) fn replace(&self, topology: Topology) -> Arc<Topology> {
        self.0.swap(Arc::new(topology))
    }
}
