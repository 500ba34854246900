//! What operators do, and what must have come of it.

use std::time::Duration;

use miroir_replicate::{Change, NewNode};
use miroir_shard::ShardMap;
use rand::{Rng, seq::IndexedRandom};
use tokio::time::timeout;

use super::{
    invariants::{Violation, moved_least, readable},
    world::{Changing, World},
};

impl World<'_> {
    /// An operator changes the fleet, where no change is under way; or takes the one back that is.
    pub(super) async fn change_fleet(&mut self) {
        if self.change.is_some() {
            if self.chance.happens(25) {
                // It may have ended meanwhile.
                let aborted = self.gateway().rebalancer.abort().await.is_ok();
                self.chance.note(|| format!("taken back: {aborted}"));
            }
            return;
        }
        let map = self.gateway().map();
        let members = map.nodes().iter().filter(|node| node.group == 0);
        let names: Vec<String> = members.map(|node| node.name.clone()).collect();
        let (kind, node) = self.chance.throw(|dice| (dice.random_range(0..4), names.choose(dice).cloned()));
        let Some(node) = node else { return };
        let change = match kind {
            0 if names.len() > 1 => Change::Drain { node },
            1 if names.len() > 1 => Change::Remove { node },
            2 => Change::Replace { node, with: self.new_node() },
            _ => Change::Add { nodes: vec![self.new_node()] },
        };
        if self.setting.faults && self.chance.happens(10) {
            self.begin_and_die(change).await;
        } else {
            self.begin(change).await;
        }
    }

    /// Starts a change, where that is possible.
    pub(super) async fn begin(&mut self, change: Change) {
        let before = self.gateway().map();
        let Ok(target) = change.target(&before) else { return };
        let started = self.gateway().rebalancer.start(&change).await;
        self.chance.note(|| format!("{}: {}", change.words(), started.is_ok()));
        if started.is_ok() {
            self.change = Some(Changing { change, before, target });
        }
    }

    /// Starts a change, and the gateway dies over it: either it has begun, or it has not.
    async fn begin_and_die(&mut self, change: Change) {
        let before = self.gateway().map();
        let Ok(target) = change.target(&before) else { return };
        let patience = Duration::from_millis(self.chance.throw(|dice| dice.random_range(0..30)));
        let started = timeout(patience, self.gateway().rebalancer.start(&change)).await;
        self.restart().await;
        let status = self.gateway().rebalancer.status();
        let is_open = matches!(status["state"].as_str(), Some("running" | "aborting"));
        let has_begun = is_open && status["change"] == change.words() || matches!(started, Ok(Ok(_)));
        self.chance.note(|| format!("{} as the gateway dies: {has_begun}", change.words()));
        if has_begun {
            self.change = Some(Changing { change, before, target });
        }
    }

    pub(super) fn new_node(&mut self) -> NewNode {
        self.joined += 1;
        let name = format!("x{}", self.joined);
        self.nodes.push(self.network.add(&name));
        let url = format!("http://{name}:7700");
        NewNode { name, url, key: None, group: "g0".to_owned(), weight: 1 }
    }

    /// A change that has ended has come to what was wanted, and has moved no more than that takes.
    pub(super) fn check_change(&mut self, map: &ShardMap) -> Result<(), Violation> {
        let Some(Changing { change, before, target }) = &self.change else { return Ok(()) };
        let status = self.gateway().rebalancer.status();
        let is_rebuild = status["change"].as_str().is_some_and(|change| change.starts_with("rebuild "));
        let goal = match status["state"].as_str() {
            // It has ended since it was last looked at, and a node has lost its data since.
            _ if is_rebuild && [target, before].iter().any(|goal| goal.layout() == map.layout()) => {
                self.change = None;
                return Ok(());
            }
            _ if status["change"] != change.words() => {
                return Err(format!("{change:?} is forgotten: {status}"));
            }
            Some("done") => target,
            Some("aborted") => before,
            _ => return Ok(()),
        };
        if readable(map) != readable(goal) {
            return Err(format!("{change:?} has ended, but the map is not what was wanted: {status}"));
        }
        if status["state"] == "done" {
            moved_least(before, map)?;
        }
        self.change = None;
        Ok(())
    }
}
