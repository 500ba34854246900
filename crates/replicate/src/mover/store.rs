//! What is kept with the log beside the map: the plan, the nodes that joined by it, the tasks that nodes are known to have.

use miroir_log::{Log, LogError, RecordKind};
use serde_json::{Value, json};

use super::{
    Mover,
    plan::{NewNode, Plan},
    remote::MoveError,
};

const KIND: RecordKind = RecordKind::FleetChange;
const PLAN: &str = "plan";
const NODE: &str = "node/";
const GONE: &str = "gone/";
const TASKS: &str = "tasks/";

/// The nodes that the log knows of beside the configuration.
#[derive(Debug, Default)]
pub struct KeptNodes {
    /// Those that joined, with their addresses and keys.
    pub joined: Vec<NewNode>,
    /// The names of those that left.
    pub left: Vec<String>,
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
    pub(crate) tasks: Vec<(String, u32)>,
}

impl Kept {
    /// Reads it back. What cannot be read is left out and said.
    pub(crate) async fn read(log: &dyn Log) -> Result<Self, LogError> {
        let mut kept = Self::default();
        for (id, value) in log.records(KIND).await? {
            if id == PLAN {
                kept.plan = readable(&id, value);
            } else if id.starts_with(NODE) {
                kept.nodes.joined.extend(readable::<NewNode>(&id, value));
            } else if let Some(name) = id.strip_prefix(GONE) {
                kept.nodes.left.push(name.to_owned());
            } else if let Some(name) = id.strip_prefix(TASKS) {
                let newest = value.as_u64().and_then(|uid| u32::try_from(uid).ok());
                kept.tasks.extend(newest.map(|newest| (name.to_owned(), newest)));
            }
        }
        Ok(kept)
    }
}

fn readable<T: serde::de::DeserializeOwned>(id: &str, value: Value) -> Option<T> {
    serde_json::from_value(value)
        .inspect_err(|error| tracing::error!(%error, id, "a record of the fleet cannot be read"))
        .ok()
}

impl Mover {
    /// Keeps a plan, then works by it.
    pub(super) async fn store_plan(&self, plan: Plan) -> Result<(), MoveError> {
        let value = serde_json::to_value(&plan).map_err(|error| MoveError::Stored(error.to_string()))?;
        self.log.put_record(KIND, PLAN, value).await?;
        *self.plan.lock() = Some(plan);
        Ok(())
    }

    /// Changes the plan, where there is one.
    pub(super) async fn change_plan(&self, change: impl FnOnce(&mut Plan)) -> Result<(), MoveError> {
        let Some(mut plan) = self.plan.lock().clone() else { return Ok(()) };
        change(&mut plan);
        self.store_plan(plan).await
    }

    /// Keeps how a node that joins is reached.
    pub(super) async fn remember(&self, node: &NewNode) -> Result<(), LogError> {
        let value = serde_json::to_value(node)?;
        self.log.delete_record(KIND, &format!("{GONE}{}", node.name)).await?;
        self.log.put_record(KIND, &format!("{NODE}{}", node.name), value).await
    }

    /// Keeps that a node has left, so that a configuration which still names it does not bring it back.
    pub(super) async fn forget(&self, node: &str) -> Result<(), MoveError> {
        self.log.delete_record(KIND, &format!("{NODE}{node}")).await?;
        self.log.delete_record(KIND, &format!("{TASKS}{node}")).await?;
        self.log.put_record(KIND, &format!("{GONE}{node}"), json!(true)).await?;
        Ok(())
    }

    /// Keeps the newest task of every node, so that one that loses its data while the gateway is away is found out.
    pub(super) async fn keep_known_tasks(&self) {
        let topology = self.topology.load();
        for node in topology.fleet.iter() {
            let Some(newest) = node.health().newest_ended().filter(|_| node.health().is_trusted()) else {
                continue;
            };
            let known = self.kept_tasks.lock().insert(node.name().to_owned(), newest);
            if known != Some(newest)
                && let Err(error) =
                    self.log.put_record(KIND, &format!("{TASKS}{}", node.name()), json!(newest)).await
            {
                tracing::debug!(%error, node = node.name(), "newest task not kept");
            }
        }
    }
}
