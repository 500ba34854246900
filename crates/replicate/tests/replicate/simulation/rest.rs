//! How a run ends: nothing goes wrong any more, everything comes to rest, and is as it should be.

use std::{collections::BTreeMap, time::Duration};

use miroir_log::Log;
use miroir_protocol::tasks::TaskStatus;
use tokio::time::{Instant, sleep};

use super::{
    history::INDEXES,
    invariants::{Violation, holds_just_its_own, readable},
    network::Weather,
    world::World,
};
use crate::fake::FakeNode;

/// How long everything may take to come to rest once nothing goes wrong any more.
const REST: Duration = Duration::from_secs(600);

impl World<'_> {
    /// Everything that goes wrong stops.
    pub(super) fn heal(&self) {
        self.disk.set_full(false);
        for node in &self.nodes {
            node.set_down(false);
            node.hold(false);
            node.fill_disk(0);
            self.network.set_weather(node, Weather::CALM);
        }
    }

    /// Waits until there is nothing left to do.
    pub(super) async fn rest(&mut self) -> Result<(), Violation> {
        let give_up = Instant::now() + REST;
        while !self.is_at_rest() {
            if Instant::now() > give_up {
                return Err(format!("it does not come to rest: {}", self.describe()));
            }
            sleep(Duration::from_millis(100)).await;
            self.check().await?;
        }
        // Those that were sent while something went wrong may not be answered.
        while !self.searches.is_empty() {
            sleep(Duration::from_millis(100)).await;
            self.check().await?;
        }
        self.search();
        sleep(Duration::from_secs(6)).await;
        let unanswered = self.unanswered;
        self.check().await?;
        if self.unanswered > unanswered {
            return Err(format!("a search at rest is not answered: {}", self.describe()));
        }
        Ok(())
    }

    /// One copy loses documents without a word; a scan finds and mends that.
    pub(super) async fn damage_and_mend(&mut self) -> Result<(), Violation> {
        let map = self.gateway().map();
        let holds = |node: &&FakeNode| {
            map.node_id(&node.name).is_some()
                && node.index(INDEXES[1]).is_some_and(|index| !index.documents.is_empty())
        };
        let Some(node) = self.nodes.iter().find(holds).filter(|_| map.groups().len() > 1) else {
            return Ok(());
        };
        let ids: Vec<String> = node
            .index(INDEXES[1])
            .into_iter()
            .flat_map(|index| index.documents.into_keys().take(3))
            .collect();
        self.chance.note(|| format!("{} loses {ids:?}", node.name));
        node.lose_documents(INDEXES[1], &ids.iter().map(String::as_str).collect::<Vec<_>>());
        self.gateway().rebalancer.verify(true);
        let give_up = Instant::now() + REST;
        while self.gateway().rebalancer.verified()["state"] != "done" {
            if Instant::now() > give_up {
                return Err(format!("a scan does not end: {}", self.gateway().rebalancer.verified()));
            }
            sleep(Duration::from_millis(100)).await;
        }
        let report = self.gateway().rebalancer.verified();
        let count = |name: &str| report[name].as_u64().unwrap_or(0);
        let settled = count("documentsMended") + count("documentsUndecided");
        if count("documentsDiffering") != ids.len() as u64 || settled != ids.len() as u64 {
            return Err(format!("a scan has not found or not mended what was lost: {report}"));
        }
        // Of two copies it cannot always be said which is right.
        if count("documentsUndecided") == 0 { self.check_at_rest().await } else { Ok(()) }
    }

    fn is_at_rest(&self) -> bool {
        let gateway = self.gateway();
        let (map, told) = (gateway.map(), self.told());
        let status = gateway.rebalancer.status();
        let whole = readable(&map).values().all(|nodes| !nodes.is_empty())
            && map.shards().all(|shard| map.shard_owners(shard).all(|owner| owner.state.is_read()));
        whole
            && matches!(status["state"].as_str(), Some("none" | "done" | "aborted"))
            && *gateway.progress.finished().borrow() == told
            && map.nodes().iter().all(|node| gateway.progress.applied(&node.name) == told)
            && map.nodes().iter().all(|node| {
                let client = gateway.topology.load().fleet.get(&node.name).cloned();
                client.is_some_and(|client| client.health().is_up() && client.health().is_trusted())
            })
    }

    fn describe(&self) -> String {
        let gateway = self.gateway();
        let topology = gateway.topology.load();
        let nodes = topology.fleet.iter().map(|node| {
            let (name, state) = (node.name(), node.health().state());
            format!("{name} {} {state:?} {}", gateway.progress.applied(name), node.health().is_trusted())
        });
        let nodes: Vec<String> = nodes.collect();
        format!("{}, {:?}, {nodes:?}", gateway.rebalancer.status(), gateway.log.positions())
    }

    /// Looks at what every node holds; gives whether each write has gone well.
    fn check_copies_at_rest(&self) -> Result<Vec<bool>, Violation> {
        let map = self.gateway().map();
        let histories = self.histories.lock();
        for node in self.nodes.iter().filter(|node| map.node_id(&node.name).is_some()) {
            let name = if self.setting.changing { "" } else { &node.name };
            holds_just_its_own(node, &map, &histories[name])?;
        }
        same_places(self.nodes.iter().filter(|node| map.node_id(&node.name).is_some()))?;
        let went_well = |uid| histories.values().all(|history| history.went_well(uid));
        Ok((0..self.gateway().log.positions().next).map(went_well).collect())
    }

    /// What must hold at rest.
    pub(super) async fn check_at_rest(&mut self) -> Result<(), Violation> {
        for (uid, went_well) in (0..).zip(self.check_copies_at_rest()?) {
            let task = self.gateway().log.task(uid).await.expect("read").expect("a task");
            let ended_well = matches!(task.status, TaskStatus::Succeeded | TaskStatus::Canceled);
            if !task.status.is_finished() || ended_well != went_well {
                return Err(format!("task {uid} should have gone well: {went_well}, but {task:?}"));
            }
        }
        Ok(())
    }
}

/// Whether all copies of a document say that it was written at the same places.
fn same_places<'a>(nodes: impl Iterator<Item = &'a FakeNode>) -> Result<(), Violation> {
    let mut known = BTreeMap::new();
    for node in nodes {
        for uid in INDEXES {
            for (id, document) in node.index(uid).into_iter().flat_map(|index| index.documents) {
                let places = document["_miroir"].clone();
                let first = known.entry((uid, id)).or_insert_with(|| (places.clone(), node.name.clone()));
                if first.0 != places {
                    let (uid, id) = (uid, &document["id"]);
                    return Err(format!(
                        "{id} of {uid}: {places} on {}, {} on {}",
                        node.name, first.0, first.1
                    ));
                }
            }
        }
    }
    Ok(())
}
