//! What is kept with the log beside the map: the plan, the nodes that joined by it, the tasks that nodes are known to have.

use std::collections::BTreeMap;

use miroir_log::{Log, LogError, RecordKind};
use miroir_nodes::Witness;
use miroir_shard::ShardMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Mover,
    change::{Change, ChangeError, NewNode},
    plan::Plan,
    remote::MoveError,
};

const KIND: RecordKind = RecordKind::FleetChange;
const PLAN: &str = "plan";
const NODE: &str = "node/";
const GONE: &str = "gone/";
const CONFIGURED: &str = "configured";

/// The nodes that the log knows of beside the configuration.
#[derive(Debug, Default)]
pub struct KeptNodes {
    /// Those that joined, with their addresses and keys.
    pub joined: Vec<NewNode>,
    /// The names of those that left.
    pub left: Vec<String>,
    /// What the configuration said when the fleet was last made what it says.
    pub configured: Option<Configured>,
}

/// What a configuration says of shares and copies. What is changed by commands stays as it is until the configuration itself
/// is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Configured {
    /// How many nodes of each group hold every shard.
    pub replicas: u8,
    /// The nodes' shares of their groups' shards.
    pub weights: BTreeMap<String, u32>,
}

impl Configured {
    /// What makes the fleet what this says, where that is something else than `before`; with the nodes that are to join.
    pub fn change(&self, before: &Self, map: &ShardMap, joining: Vec<NewNode>) -> Option<Change> {
        let layout = map.layout();
        let members = layout.groups.iter().flat_map(|group| &group.nodes);
        let weights: BTreeMap<String, u32> = members
            .filter_map(|member| {
                let weight = *self.weights.get(&member.name)?;
                let is_new = before.weights.get(&member.name) != Some(&weight) && member.weight != weight;
                is_new.then(|| (member.name.clone(), weight))
            })
            .collect();
        let differs = layout.groups.iter().any(|group| group.replicas != self.replicas);
        let replicas = (self.replicas != before.replicas && differs).then_some(self.replicas);
        let nothing = joining.is_empty() && weights.is_empty() && replicas.is_none();
        (!nothing).then_some(Change::Adapt { nodes: joining, weights, replicas })
    }

    /// Keeps it: the fleet is what it says, or will be.
    pub async fn keep(&self, log: &dyn Log) -> Result<(), LogError> {
        log.put_record(KIND, CONFIGURED, serde_json::to_value(self)?).await
    }
}

impl KeptNodes {
    /// Reads them back.
    pub async fn read(log: &dyn Log) -> Result<Self, LogError> {
        Ok(Kept::read(log).await?.nodes)
    }
}

/// What was kept of the fleet.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) plan: Option<Plan>,
    pub(crate) nodes: KeptNodes,
    /// The newest task that a node is known to have had.
    pub(crate) tasks: Vec<(String, EndedTask)>,
}

/// What is known of a node's tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum EndedTask {
    /// The newest one, and by what the node is known again.
    Known { newest: u32, witness: Witness },
    /// The newest one.
    Newest(u32),
}

impl Kept {
    /// Reads it back. What cannot be read is left out and said.
    pub(crate) async fn read(log: &dyn Log) -> Result<Self, LogError> {
        let mut kept = Self::default();
        for (id, value) in log.records(KIND).await? {
            if id == PLAN {
                kept.plan = readable(&id, value);
            } else if id == CONFIGURED {
                kept.nodes.configured = readable(&id, value);
            } else if id.starts_with(NODE) {
                kept.nodes.joined.extend(readable::<NewNode>(&id, value));
            } else if let Some(name) = id.strip_prefix(GONE) {
                kept.nodes.left.push(name.to_owned());
            }
        }
        for (name, value) in log.records(RecordKind::EndedTask).await? {
            kept.tasks.extend(readable(&name, value).map(|newest| (name, newest)));
        }
        Ok(kept)
    }
}

fn readable<T: serde::de::DeserializeOwned>(id: &str, value: Value) -> Option<T> {
    serde_json::from_value(value)
        .inspect_err(|error| tracing::error!(%error, id, "a record of the fleet cannot be read"))
        .ok()
}

/// A change that could not be kept, as operators are told.
pub(super) fn stored(error: MoveError) -> ChangeError {
    ChangeError::Log(match error {
        MoveError::Full => LogError::StorageFull,
        other => LogError::Damaged(other.to_string()),
    })
}

impl Mover {
    /// One change at a time.
    pub(super) fn nothing_under_way(&self) -> Result<(), ChangeError> {
        match self.plan.lock().as_ref().filter(|plan| plan.is_open()) {
            Some(plan) => Err(ChangeError::UnderWay(plan.what.clone())),
            None => Ok(()),
        }
    }

