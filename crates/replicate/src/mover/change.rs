//! A change of the fleet: what operators ask for, and the map that it leads to.

use std::collections::BTreeMap;

use miroir_shard::{LayoutError, ShardMap};
use serde::{Deserialize, Serialize};

/// A node that joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewNode {
    /// Its name, which no other node has.
    pub name: String,
    /// Its base URL.
    pub url: String,
    /// The key sent to it, one that may do everything there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The group it joins; a new one where there is none of that name.
    #[serde(default = "default_group")]
    pub group: String,
    /// Its share of the group's shards, relative to the others.
    #[serde(default = "default_weight")]
    pub weight: u32,
}

fn default_group() -> String {
    "default".to_owned()
}

fn default_weight() -> u32 {
    1
}

/// A change of the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Change {
    /// Nodes join and get their share of their group's shards.
    Add {
        /// The nodes.
        nodes: Vec<NewNode>,
    },
    /// A node gives all it has to the others of its group, and stays without anything.
    Drain {
        /// The node.
        node: String,
    },
    /// A node gives all it has to the others of its group, and leaves.
    Remove {
        /// The node.
        node: String,
    },
    /// A node's place is taken by a new one.
    Replace {
        /// The node that leaves.
        node: String,
        /// The node that joins, in the group of the other.
        with: NewNode,
    },
    /// A node leaves, or is replaced, whose data nobody can read any more: what only it held is gone for good, and its shards
    /// start from nothing, but for writes that it had not applied.
    AcceptLoss {
        /// The node.
        node: String,
        /// The node that joins in its place.
        #[serde(default)]
        with: Option<NewNode>,
    },
    /// A group leaves with all its nodes.
    DropGroup {
        /// The group.
        group: String,
    },
    /// Every shard is held by so many nodes of each group.
    Replicas {
        /// How many.
        replicas: u8,
    },
    /// A node gets another share of its group's shards.
    Weight {
        /// The node.
        node: String,
        /// Its share, relative to the others.
        weight: u32,
    },
    /// Every shard becomes two. Nothing moves.
    Split {},
    /// Every node gets its share, where that is not so.
    Level {},
    /// Several at once: what a configuration asks for that has been changed.
    Adapt {
        /// Nodes that join.
        #[serde(default)]
        nodes: Vec<NewNode>,
        /// Nodes that get another share of their group's shards.
        #[serde(default)]
        weights: BTreeMap<String, u32>,
        /// How many nodes of each group hold every shard.
        #[serde(default)]
        replicas: Option<u8>,
    },
}

