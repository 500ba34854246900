//! One run: a fleet, a gateway, clients and operators, and what goes wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use miroir_log::{Log, NewEntry, PayloadContent, PayloadRef};
use miroir_replicate::Change;
use miroir_shard::{GroupLayout, Layout, NodeLayout, ShardMap, Slot};
use parking_lot::Mutex;
use rand::Rng;
use serde_json::Value;
use tokio::task::JoinSet;

use super::{
    chance::Chance,
    checks::Found,
    gateway::Gateway,
    history::{History, INDEXES, Write},
    network::Network,
    planted::Bug,
    store::Disk,
};
use crate::fake::FakeNode;

/// How many shards there are, as a power of two.
const SHARD_BITS: u32 = 4;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// How many nodes each group has.
    pub(crate) groups: &'static [usize],
    /// Whether operators change the fleet; otherwise clients send what nodes refuse, and cancel tasks.
    pub(crate) changing: bool,
    /// How much happens.
    pub(crate) steps: u32,
    /// Whether anything goes wrong.
    pub(crate) faults: bool,
}

/// A change of the fleet under way.
pub(super) struct Changing {
    pub(super) change: Change,
    /// The map before it, and the one that is wanted.
    pub(super) before: ShardMap,
    pub(super) target: ShardMap,
}

/// A run under way.
pub(super) struct World<'a> {
    pub(super) chance: Chance,
    pub(super) network: Network,
    pub(super) disk: Disk,
    directory: &'a Path,
    pub(super) setting: Setting,
    pub(super) bug: Option<Bug>,
    first_map: ShardMap,
    pub(super) nodes: Vec<FakeNode>,
    gateway: Option<Gateway>,
    /// What each node is to hold, where the fleet stays as it is; else what all of them are, under no name.
    pub(super) histories: Arc<Mutex<BTreeMap<String, History>>>,
    pub(super) change: Option<Changing>,
    /// Nodes whose queue did not go as it was sent, until they have applied everything before this position.
    pub(super) upset: Arc<Mutex<BTreeMap<String, (u32, u32)>>>,
    /// Nodes that have lost their data and still count as copies.
    pub(super) lost: BTreeSet<String>,
    /// Searches under way; nothing comes of those that are not answered.
    pub(super) searches: JoinSet<Option<Found>>,
    /// Searches that were answered, and that were not.
    pub(super) answered: u32,
    pub(super) unanswered: u32,
    pub(super) joined: u32,
    /// That of the map when it was last looked at.
    pub(super) epoch: u64,
}

impl<'a> World<'a> {
    pub(super) async fn start(
        chance: Chance,
        setting: Setting,
        directory: &'a Path,
        bug: Option<Bug>,
    ) -> Self {
        let network = Network::new(chance.clone(), bug);
        let mut nodes = Vec::new();
        let mut layout = Layout { shard_bits: SHARD_BITS, groups: Vec::new() };
        for (group, count) in setting.groups.iter().enumerate() {
            let names: Vec<String> = (0..*count).map(|node| format!("g{group}n{node}")).collect();
            nodes.extend(names.iter().map(|name| network.add(name)));
            let members = names.into_iter().map(|name| NodeLayout { name, weight: 1 }).collect();
            layout.groups.push(GroupLayout { name: format!("g{group}"), replicas: 1, nodes: members });
        }
        let first_map = ShardMap::place(&layout).expect("a map");
        let histories = histories(&nodes, &first_map, setting.changing);
        let disk = Disk::new(chance.clone(), bug);
        let gateway = Gateway::start(&disk, directory, &network, &first_map).await;
        Self {
            chance,
            network,
            disk,
            directory,
            setting,
            bug,
            first_map,
            nodes,
            gateway: Some(gateway),
            histories: Arc::new(Mutex::new(histories)),
            change: None,
            upset: Arc::default(),
            lost: BTreeSet::new(),
            searches: JoinSet::new(),
            answered: 0,
            unanswered: 0,
            joined: 0,
            epoch: 0,
        }
    }

    pub(super) fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().expect("it runs")
    }

    /// A client writes; what is refused has not happened.
    pub(super) async fn write(&mut self) {
        let cancels = !self.setting.changing;
        // Where there are copies, a write that fails on some of them leaves what one of them has: no history says which.
        let bad = cancels && self.setting.groups.len() == 1;
        let (index, write) = self.chance.throw(|dice| {
            let index = INDEXES[usize::from(!dice.random_ratio(1, 4))];
            let write = if cancels && dice.random_ratio(1, 40) {
                Write::Cancel(dice.random_range(1..6))
            } else {
                Write::by_chance(dice, bad)
            };
            (index, write)
        });
        if self.append(index, &write).await {
            self.accepted(index, &write);
        }
    }

    fn accepted(&self, index: &'static str, write: &Write) {
        self.chance.note(|| format!("accepted {index} {write:?}"));
        self.histories.lock().values_mut().for_each(|history| history.push(index, write));
    }

    async fn append(&self, index: &str, write: &Write) -> bool {
        let gateway = self.gateway();
        let operation = write.operation(self.told(), inline);
        gateway.progress.waits(operation.payload().map_or(0, |payload| payload.bytes));
        let index_uid = (!write.is_of_all()).then(|| index.to_owned());
        gateway.log.append(NewEntry { index_uid, operation, custom_metadata: None }).await.is_ok()
    }

    /// How many writes were accepted.
    pub(super) fn told(&self) -> u32 {
        self.histories.lock().values().next().map_or(0, History::len)
    }

    /// The gateway dies, in the middle of a write, and is started again. The client is told nothing, and either may be.
    pub(super) async fn restart(&mut self) {
        let (index, write) = (INDEXES[0], Write::Settings(100));
        let patience = Duration::from_millis(self.chance.throw(|dice| dice.random_range(0..6)));
        let finished = tokio::time::timeout(patience, self.append(index, &write)).await;
        self.chance.note(|| "the gateway dies".to_owned());
        self.searches.shutdown().await;
        let with_machine = self.chance.happens(50);
        if let Some(gateway) = self.gateway.take() {
            gateway.die(with_machine).await;
        }
        self.disk.set_full(false);
        let gateway = Gateway::start(&self.disk, self.directory, &self.network, &self.first_map).await;
        let is_there = gateway.log.positions().next == self.told() + 1;
        if is_there || finished == Ok(true) {
            self.accepted(index, &write);
        }
        self.gateway = Some(gateway);
    }
}

fn histories(nodes: &[FakeNode], map: &ShardMap, changing: bool) -> BTreeMap<String, History> {
    if changing {
        return BTreeMap::from([(String::new(), History::of(|_| true))]);
    }
    let own = |node: &FakeNode| {
        let id = map.node_id(&node.name).expect("in the map");
        let owned = map.written_slots(id);
        (node.name.clone(), History::of(move |id| owned.contains(Slot::of(id))))
    };
    nodes.iter().map(own).collect()
}

/// Documents as a payload that is kept with its entry.
fn inline(documents: &[Value]) -> PayloadRef {
    let lines: String = documents.iter().map(|document| format!("{document}\n")).collect();
    let (bytes, count) = (lines.len() as u64, documents.len() as u64);
    PayloadRef {
        bytes,
        documents: count,
        checksum: None,
        content: PayloadContent::Inline { bytes: lines.into() },
    }
}