    /// Keeps a plan, then works by it.
    pub(super) async fn store_plan(&self, plan: Plan) -> Result<(), MoveError> {
        self.keep_plan(&plan).await?;
        *self.plan.lock() = Some(plan);
        Ok(())
    }

    /// Has the plan be what it was before. Where the log does not take that either, a restart goes on with the other one.
    pub(super) async fn put_back(&self, before: Option<Plan>) {
        let kept = match &before {
            Some(plan) => self.keep_plan(plan).await,
            None => self.log.delete_record(KIND, PLAN).await.map(drop).map_err(MoveError::from),
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "a change that was not begun is begun after a restart");
        }
        *self.plan.lock() = before;
    }

    async fn keep_plan(&self, plan: &Plan) -> Result<(), MoveError> {
        let value = serde_json::to_value(plan).map_err(|error| MoveError::Stored(error.to_string()))?;
        Ok(self.log.put_record(KIND, PLAN, value).await?)
    }

    /// Changes the plan, where there is one.
    pub(super) async fn change_plan(&self, change: impl FnOnce(&mut Plan)) -> Result<(), MoveError> {
        // What an operator has changed is not to be put back by a wave that ends, nor the other way round.
        let _turn = self.plan_turn.lock().await;
        let Some(mut plan) = self.plan.lock().clone() else { return Ok(()) };
        change(&mut plan);
        self.keep_plan(&plan).await?;
        let mut now = self.plan.lock();
        // What has been copied meanwhile counts.
        let copied = now.as_ref().map_or((plan.documents, plan.bytes), |now| (now.documents, now.bytes));
        (plan.documents, plan.bytes) = copied;
        *now = Some(plan);
        Ok(())
    }

    /// Keeps how a node that joins is reached.
    pub(super) async fn remember(&self, node: &NewNode) -> Result<(), LogError> {
        let value = serde_json::to_value(node)?;
        self.log.delete_record(KIND, &format!("{GONE}{}", node.name)).await?;
        self.log.put_record(KIND, &format!("{NODE}{}", node.name), value).await
    }

    /// Keeps that a node leaves, so that a configuration which still names it does not bring it back. As long as it is in the
    /// map that says nothing.
    pub(super) async fn keep_away(&self, node: &str) -> Result<(), MoveError> {
        Ok(self.log.put_record(KIND, &format!("{GONE}{node}"), json!(true)).await?)
    }

    /// Forgets how a node that has left is reached.
    pub(super) async fn forget(&self, node: &str) -> Result<(), MoveError> {
        self.log.delete_record(KIND, &format!("{NODE}{node}")).await?;
        Ok(())
    }

    /// Keeps the newest task of every node, so that one that loses its data while the gateway is away is found out.
    pub(super) async fn keep_known_tasks(&self) {
        let topology = self.topology.load();
        for node in topology.fleet.iter() {
            let Some(newest) = node.health().newest_ended().filter(|_| node.health().is_trusted()) else {
                continue;
            };
            let ended = match node.health().witness() {
                Some(witness) => EndedTask::Known { newest, witness },
                None => EndedTask::Newest(newest),
            };
            let known = self.kept_tasks.lock().insert(node.name().to_owned(), ended.clone());
            if known.as_ref() == Some(&ended) {
                continue;
            }
            let kept = self.log.put_record(RecordKind::EndedTask, node.name(), json!(ended)).await;
            if let Err(error) = kept {
                tracing::debug!(%error, node = node.name(), "newest task not kept");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::layout;

    fn configured(replicas: u8, weight: u32) -> Configured {
        Configured {
            replicas,
            weights: BTreeMap::from([("g0n0".to_owned(), weight), ("g0n1".to_owned(), 1)]),
        }
    }

    #[test]
    fn a_configuration_that_stays_changes_nothing_whatever_commands_did() {
        let mut changed = layout(&[2], 2);
        changed.groups[0].nodes[0].weight = 5;
        let map = ShardMap::place(&changed).expect("a map");
        assert_eq!(configured(1, 1).change(&configured(1, 1), &map, Vec::new()), None);
    }

    #[test]
    fn what_is_changed_in_a_configuration_is_changed_in_the_fleet() {
        let map = ShardMap::place(&layout(&[2], 1)).expect("a map");
        let change = configured(2, 3).change(&configured(1, 1), &map, Vec::new());
        let weights = BTreeMap::from([("g0n0".to_owned(), 3)]);
        assert_eq!(change, Some(Change::Adapt { nodes: Vec::new(), weights, replicas: Some(2) }));
    }
}