/// Why a change cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// One at a time.
    #[error("another change is under way: {0}; wait until it is done, or abort it")]
    UnderWay(String),
    /// No change is under way.
    #[error("no change of the fleet is under way")]
    Nothing,
    /// What is under way cannot be taken back.
    #[error("a rebuild cannot be taken back")]
    NotReversible,
    /// The fleet cannot be like that.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Nobody of that name.
    #[error("there is no node or group `{0}`")]
    Unknown(String),
    /// The name is taken.
    #[error("there is a node `{0}` already")]
    Exists(String),
    /// Shards are single slots already.
    #[error("shards cannot be split any more")]
    Smallest,
    /// The node cannot join as it is.
    #[error("node `{node}` cannot join: {reason}")]
    Unfit {
        /// The node.
        node: String,
        /// Why.
        reason: String,
    },
    /// The node that is to join does not say what it is: it may be starting.
    #[error("node `{node}` cannot join yet: {reason}")]
    Silent {
        /// The node.
        node: String,
        /// Why.
        reason: String,
    },
    /// The change cannot be stored.
    #[error("the change cannot be stored: {0}")]
    Log(#[from] miroir_log::LogError),
    /// The change cannot be stored.
    #[error("the change cannot be stored: {0}")]
    Map(#[from] miroir_shard::StoredMapError),
}

// === impl Change ===

impl Change {
    /// The change in words.
    pub fn words(&self) -> String {
        match self {
            Self::Add { nodes } => addition(nodes),
            Self::Drain { node } => format!("drain {node}"),
            Self::Remove { node } => format!("remove {node}"),
            Self::Replace { node, with } => format!("replace {node} with {}", with.name),
            Self::AcceptLoss { node, with: None } => format!("accept the loss of {node}"),
            Self::AcceptLoss { node, with: Some(with) } => {
                format!("accept the loss of {node} and replace it with {}", with.name)
            }
            Self::DropGroup { group } => format!("drop group {group}"),
            Self::Replicas { replicas } => format!("keep {replicas} replicas"),
            Self::Weight { node, weight } => format!("give {node} the weight {weight}"),
            Self::Split {} => "split shards".to_owned(),
            Self::Level {} => "level shares".to_owned(),
            Self::Adapt { nodes, weights, replicas } => adaption(nodes, weights, *replicas),
        }
    }

    /// The node that leaves though nobody else may have what it held.
    pub(crate) fn given_up(&self) -> Option<&str> {
        match self {
            Self::AcceptLoss { node, .. } => Some(node),
            _ => None,
        }
    }

    /// The nodes that join.
    pub fn joining(&self) -> &[NewNode] {
        match self {
            Self::Add { nodes } | Self::Adapt { nodes, .. } => nodes,
            Self::Replace { with, .. } | Self::AcceptLoss { with: Some(with), .. } => {
                std::slice::from_ref(with)
            }
            _ => &[],
        }
    }

    /// The map that this one is to become.
    pub fn target(&self, map: &ShardMap) -> Result<ShardMap, ChangeError> {
        if *self == (Self::Split {}) {
            return map.split().ok_or(ChangeError::Smallest);
        }
        if let Some(taken) = self.joining().iter().find(|node| map.node_id(&node.name).is_some()) {
            return Err(ChangeError::Exists(taken.name.clone()));
        }
        let mut layout = map.layout();
        match self {
            Self::Add { nodes } => nodes.iter().for_each(|node| join(&mut layout, node)),
            Self::Drain { node } => member(&mut layout, node)?.weight = 0,
            Self::Weight { node, weight } => member(&mut layout, node)?.weight = *weight,
            Self::Remove { node } | Self::AcceptLoss { node, with: None } => leave(&mut layout, node)?,
            Self::Replace { node, with } | Self::AcceptLoss { node, with: Some(with) } => {
                let old = map.node_id(node).ok_or_else(|| ChangeError::Unknown(node.clone()))?;
                return Ok(map.renamed(old, &with.name));
            }
            Self::DropGroup { group } => {
                let known = layout.groups.len();
                layout.groups.retain(|other| other.name != *group);
                if layout.groups.len() == known {
                    return Err(ChangeError::Unknown(group.clone()));
                }
            }
            Self::Replicas { replicas } => keep_replicas(&mut layout, *replicas),
            Self::Adapt { nodes, weights, replicas } => {
                nodes.iter().for_each(|node| join(&mut layout, node));
                for (node, weight) in weights {
                    member(&mut layout, node)?.weight = *weight;
                }
                replicas.iter().for_each(|replicas| keep_replicas(&mut layout, *replicas));
            }
            Self::Level {} => return Ok(map.rebalanced(&layout)?),
            Self::Split {} => {}
        }
        Ok(map.adapted(&layout)?)
    }
}

fn addition(nodes: &[NewNode]) -> String {
    let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    format!("add {}", names.join(", "))
}

fn adaption(nodes: &[NewNode], weights: &BTreeMap<String, u32>, replicas: Option<u8>) -> String {
    let added = (!nodes.is_empty()).then(|| addition(nodes));
    let weights = weights.iter().map(|(node, weight)| Change::Weight { node: node.clone(), weight: *weight });
    let replicas = replicas.map(|replicas| Change::Replicas { replicas });
    let words = weights.chain(replicas).map(|change| change.words());
    added.into_iter().chain(words).collect::<Vec<_>>().join("; ")
}

fn join(layout: &mut miroir_shard::Layout, node: &NewNode) {
    let member = miroir_shard::NodeLayout { name: node.name.clone(), weight: node.weight };
    match layout.groups.iter_mut().find(|group| group.name == node.group) {
        Some(group) => group.nodes.push(member),
        None => {
            let replicas = layout.groups.iter().map(|group| group.replicas).max().unwrap_or(1);
            let name = node.group.clone();
            layout.groups.push(miroir_shard::GroupLayout { name, replicas, nodes: vec![member] });
        }
    }
}

fn keep_replicas(layout: &mut miroir_shard::Layout, replicas: u8) {
    layout.groups.iter_mut().for_each(|group| group.replicas = replicas);
}

fn leave(layout: &mut miroir_shard::Layout, node: &str) -> Result<(), ChangeError> {
    member(layout, node)?;
    layout.groups.iter_mut().for_each(|group| group.nodes.retain(|member| member.name != node));
    if layout.groups.len() > 1 {
        layout.groups.retain(|group| !group.nodes.is_empty());
    }
    Ok(())
}

fn member<'a>(
    layout: &'a mut miroir_shard::Layout,
    node: &str,
) -> Result<&'a mut miroir_shard::NodeLayout, ChangeError> {
    let mut members = layout.groups.iter_mut().flat_map(|group| &mut group.nodes);
    members.find(|member| member.name == node).ok_or_else(|| ChangeError::Unknown(node.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mover::plan::to_fill, testing::layout};

    fn map() -> ShardMap {
        ShardMap::place(&layout(&[3, 3], 1)).expect("a map")
    }

    fn new_node(name: &str, group: &str) -> NewNode {
        NewNode {
            name: name.to_owned(),
            url: "http://127.0.0.1:1".to_owned(),
            key: None,
            group: group.to_owned(),
            weight: 1,
        }
    }

    fn names(map: &ShardMap) -> Vec<&str> {
        map.nodes().iter().map(|node| node.name.as_str()).collect()
    }

    #[test]
    fn a_node_that_joins_only_gets() {
        let map = map().rebalanced(&layout(&[3, 3], 1)).expect("a map");
        let target = Change::Add { nodes: vec![new_node("x", "g0")] }.target(&map).expect("a map");
        let moves = to_fill(&map, &target);
        assert!(!moves.is_empty() && moves.iter().all(|step| step.to.as_deref() == Some("x")));
    }

    #[test]
    fn a_replacement_takes_just_what_the_other_had() {
        let map = map();
        let node = map.node_id("g0n1").expect("a node");
        let had: Vec<_> = map.shards_of(node).map(|(shard, _)| shard).collect();
        let change = Change::Replace { node: "g0n1".to_owned(), with: new_node("x", "elsewhere") };
        let target = change.target(&map).expect("a map");
        let moves = to_fill(&map, &target);
        assert_eq!(moves.iter().map(|step| step.shard).collect::<Vec<_>>(), had);
        assert!(moves.iter().all(|step| step.from.as_deref() == Some("g0n1") && step.group == "g0"));
        assert!(!names(&target).contains(&"g0n1"));
    }

    #[test]
    fn who_leaves_gives_everything_to_its_group() {
        let map = map();
        let drained = Change::Drain { node: "g1n0".to_owned() }.target(&map).expect("a map");
        let removed = Change::Remove { node: "g1n0".to_owned() }.target(&map).expect("a map");
        assert!(names(&drained).contains(&"g1n0") && !names(&removed).contains(&"g1n0"));
        for target in [drained, removed] {
            assert!(to_fill(&map, &target).iter().all(|step| step.group == "g1"));
        }
        let dropped = Change::DropGroup { group: "g1".to_owned() }.target(&map).expect("a map");
        assert!(to_fill(&map, &dropped).is_empty());
        assert_eq!(dropped.groups().len(), 1);
    }

    #[test]
    fn a_changed_configuration_is_one_change() {
        let map = map();
        let change = Change::Adapt {
            nodes: vec![new_node("x", "g0")],
            weights: BTreeMap::from([("g1n0".to_owned(), 7)]),
            replicas: Some(2),
        };
        assert_eq!(change.words(), "add x; give g1n0 the weight 7; keep 2 replicas");
        let layout = change.target(&map).expect("a map").layout();
        assert!(layout.groups.iter().all(|group| group.replicas == 2));
        assert_eq!((layout.groups[0].nodes.len(), layout.groups[1].nodes[0].weight), (4, 7));
    }

    #[test]
    fn whoever_is_given_up_leaves_as_others_do() {
        let map = map();
        let accepted =
            |with| Change::AcceptLoss { node: "g0n1".to_owned(), with }.target(&map).expect("a map");
        let removed = Change::Remove { node: "g0n1".to_owned() }.target(&map).expect("a map");
        assert_eq!(accepted(None), removed);
        assert!(names(&accepted(Some(new_node("x", "g0")))).contains(&"x"));
    }

    #[test]
    fn impossible_changes_are_refused() {
        let map = map();
        let refused = |change: Change| change.target(&map).expect_err("refused").to_string();
        assert!(refused(Change::Drain { node: "x".to_owned() }).contains("`x`"));
        assert!(refused(Change::Add { nodes: vec![new_node("g0n0", "g0")] }).contains("already"));
        assert!(refused(Change::Replicas { replicas: 9 }).contains("at least 9 nodes"));
    }
}
