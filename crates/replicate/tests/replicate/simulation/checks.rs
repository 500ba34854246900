//! Searches, and what is looked at after every step.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use miroir_log::Log;
use miroir_protocol::tasks::TaskStatus;
use miroir_shard::ShardMap;
use rand::Rng;

use super::{
    history::{History, INDEXES},
    invariants::{Violation, gives_one_position, holds_one_position, nothing_twice, one_state_for_each_copy},
    reader::{Given, Reader},
    world::World,
};
use crate::fake::FakeNode;

/// What a search has found.
pub(super) struct Found {
    index: &'static str,
    /// What each node gave.
    given: Vec<Given>,
    /// The nodes that were upset meanwhile.
    upset: BTreeSet<String>,
    /// The map by which nodes were asked.
    map: ShardMap,
    /// The position of the tasks that had finished before, and that of the writes accepted since.
    positions: RangeInclusive<u32>,
}

impl World<'_> {
    /// A client searches. What it finds is judged with the next step: only then it is known which writes were canceled.
    pub(super) fn search(&mut self) {
        let gateway = self.gateway();
        let reader =
            Reader { topology: gateway.topology.clone(), progress: gateway.progress.clone(), bug: self.bug };
        let index = INDEXES[self.chance.throw(|dice| dice.random_range(0..2))];
        let finished = *gateway.progress.finished().borrow();
        let (histories, upset) = (self.histories.clone(), self.upset.clone());
        // A node that was upset while the search was under way may have answered it then.
        let applied = |node: &FakeNode| gateway.progress.applied(&node.name);
        let nodes: Vec<_> = self.nodes.iter().map(|node| (node.clone(), applied(node))).collect();
        self.searches.spawn(async move {
            let (given, map) = reader.search(index).await?;
            let told = histories.lock().values().next().map_or(0, History::len);
            let was_upset =
                |(node, applied): &&(FakeNode, u32)| is_upset(&mut upset.lock(), node, *applied, told);
            let upset = nodes.iter().filter(was_upset).map(|(node, _)| node.name.clone()).collect();
            Some(Found { index, given, upset, map, positions: finished..=told })
        });
    }

    fn judge(&self, found: &Found) -> Result<(), Violation> {
        let changing = self.setting.changing;
        if changing {
            nothing_twice(&found.given)?;
        }
        let histories = self.histories.lock();
        for one in found.given.iter().filter(|one| !found.upset.contains(&one.node)) {
            let name = if changing { "" } else { &one.node };
            let Some(history) = histories.get(name) else { continue };
            gives_one_position(one, &found.map, history, found.index, found.positions.clone())?;
        }
        Ok(())
    }

    /// What must hold after every step.
    pub(super) async fn check(&mut self) -> Result<(), Violation> {
        let next = self.gateway().log.positions().next;
        if next != self.told() {
            return Err(format!("{} writes were accepted, the log has {next}", self.told()));
        }
        self.take_in_cancelations().await;
        while let Some(search) = self.searches.try_join_next() {
            match search.map_err(|error| error.to_string())? {
                Some(found) => {
                    self.judge(&found)?;
                    self.answered += 1;
                }
                None => self.unanswered += 1,
            }
        }
        let map = self.gateway().map();
        if map.epoch() != self.epoch {
            self.epoch = map.epoch();
            self.chance.note(|| format!("the map is {:?}", map.groups()));
        }
        one_state_for_each_copy(&map)?;
        self.check_nodes(&map)?;
        self.check_change(&map)
    }

    fn check_nodes(&mut self, map: &ShardMap) -> Result<(), Violation> {
        let histories = self.histories.lock();
        // One that is filled anew is as good as any.
        self.lost.retain(|name| {
            map.node_id(name).is_some_and(|id| map.shards_of(id).any(|(_, state)| state.is_read()))
        });
        for node in &self.nodes {
            let applied = self.gateway().progress.applied(&node.name);
            let upset = is_upset(&mut self.upset.lock(), node, applied, self.gateway().log.positions().next);
            let name = if self.setting.changing { "" } else { &node.name };
            let Some(history) = histories.get(name).filter(|_| !upset && !self.lost.contains(&node.name))
            else {
                continue;
            };
            holds_one_position(node, map, history, applied.min(history.len())..=history.len())?;
        }
        Ok(())
    }

    async fn take_in_cancelations(&self) {
        if self.setting.changing {
            return;
        }
        let log = &self.gateway().log;
        let mut canceled = Vec::new();
        for uid in 0..self.told() {
            let task = log.task(uid).await.expect("read").expect("a task");
            if task.status == TaskStatus::Canceled {
                canceled.push(uid);
            }
        }
        self.histories.lock().values_mut().for_each(|history| history.cancel(|uid| canceled.contains(&uid)));
    }
}

/// Whether a node's queue has gone otherwise than it was sent, so that its documents are not at one position for now.
fn is_upset(upset: &mut BTreeMap<String, (u32, u32)>, node: &FakeNode, applied: u32, next: u32) -> bool {
    let upsets = node.with_state(|state| state.upsets);
    let seen = upset.entry(node.name.clone()).or_default();
    if seen.0 != upsets {
        *seen = (upsets, next);
    }
    applied < seen.1
}
