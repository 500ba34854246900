//! Who holds what, and who can give it.

use miroir_nodes::{HealthState, Node};
use miroir_shard::ShardId;

use super::{Mover, plan::Plan, remote::MoveError};
use crate::completion::goes_along;

impl Mover {
    /// A node to copy a shard from: one that is read for it, the one that is furthest.
    pub(super) fn source(&self, shard: ShardId, to: &str) -> Result<Node, MoveError> {
        self.furthest_source(shard, to, |node| node.health().answers())
    }

    /// The same where none answers as it should: one that is busy may take long over everything, and still give what it has.
    pub(super) fn busy_source(&self, shard: ShardId, to: &str) -> Result<Node, MoveError> {
        let is_down = |node: &Node| matches!(node.health().state(), HealthState::Down { .. });
        self.source(shard, to).or_else(|_| self.furthest_source(shard, to, |node| !is_down(node)))
    }

    fn furthest_source(
        &self,
        shard: ShardId,
        to: &str,
        can_give: impl Fn(&Node) -> bool,
    ) -> Result<Node, MoveError> {
        let topology = self.topology.load();
        let readable = topology.map.shard_owners(shard).filter(|owner| owner.state.is_read());
        let names = readable.filter_map(|owner| Some(topology.map.node(owner.node)?.name.as_str()));
        let nodes = names.filter(|name| *name != to).filter_map(|name| topology.fleet.get(name));
        let usable = nodes.filter(|node| node.health().is_trusted() && can_give(node));
        let furthest = usable.max_by_key(|node| self.progress.applied(node.name()));
        furthest.map(Node::with_own_connections).ok_or(MoveError::NoSource(shard.0))
    }

    /// Whether a shard that nobody can give starts from nothing.
    pub(super) fn is_given_up(&self, shard: ShardId) -> bool {
        self.plan.lock().as_ref().is_some_and(|plan| plan.is_open() && plan.lost.contains(&shard))
    }

    /// How far all nodes are that are sent their part of the log. One that is being prepared will have what was finished then.
    pub(super) fn least_applied(&self) -> u32 {
        let topology = self.topology.load();
        let members = topology.fleet.iter().map(Node::name).filter(|name| self.is_member(name));
        members.map(|name| self.progress.applied(name)).min().unwrap_or(0)
    }

    /// Whether every node, whatever it is doing, is past an entry.
    pub(super) fn all_have_applied(&self, uid: u32) -> bool {
        self.topology.load().fleet.iter().all(|node| self.progress.applied(node.name()) > uid)
    }

    pub(super) fn most_applied(&self) -> u32 {
        let topology = self.topology.load();
        topology.fleet.iter().map(|node| self.progress.applied(node.name())).max().unwrap_or(0)
    }

    /// Whether a node has applied everything before `position`, and so has everybody else that tasks wait for once its
    /// group is whole.
    pub(super) fn group_has_applied(&self, node: &str, position: u32) -> bool {
        let topology = self.topology.load();
        let map = &topology.map;
        let group = map.node_id(node).and_then(|id| map.node(id)).map(|node| node.group);
        let others = map.nodes().iter().filter(|other| Some(other.group) == group && other.name != node);
        let is_read = |name: &str| {
            map.node_id(name).is_some_and(|id| map.shards_of(id).any(|(_, state)| state.is_read()))
        };
        let furthest = self.most_applied();
        let mut counting = others
            .map(|other| other.name.as_str())
            .filter(|name| is_read(name) && goes_along(&topology, &self.progress, name, furthest));
        let has = |name: &str| self.progress.applied(name) >= position;
        has(node) && counting.all(has)
    }

    /// The shards that nobody but this node is read for, where it is not there to give them.
    pub(super) fn held_alone_by(&self, node: &str) -> Vec<ShardId> {
        let map = &self.topology.load().map;
        let Some(id) = map.node_id(node) else { return Vec::new() };
        let read = map.shards_of(id).filter(|(_, state)| state.is_read());
        read.map(|(shard, _)| shard).filter(|shard| self.source(*shard, "").is_err()).collect()
    }

    /// A node that holds less than it was given, where everything it should hold is elsewhere too, and that is to stay.
    pub(super) fn lost_node(&self) -> Option<Node> {
        let topology = self.topology.load();
        let stays = |node: &&Node| {
            let plan = self.plan.lock();
            let goal = plan.as_ref().filter(|plan| plan.is_open()).map(Plan::goal);
            goal.is_none_or(|goal| goal.node_id(node.name()).is_some())
        };
        let has_lost = |node: &&Node| node.health().state() == HealthState::Lost;
        let lost = topology.fleet.iter().filter(has_lost).filter(stays);
        let mut rebuildable = lost.filter(|node| {
            let Some(id) = topology.map.node_id(node.name()) else { return false };
            let mut read = topology.map.shards_of(id).filter(|(_, state)| state.is_read());
            read.all(|(shard, _)| self.source(shard, node.name()).is_ok())
        });
        rebuildable.next().map(Node::unvouched)
    }
}
