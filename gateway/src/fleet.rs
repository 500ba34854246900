//! The fleet as the gateway starts with it: what the log knows, with the addresses of the configuration.

use std::sync::{Arc, Mutex, PoisonError};

use miroir_config::{Cluster, Config};
use miroir_log::{Log, LogError, StoredMap};
use miroir_nodes::{Fleet, Node, NodeConfig, Tls, TlsError};
use miroir_replicate::{Change, Connect, CurrentTopology, KeptNodes, NewNode, Rebalancer, Topology};
use miroir_shard::{GroupLayout, Layout, LayoutError, NodeLayout, ShardMap, StoredMapError};
use thiserror::Error;

use crate::instance::versions;

/// Idle connections kept per node.
const MAX_IDLE: usize = 64;
/// The largest answer of a node taken into memory: a deep page of long documents.
const MAX_ANSWER: usize = 512 << 20;

/// Why there is no fleet to start with.
#[derive(Debug, Error)]
pub enum FleetError {
    /// The log cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A stored shard map cannot be read.
    #[error("the stored shard map cannot be read: {0}")]
    Map(#[from] StoredMapError),
    /// Nothing can be placed on the nodes as they are.
    #[error("shards cannot be placed: {0}")]
    Layout(#[from] LayoutError),
    /// The file leaves out nodes that are in use.
    #[error(
        "the configuration leaves out nodes that belong to the fleet: {0}; to take a node out, leave it in the file, run \
         `miroir nodes remove` and wait until that is done"
    )]
    Missing(String),
    /// The certificates that nodes may have cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A node's version is not supported.
    #[error(transparent)]
    Version(#[from] versions::TooOld),
    /// A node's address or key cannot be used.
    #[error("node `{0}` has an address or a key that cannot be used")]
    Node(String),
}

/// The fleet, and the nodes of the configuration that are to join it.
pub(crate) struct FirstFleet {
    /// What is there.
    pub topology: Topology,
    /// Who is new.
    pub joining: Vec<NewNode>,
}

/// The shards stay where they were placed first: the stored map is taken, or a new one is placed and stored. Nodes that
/// joined or left since the file was written are known to the log.
pub(crate) async fn first_fleet(config: &Config, log: &dyn Log) -> Result<FirstFleet, FleetError> {
    let configured = configured(config);
    let connect = connect(config)?;
    let Some(stored) = log.load_map().await? else {
        let map = ShardMap::place(&layout(&config.cluster))?;
        let stored = StoredMap { epoch: map.epoch(), bytes: map.to_bytes()?.into() };
        log.save_map(stored).await?;
        let fleet = clients(configured.iter(), &connect)?;
        versions::check_all(&fleet).await?;
        return Ok(FirstFleet { topology: Topology { map, fleet }, joining: Vec::new() });
    };
    let map = ShardMap::from_bytes(&stored.bytes)?;
    let kept = KeptNodes::read(log).await?;
    let in_use = |node: &&NewNode| map.node_id(&node.name).is_some();
    let others = kept.joined.iter().filter(|node| configured.iter().all(|known| known.name != node.name));
    let fleet = clients(configured.iter().chain(others).filter(in_use), &connect)?;
    versions::check_all(&fleet).await?;
    let missing = map.nodes().iter().filter(|node| fleet.get(&node.name).is_none());
    let missing: Vec<&str> = missing.map(|node| node.name.as_str()).collect();
    if !missing.is_empty() {
        return Err(FleetError::Missing(missing.join(", ")));
    }
    let (left, joining): (Vec<NewNode>, _) = configured
        .into_iter()
        .filter(|node| map.node_id(&node.name).is_none())
        .partition(|node| kept.left.contains(&node.name));
    for node in left {
        tracing::warn!(node = node.name, "the configuration names a node that has left the fleet");
    }
    Ok(FirstFleet { topology: Topology { map, fleet }, joining })
}

/// Has the new nodes of the configuration join.
pub(crate) async fn join(rebalancer: &Rebalancer, nodes: Vec<NewNode>) {
    if nodes.is_empty() {
        return;
    }
    if let Err(error) = rebalancer.start(&Change::Add { nodes }).await {
        tracing::error!(%error, "new nodes of the configuration have not joined, they are tried at the next start");
    }
}

/// Makes the client of a node.
pub(crate) fn connect(config: &Config) -> Result<Connect, TlsError> {
    let connect_timeout = config.search.connect_timeout;
    let (by_tls, ca) = (|url: &http::Uri| url.scheme_str() == Some("https"), config.cluster.ca.clone());
    let needed = config.cluster.nodes.iter().any(|node| by_tls(&node.url));
    let tls = needed.then(|| Tls::new(ca.clone())).transpose()?;
    Ok(Arc::new(move |node: &NewNode| {
        let url: http::Uri = node.url.parse().ok()?;
        let client = Node::new(NodeConfig {
            name: node.name.clone(),
            authority: authority(&url)?,
            key: node.key.clone(),
            connect_timeout,
            max_idle: MAX_IDLE,
            max_answer: MAX_ANSWER,
        })?;
        if !by_tls(&url) {
            return Some(client);
        }
        Some(client.with_tls(tls.clone().or_else(|| Tls::new(ca.clone()).ok())?))
    }))
}

/// The fleet as it is now, on connections of its own, made anew only where it has changed.
pub(crate) fn own_fleet(topology: CurrentTopology) -> impl Fn() -> Arc<Fleet> + Send + Sync + 'static {
    let known: Mutex<Option<Arc<Fleet>>> = Mutex::new(None);
    move || {
        let now = topology.load();
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let names = |fleet: &Fleet| -> Vec<(String, String)> {
            fleet.iter().map(|node| (node.name().to_owned(), node.authority().to_owned())).collect()
        };
        if let Some(fleet) = known.as_ref().filter(|fleet| names(fleet) == names(&now.fleet)) {
            return fleet.clone();
        }
        known.insert(Arc::new(now.fleet.with_own_connections())).clone()
    }
}

fn clients<'a>(nodes: impl Iterator<Item = &'a NewNode>, connect: &Connect) -> Result<Fleet, FleetError> {
    nodes.map(|node| connect(node).ok_or_else(|| FleetError::Node(node.name.clone()))).collect()
}

fn configured(config: &Config) -> Vec<NewNode> {
    let node = |node: &miroir_config::Node| NewNode {
        name: node.name.clone(),
        url: node.url.to_string(),
        key: node.key.as_ref().map(|key| key.expose().to_owned()),
        group: node.group.clone(),
        weight: node.weight,
    };
    config.cluster.nodes.iter().map(node).collect()
}

fn layout(cluster: &Cluster) -> Layout {
    let mut groups: Vec<GroupLayout> = Vec::new();
    for node in &cluster.nodes {
        let member = NodeLayout { name: node.name.clone(), weight: node.weight };
        match groups.iter_mut().find(|group| group.name == node.group) {
            Some(group) => group.nodes.push(member),
            None => groups.push(GroupLayout {
                name: node.group.clone(),
                replicas: cluster.replicas,
                nodes: vec![member],
            }),
        }
    }
    Layout { shard_bits: cluster.shards.trailing_zeros(), groups }
}

fn authority(url: &http::Uri) -> Option<String> {
    let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("https") { 443 } else { 80 });
    Some(format!("{}:{port}", url.host()?))
}
