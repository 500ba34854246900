//! The fleet as the gateway starts with it: what the log knows, with the addresses of the configuration.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use miroir_config::{Cluster, Config};
use miroir_log::{Log, LogError, StoredMap};
use miroir_nodes::{Fleet, Node, NodeConfig, Tls, TlsError, TooOld, check_versions};
use miroir_replicate::{
    Change, ChangeError, Configured, Connect, CurrentTopology, KeptNodes, NewNode, Rebalancer, Topology,
};
use miroir_shard::{GroupLayout, Layout, LayoutError, NodeLayout, ShardMap, StoredMapError};
use thiserror::Error;
use tokio::sync::oneshot;

/// Idle connections kept per node.
const MAX_IDLE: usize = 64;
/// The largest answer of a node taken into memory: a deep page of long documents.
const MAX_ANSWER: usize = 512 << 20;

/// What the names of variables begin with that may be given for a node's key: no others, as whoever may change the fleet chooses
/// where the key is sent.
const KEY_VARIABLES: &str = "MIROIR_NODE_KEY";
/// How soon what the configuration wants is tried again where another change of the fleet is under way, or a node that is to join
/// does not answer, doubled up to the longest.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const SLOWEST_RETRY: Duration = Duration::from_secs(30);

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
    Version(#[from] TooOld),
    /// A node's address or key cannot be used.
    #[error("node `{0}` has an address or a key that cannot be used")]
    Node(String),
}

/// The fleet, and what the configuration wants of it.
pub(crate) struct FirstFleet {
    /// What is there.
    pub topology: Topology,
    /// What is to become of it.
    pub wanted: Wanted,
}

/// What the configuration wants of the fleet.
#[derive(Debug)]
pub(crate) struct Wanted {
    change: Option<Change>,
    configured: Configured,
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
        check_versions(&fleet).await?;
        let wanted = Wanted { change: None, configured: shares(&config.cluster) };
        return Ok(FirstFleet { topology: Topology { map, fleet }, wanted });
    };
    let map = ShardMap::from_bytes(&stored.bytes)?;
    let kept = KeptNodes::read(log).await?;
    let in_use = |node: &&NewNode| map.node_id(&node.name).is_some();
    let others = kept.joined.iter().filter(|node| configured.iter().all(|known| known.name != node.name));
    let fleet = clients(configured.iter().chain(others).filter(in_use), &connect)?;
    check_versions(&fleet).await?;
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
    let configured = shares(&config.cluster);
    // A log from before these were kept: the file is taken for what it was then.
    let before = kept.configured.unwrap_or_else(|| configured.clone());
    let change = configured.change(&before, &map, joining);
    Ok(FirstFleet { topology: Topology { map, fleet }, wanted: Wanted { change, configured } })
}

fn shares(cluster: &Cluster) -> Configured {
    let weights = cluster.nodes.iter().map(|node| (node.name.clone(), node.weight));
    Configured { replicas: cluster.replicas, weights: weights.collect() }
}

impl Wanted {
    /// Starts the change of the fleet that the configuration wants. False where it cannot be started yet.
    async fn start(&self, rebalancer: &Rebalancer, log: &dyn Log) -> bool {
        if let Some(change) = &self.change {
            let words = change.words();
            match rebalancer.start(change).await {
                Ok(_) => tracing::info!(change = words, "the configuration has been changed"),
                Err(ChangeError::UnderWay(_)) => return false,
                Err(error @ ChangeError::Silent { .. }) => {
                    tracing::warn!(%error, change = words, "not done for the configuration yet, it is tried again");
                    return false;
                }
                Err(error) => {
                    tracing::error!(%error, change = words, "not done for the configuration, it is tried at the next start");
                    return true;
                }
            }
        }
        if let Err(error) = self.configured.keep(log).await {
            tracing::warn!(%error, "shares of the configuration not kept");
        }
        true
    }

    /// Starts it as soon as no other change is under way and all nodes that join by it are there. Tells when it has been tried.
    pub(crate) async fn start_when_possible(
        self,
        rebalancer: Rebalancer,
        log: Arc<dyn Log>,
        tried: oneshot::Sender<()>,
    ) {
        let mut started = self.start(&rebalancer, &*log).await;
        // Who waited for it may have gone.
        let _ = tried.send(());
        let mut pause = FIRST_RETRY;
        while !started {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(SLOWEST_RETRY);
            started = self.start(&rebalancer, &*log).await;
        }
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
            key: node.key.as_deref().map(key).transpose().ok()?,
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

/// A node's key as it is sent: what a node that joins is given as its key may name a variable of the gateway's environment, so
/// that the key itself is not in the log.
fn key(given: &str) -> Result<String, std::env::VarError> {
    let name = given.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    match name.filter(|name| name.starts_with(KEY_VARIABLES)) {
        Some(name) => std::env::var(name),
        None => Ok(given.to_owned()),
    }
}

fn authority(url: &http::Uri) -> Option<String> {
    let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("https") { 443 } else { 80 });
    Some(format!("{}:{port}", url.host()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_variables_that_are_for_it_are_taken_for_keys() {
        for given in ["plain", "${HOME}", "${MIROIR_NODE_KEY", "$MIROIR_NODE_KEY"] {
            assert_eq!(key(given).as_deref(), Ok(given));
        }
        assert_eq!(key("${MIROIR_NODE_KEY_THAT_NOBODY_SETS}"), Err(std::env::VarError::NotPresent));
    }
}
