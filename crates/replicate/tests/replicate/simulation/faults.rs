//! What goes wrong, by chance.

use std::time::Duration;

use miroir_shard::OwnerState;
use rand::Rng;
use tokio::time::sleep;

use super::{network::Weather, world::World};
use crate::fake::FakeNode;

impl World<'_> {
    /// Something goes wrong, or is well again.
    pub(super) async fn fault(&mut self) {
        let (kind, place) =
            self.chance.throw(|dice| (dice.random_range(0..16), dice.random_range(0..self.nodes.len())));
        let node = self.nodes[place].clone();
        self.chance.note(|| format!("fault {kind} at {}", node.name));
        match kind {
            0 => node.set_down(true),
            1 => {
                node.stop_between_commits();
                node.set_down(true);
            }
            2..5 => self.recover(&node),
            5 => node.hold(true),
            6 => node.fill_disk(1),
            7 => node.set_batch(self.chance.throw(|dice| dice.random_range(1..20))),
            8..11 => self.change_weather(&node),
            11 => self.disk.set_full(true),
            12 => self.disk.set_full(false),
            13 if self.setting.changing => self.lose(&node).await,
            13 => dies_with(&node, FakeNode::lose_queue).await,
            _ => self.restart().await,
        }
        self.network.stir(&node);
    }

    fn recover(&self, node: &FakeNode) {
        node.set_down(false);
        node.hold(false);
        self.network.set_weather(node, Weather::CALM);
    }

    fn change_weather(&self, node: &FakeNode) {
        let weather = self.chance.throw(|dice| Weather {
            slowest: Duration::from_millis([1, 20, 300][dice.random_range(0..3)]),
            lost_before: dice.random_range(0..30),
            lost_after: dice.random_range(0..30),
            cut: dice.random_ratio(1, 4),
        });
        self.network.set_weather(node, weather);
    }

    /// A node dies and comes back on a new disk, where everything it has is elsewhere too.
    async fn lose(&mut self, node: &FakeNode) {
        let map = self.gateway().map();
        let whole = map
            .shards()
            .all(|shard| map.shard_owners(shard).all(|owner| owner.state == OwnerState::Readable));
        let in_group = |group| map.nodes().iter().filter(move |node| node.group == group).count();
        let known = map.node_id(&node.name).is_some();
        if !whole || !known || map.groups().len() < 2 || in_group(0) == 0 || !self.lost.is_empty() {
            return;
        }
        dies_with(node, FakeNode::lose_everything).await;
        self.lost.insert(node.name.clone());
        self.chance.note(|| format!("{} has lost everything", node.name));
    }
}

/// A node dies, loses something, and is there again. It loses nothing while it runs: what came in before the loss is not
/// followed, by the same connection, by what comes after it.
async fn dies_with(node: &FakeNode, loses: impl FnOnce(&FakeNode)) {
    node.set_down(true);
    // What was under way is over.
    sleep(Duration::from_millis(1)).await;
    loses(node);
    node.set_down(false);
}
