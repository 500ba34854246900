//! A node becomes a member: empty, but with every index as it is at one place in the log, from where its part of it starts.

use std::sync::Arc;

use http::Method;
use miroir_log::{Catalog, IndexRecord};
use miroir_nodes::{HealthState, NEWEST_ENDED, Node};
use miroir_protocol::settings::Settings;
use serde_json::{Value, json};

use super::{
    LOOK_AGAIN, Mover,
    remote::{MoveError, Remote},
};
use crate::physical;

impl Mover {
    /// Whether a node is sent its part of the log already.
    pub(super) fn is_member(&self, node: &str) -> bool {
        self.crew.has(node)
    }

    /// A node of the map that is sent nothing though no change is under way: it was drained before it had ever been heard of,
    /// and the gateway began anew.
    pub(super) fn outsider(&self) -> Option<Node> {
        let topology = self.topology.load();
        let mut outsiders = topology.fleet.iter().filter(|node| !self.is_member(node.name()));
        let node =
            outsiders.find(|node| node.health().answers() && topology.map.node_id(node.name()).is_some());
        node.map(Node::with_own_connections)
    }

    /// Waits until a node has lost its data: it takes no copies then.
    pub(super) async fn is_lost(&self, node: &Node) {
        while node.health().state() != HealthState::Lost {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Makes a node a member. What it held goes.
    pub(super) async fn admit(&self, node: &Node) -> Result<(), MoveError> {
        let name = node.name();
        // What comes from here on is kept until it has started.
        self.progress.enter(name, 0);
        self.say(format!("preparing {name}"));
        let (position, catalog) = self.catalog_at().await?;
        self.empty(node).await?;
        self.create_indexes(node, &catalog).await?;
        if let Some(introduce) = self.introduce.get()
            && !introduce(node.clone()).await
        {
            return Err(Remote(node).failed("it cannot be told what nodes are to have"));
        }
        let newest = newest_ended(node).await?;
        has_indexes(node, &catalog).await?;
        self.log.forget_node(name).await?;
        if let Some(last) = position.checked_sub(1) {
            self.log.advance(name, last, newest).await?;
            self.log.settle().await?;
        }
        node.health().start_anew(newest);
        self.progress.enter(name, position);
        self.crew.start(node);
        tracing::info!(node = name, position, "node has joined");
        Ok(())
    }

    /// The indexes after all finished entries, and the position up to which these are finished. Both are read until they
    /// belong together.
    async fn catalog_at(&self) -> Result<(u32, std::sync::Arc<Catalog>), MoveError> {
        loop {
            let finished = *self.progress.finished().borrow();
            let catalog = self.log.catalog();
            let unfinished = self.log.unfinished(0, 1).await?;
            let first =
                unfinished.first().map_or_else(|| self.log.positions().next, |logged| logged.entry.uid);
            if first == finished {
                return Ok((finished, catalog));
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    async fn empty(&self, node: &Node) -> Result<(), MoveError> {
        let (remote, tasks) = (Remote(node), self.tasks_of(node));
        for index in remote.indexes().await? {
            remote.write(&tasks, Method::DELETE, &format!("/indexes/{index}"), None).await?;
        }
        Ok(())
    }

    async fn create_indexes(&self, node: &Node, catalog: &Catalog) -> Result<(), MoveError> {
        let (remote, tasks) = (Remote(node), self.tasks_of(node));
        self.same_features(node).await?;
        for index in catalog.indexes.values() {
            let body = json!({ "uid": index.uid, "primaryKey": index.primary_key });
            remote.write(&tasks, Method::POST, "/indexes", Some(&body)).await?;
            let path = format!("/indexes/{}/settings", index.uid);
            let read = Settings::from_value(index.settings.clone()).ok();
            let embedders = read.and_then(|settings| settings.embedders.set());
            let settings = physical::whole(&index.settings, embedders.as_ref());
            remote.write(&tasks, Method::PATCH, &path, Some(&settings)).await?;
        }
        Ok(())
    }

    /// Experimental features are what they are on another node.
    async fn same_features(&self, node: &Node) -> Result<(), MoveError> {
        let topology = self.topology.load();
        let mut others = topology.fleet.iter().filter(|other| other.name() != node.name());
        let Some(other) = others.find(|other| other.health().is_up()) else { return Ok(()) };
        // A node that has no such features needs none.
        let Ok(features) = Remote(other).get("/experimental-features").await else { return Ok(()) };
        let Ok(own) = Remote(node).get("/experimental-features").await else { return Ok(()) };
        let wanted: serde_json::Map<String, Value> = features
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, value)| own.get(*name).is_some_and(|own| own != *value))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        Remote(node).patch("/experimental-features", &Value::Object(wanted)).await
    }
}

/// That a node loses its data after its newest task was looked up is found out by its health. If it lost them before, while it was
/// given its indexes, one of these is not there, or lacks what only the first request for it says.
async fn has_indexes(node: &Node, catalog: &Catalog) -> Result<(), MoveError> {
    let held = Remote(node).listed().await?;
    let is_held = |wanted: &Arc<IndexRecord>| {
        held.iter().any(|index| index.uid == wanted.uid && index.primary_key == wanted.primary_key)
    };
    if catalog.indexes.values().all(is_held) {
        return Ok(());
    }
    Err(Remote(node).failed("it has lost indexes that it had just been given"))
}

/// The newest task that has ended on a node.
pub(super) async fn newest_ended(node: &Node) -> Result<Option<u32>, MoveError> {
    let page = Remote(node).get(NEWEST_ENDED).await?;
    Ok(page["results"][0]["uid"].as_u64().and_then(|uid| u32::try_from(uid).ok()))
}
