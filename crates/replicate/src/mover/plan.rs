//! What is to become of the fleet, and how far that is.

use miroir_shard::{LayoutError, Move, ShardMap, diff};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

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
    /// The change cannot be stored.
    #[error("the change cannot be stored: {0}")]
    Log(#[from] miroir_log::LogError),
    /// The change cannot be stored.
    #[error("the change cannot be stored: {0}")]
    Map(#[from] miroir_shard::StoredMapError),
}

/// Where a plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PlanState {
    Running,
    Paused,
    /// On the way back.
    Aborting,
    Done,
    Aborted,
}

/// A change that is under way, or was. It is kept with the log, and is all that a restart has to know beside the map.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plan {
    pub(crate) what: String,
    pub(crate) state: PlanState,
    pub(crate) started_at: String,
    #[serde(default)]
    pub(crate) ended_at: Option<String>,
    /// Copies of shards that change hands, and how many have.
    pub(crate) shards: usize,
    pub(crate) moved: usize,
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
    /// The map before it; the wanted one. For a rebuild both are the same.
    pub(crate) origin: ShardMap,
    pub(crate) target: ShardMap,
}

// === impl Change ===

impl Change {
    /// The change in words.
    pub fn words(&self) -> String {
        match self {
            Self::Add { nodes } => {
                let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
                format!("add {}", names.join(", "))
            }
            Self::Drain { node } => format!("drain {node}"),
            Self::Remove { node } => format!("remove {node}"),
            Self::Replace { node, with } => format!("replace {node} with {}", with.name),
            Self::DropGroup { group } => format!("drop group {group}"),
            Self::Replicas { replicas } => format!("keep {replicas} replicas"),
            Self::Weight { node, weight } => format!("give {node} the weight {weight}"),
            Self::Split {} => "split shards".to_owned(),
            Self::Level {} => "level shares".to_owned(),
        }
    }

    /// The nodes that join.
    pub fn joining(&self) -> &[NewNode] {
        match self {
            Self::Add { nodes } => nodes,
            Self::Replace { with, .. } => std::slice::from_ref(with),
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
            Self::Remove { node } => leave(&mut layout, node)?,
            Self::Replace { node, with } => {
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
            Self::Replicas { replicas } => {
                layout.groups.iter_mut().for_each(|group| group.replicas = *replicas);
            }
            Self::Level {} => return Ok(map.rebalanced(&layout)?),
            Self::Split {} => {}
        }
        Ok(map.adapted(&layout)?)
    }
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

// === impl Plan ===

impl Plan {
    pub(crate) fn new(what: String, origin: ShardMap, target: ShardMap) -> Self {
        let shards = diff(&origin, &target).iter().filter(|step| step.to.is_some()).count();
        Self {
            what,
            state: PlanState::Running,
            started_at: now(),
            ended_at: None,
            shards,
            moved: 0,
            documents: 0,
            bytes: 0,
            origin,
            target,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, PlanState::Running | PlanState::Paused | PlanState::Aborting)
    }

    /// The map that it is on the way to.
    pub(crate) fn goal(&self) -> &ShardMap {
        if self.state == PlanState::Aborting { &self.origin } else { &self.target }
    }

    pub(crate) fn end(&mut self) {
        let aborted = self.state == PlanState::Aborting;
        self.state = if aborted { PlanState::Aborted } else { PlanState::Done };
        self.ended_at = Some(now());
    }

    /// As operators see it.
    pub(crate) fn view(&self, map: &ShardMap) -> Value {
        let left = if self.is_open() { to_fill(map, self.goal()).len() } else { 0 };
        let started = OffsetDateTime::parse(&self.started_at, &Rfc3339).ok();
        let ended = self.ended_at.as_deref().and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok());
        let end = ended.unwrap_or_else(OffsetDateTime::now_utc);
        let seconds = started.map_or(0.0, |started| (end - started).as_seconds_f64());
        let rate = |count: f64| if seconds > 0.0 { count / seconds } else { 0.0 };
        let per_second = rate(self.moved as f64);
        json!({
            "change": self.what,
            "state": self.state,
            "startedAt": self.started_at,
            "endedAt": self.ended_at,
            "shards": self.shards,
            "shardsMoved": self.moved,
            "shardsLeft": left,
            "documentsCopied": self.documents,
            "bytesCopied": self.bytes,
            "documentsPerSecond": rate(self.documents as f64).round(),
            "secondsLeft": (left > 0 && per_second > 0.0).then(|| (left as f64 / per_second).ceil()),
        })
    }
}

/// The copies that are still to be made.
pub(crate) fn to_fill(map: &ShardMap, goal: &ShardMap) -> Vec<Move> {
    diff(map, goal).into_iter().filter(|step| step.to.is_some()).collect()
}

fn now() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::layout;

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
    fn impossible_changes_are_refused() {
        let map = map();
        let refused = |change: Change| change.target(&map).expect_err("refused").to_string();
        assert!(refused(Change::Drain { node: "x".to_owned() }).contains("`x`"));
        assert!(refused(Change::Add { nodes: vec![new_node("g0n0", "g0")] }).contains("already"));
        assert!(refused(Change::Replicas { replicas: 9 }).contains("at least 9 nodes"));
    }

    #[test]
    fn a_plan_on_its_way_back_goes_where_it_came_from() {
        let map = map();
        let target = Change::Drain { node: "g0n0".to_owned() }.target(&map).expect("a map");
        let mut plan = Plan::new("drain".to_owned(), map.clone(), target.clone());
        assert_eq!(plan.goal(), &target);
        assert_eq!(plan.view(&map)["shardsLeft"], plan.shards);
        plan.state = PlanState::Aborting;
        assert_eq!(plan.goal(), &map);
        plan.end();
        assert!(plan.state == PlanState::Aborted && !plan.is_open());
    }
}
