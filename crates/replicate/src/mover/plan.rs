//! How far a change of the fleet is.

use miroir_shard::{Move, ShardId, ShardMap, diff};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

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
    /// The shards that nobody can give and that start from nothing, as an operator has accepted.
    #[serde(default)]
    pub(crate) lost: Vec<ShardId>,
    /// The map before it; the wanted one. For a rebuild both are the same.
    pub(crate) origin: ShardMap,
    pub(crate) target: ShardMap,
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
            lost: Vec::new(),
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

    /// The map that it comes from.
    pub(crate) fn left(&self) -> &ShardMap {
        if self.state == PlanState::Aborting { &self.target } else { &self.origin }
    }

    /// Whether it can be taken back from this map: once nodes have left, it is as good as done.
    pub(crate) fn is_reversible(&self, map: &ShardMap) -> bool {
        self.origin.nodes().iter().all(|node| map.node_id(&node.name).is_some())
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
            "shardsLost": (!self.lost.is_empty()).then_some(&self.lost),
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
    use crate::{mover::Change, testing::layout};

    #[test]
    fn a_plan_on_its_way_back_goes_where_it_came_from() {
        let map = ShardMap::place(&layout(&[3, 3], 1)).expect("a map");
        let target = Change::Drain { node: "g0n0".to_owned() }.target(&map).expect("a map");
        let mut plan = Plan::new("drain".to_owned(), map.clone(), target.clone());
        assert_eq!(plan.goal(), &target);
        assert_eq!(plan.view(&map)["shardsLeft"], plan.shards);
        plan.state = PlanState::Aborting;
        assert_eq!((plan.goal(), plan.left()), (&map, &target));
        plan.end();
        assert!(plan.state == PlanState::Aborted && !plan.is_open());
    }

    #[test]
    fn nobody_who_has_left_is_brought_back() {
        let map = ShardMap::place(&layout(&[3, 3], 1)).expect("a map");
        let target = Change::Remove { node: "g0n0".to_owned() }.target(&map).expect("a map");
        let plan = Plan::new("remove".to_owned(), map.clone(), target.clone());
        assert!(plan.is_reversible(&map) && !plan.is_reversible(&target));
    }
}
