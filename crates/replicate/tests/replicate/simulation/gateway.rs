//! A gateway as far as writes, copies and health go: the real replication on the real log.

use std::{path::Path, sync::Arc, time::Duration};

use miroir_log::Log;
use miroir_nodes::{Fleet, Node, NodeConfig, Prober};
use miroir_replicate::{CurrentTopology, NewNode, Progress, Rebalancer, Replication, Topology};
use miroir_shard::ShardMap;
use parking_lot::Mutex;
use tokio::task::{JoinHandle, yield_now};

use super::{
    network::Network,
    planted::Bug,
    store::{Disk, Store},
};

/// How often every node is looked at, and how long it may take.
const PROBES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2));

/// A gateway that runs.
pub(crate) struct Gateway {
    pub(crate) log: Arc<Store>,
    pub(crate) topology: CurrentTopology,
    pub(crate) rebalancer: Rebalancer,
    pub(crate) progress: Arc<Progress>,
    replication: Replication,
    prober: JoinHandle<()>,
}

impl Gateway {
    /// Opens the log and goes on from what it says; from `map` where it says nothing.
    pub(crate) async fn start(disk: &Disk, directory: &Path, network: &Network, map: &ShardMap) -> Self {
        let log = Arc::new(disk.open(directory));
        let map = match log.load_map().await.expect("read") {
            Some(stored) => ShardMap::from_bytes(&stored.bytes).expect("a map"),
            None => map.clone(),
        };
        let fleet = map.nodes().iter().map(|node| client(network, &node.name)).collect();
        let topology = CurrentTopology::new(Topology { map, fleet });
        let mut replication = Replication::start(log.clone(), topology.clone()).await.expect("started");
        let ways = network.clone();
        let connect = Arc::new(move |node: &NewNode| Some(client(&ways, &node.name)));
        let rebalancer = replication.start_moving(connect).await.expect("started");
        let looked_at = topology.clone();
        let known = Mutex::new(Arc::new(Fleet::default()));
        let fleet = move || {
            let (topology, mut known) = (looked_at.load(), known.lock());
            if !topology.fleet.iter().map(Node::name).eq(known.iter().map(Node::name)) {
                *known = Arc::new(topology.fleet.clone());
            }
            known.clone()
        };
        let prober = tokio::spawn(Prober::new(fleet, PROBES.0, PROBES.1).run());
        let progress = replication.progress();
        Self { log, topology, rebalancer, progress, replication, prober }
    }

    /// Dies in the middle of whatever it is doing. Nothing is left of it but the log; where its machine dies with it, just
    /// what the disk has.
    pub(crate) async fn die(self, with_machine: bool) {
        let Self { log, topology, rebalancer, progress, replication, prober } = self;
        prober.abort();
        drop((topology, rebalancer, progress, replication));
        while Arc::strong_count(&log) > 1 {
            yield_now().await;
        }
        if with_machine {
            log.lose_hints().await;
        }
    }

    /// The map as it is now.
    pub(crate) fn map(&self) -> ShardMap {
        self.topology.load().map.clone()
    }
}

fn client(network: &Network, name: &str) -> Node {
    let config = NodeConfig {
        name: name.to_owned(),
        authority: format!("{name}:7700"),
        key: None,
        connect_timeout: Duration::from_secs(5),
        max_idle: 2,
        max_answer: 8 << 20,
    };
    let node = Node::new(config).expect("a node").with_dial(Arc::new(network.clone()));
    if network.bug() == Some(Bug::LostIsRead) { node.unvouched() } else { node }
}
