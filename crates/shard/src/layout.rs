//! What a fleet looks like, before anything is placed on it.

use std::collections::HashSet;

use crate::codes::MAX_SHARD_BITS;

/// The nodes to place shards on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// There are `2^shard_bits` shards, at most one per slot.
    pub shard_bits: u32,
    /// The groups: each holds a full copy of everything.
    pub groups: Vec<GroupLayout>,
}

/// One group of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLayout {
    /// The group's name.
    pub name: String,
    /// How many nodes of the group hold each shard.
    pub replicas: u8,
    /// The group's nodes.
    pub nodes: Vec<NodeLayout>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeLayout {
    /// The node's name, which no other node of any group has.
    pub name: String,
    /// The node's share, relative to the others of its group; with 0 it holds nothing.
    pub weight: u32,
}

/// A layout on which nothing can be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// More shards than slots.
    #[error("there can be at most 16384 shards, but 2^{0} are asked for")]
    TooManyShards(u32),
    /// No group at all.
    #[error("there is no group of nodes")]
    NoGroup,
    /// More nodes or groups than a map can name.
    #[error("there are more than 65535 nodes or groups")]
    TooManyNodes,
    /// Two groups of one name.
    #[error("two groups are named `{0}`")]
    DuplicateGroup(String),
    /// Two nodes of one name.
    #[error("two nodes are named `{0}`")]
    DuplicateNode(String),
    /// Another number of shards than the map's.
    #[error("the map has 2^{current} shards, the layout 2^{wanted}: split the map first")]
    OtherShards {
        /// The map's.
        current: u32,
        /// The layout's.
        wanted: u32,
    },
    /// A group that cannot hold as many copies as it should.
    #[error("group `{group}` needs at least {needed} nodes with a weight above 0, but has {found}")]
    NotEnoughNodes {
        /// The group.
        group: String,
        /// One node for every copy, and at least one.
        needed: u8,
        /// How many there are.
        found: usize,
    },
}

impl Layout {
    /// Finds the first thing that makes the layout impossible.
    pub fn check(&self) -> Result<(), LayoutError> {
        if self.shard_bits > MAX_SHARD_BITS {
            return Err(LayoutError::TooManyShards(self.shard_bits));
        }
        if self.groups.is_empty() {
            return Err(LayoutError::NoGroup);
        }
        let nodes: usize = self.groups.iter().map(|group| group.nodes.len()).sum();
        if nodes.max(self.groups.len()) > usize::from(u16::MAX) {
            return Err(LayoutError::TooManyNodes);
        }
        let (mut groups, mut names) = (HashSet::new(), HashSet::new());
        for group in &self.groups {
            if !groups.insert(&group.name) {
                return Err(LayoutError::DuplicateGroup(group.name.clone()));
            }
            if let Some(node) = group.nodes.iter().find(|node| !names.insert(&node.name)) {
                return Err(LayoutError::DuplicateNode(node.name.clone()));
            }
            let found = group.nodes.iter().filter(|node| node.weight > 0).count();
            let needed = group.replicas.max(1);
            if found < usize::from(needed) || group.replicas == 0 {
                return Err(LayoutError::NotEnoughNodes { group: group.name.clone(), needed, found });
            }
        }
        Ok(())
    }

    /// How many shards there are.
    pub fn shards(&self) -> u16 {
        1 << self.shard_bits.min(MAX_SHARD_BITS)
    }
}
