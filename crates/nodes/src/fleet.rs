//! The nodes of a fleet, by name.

use std::collections::BTreeMap;

use crate::node::Node;

/// All nodes the gateway knows; immutable, replaced whole when the fleet changes.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    nodes: BTreeMap<String, Node>,
}

impl Fleet {
    /// The node of that name.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// Every node, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// The same nodes with connections of their own, see [`Node::with_own_connections`].
    #[must_use]
    pub fn with_own_connections(&self) -> Self {
        self.iter().map(Node::with_own_connections).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

impl FromIterator<Node> for Fleet {
    fn from_iter<I: IntoIterator<Item = Node>>(nodes: I) -> Self {
        Self { nodes: nodes.into_iter().map(|node| (node.name().to_owned(), node)).collect() }
    }
}
