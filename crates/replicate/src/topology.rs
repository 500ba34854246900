//! Which nodes there are and what each holds.

use std::sync::Arc;

use arc_swap::ArcSwap;
use miroir_nodes::Fleet;
use miroir_shard::ShardMap;

/// The shard map and the clients of its nodes, as one immutable value.
#[derive(Debug)]
pub struct Topology {
    /// Who owns what.
    pub map: ShardMap,
    /// The nodes' clients; every node of the map is in it.
    pub fleet: Fleet,
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
