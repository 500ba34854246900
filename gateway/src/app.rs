//! Puts the parts together: each is built from its section of the configuration, one after another.

use std::{path::Path, sync::Arc, time::Duration};

use miroir_config::{Cluster, Config};
use miroir_filters::MetricRegistry;
use miroir_log::{Log, LogError, SqliteLog, SqliteOptions, StoredMap};
use miroir_nodes::{Fleet, Node, NodeConfig, Prober, Tls, TlsError};
use miroir_replicate::{CurrentTopology, Replication, Topology};
use miroir_shard::{GroupLayout, Layout, LayoutError, NodeLayout, ShardMap, StoredMapError};
use thiserror::Error;
use tokio::{task::AbortHandle, time::Instant};

use crate::{
    instance::{chats, features, features::FeatureSwitch, mirror::Mirror, versions},
    keys::ApiKeys,
    state::{Gateway, Inner, SearchLimits, WriteLimits},
    telemetry::Messages,
    webhooks::{self, Webhooks},
};

/// Idle connections kept per node.
const MAX_IDLE: usize = 64;
/// The largest answer of a node taken into memory: a deep page of long documents.
const MAX_ANSWER: usize = 512 << 20;
/// How often nodes are looked at, and how long they may take over that.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
const PROBE_TIMEOUT: Duration = Duration::from_millis(900);

/// How long, beyond its grace time, a process that is being replaced may hold the log, and how often that is tried.
const PATIENCE: Duration = Duration::from_secs(10);
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// Why the gateway cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The log cannot be opened.
    #[error("the write log in {directory} cannot be opened: {error}")]
    Log {
        /// Its directory.
        directory: String,
        /// Why.
        #[source]
        error: LogError,
    },
    /// A stored shard map cannot be read.
    #[error("the stored shard map cannot be read: {0}")]
    Map(#[from] StoredMapError),
    /// Nothing can be placed on the nodes as they are.
    #[error("shards cannot be placed: {0}")]
    Layout(#[from] LayoutError),
    /// The file names other nodes than those the shards are on.
    #[error(
        "the nodes of the configuration ({configured}) are not those that hold the shards ({placed}); moving shards to \
         other nodes is not supported by this version: configure the same names, or start with an empty log directory"
    )]
    OtherNodes {
        /// The names in the file.
        configured: String,
        /// The names in the map.
        placed: String,
    },
    /// A node's address or key cannot be used.
    #[error("node `{0}` has an address or a key that cannot be used")]
    Node(String),
    /// The certificates that nodes may have cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A node's version is not supported.
    #[error(transparent)]
    Version(#[from] versions::TooOld),
}

/// The running parts behind the listeners.
pub(crate) struct App {
    /// What requests are answered from.
    pub gateway: Gateway,
    replication: Replication,
    background: Vec<AbortHandle>,
}

/// What the parts need that the program has made before them.
pub(crate) struct Surroundings {
    /// What the filters count.
    pub metrics: MetricRegistry,
    /// The program's messages, where it writes them itself.
    pub messages: Option<Messages>,
    /// Whether a running process hands over to this one.
    pub upgrade: bool,
}

impl App {
    /// Opens the log and starts everything that runs in the background, on the current tokio runtime.
    pub(crate) async fn start(config: &Config, with: Surroundings) -> Result<Self, StartError> {
        let patience = if with.upgrade { config.server.grace + PATIENCE } else { Duration::ZERO };
        let log = open_log(&config.log.directory, patience).await?;
        let topology = build_topology(config, &*log).await?;
        let fleet = Arc::new(topology.fleet.with_own_connections());
        let topology = CurrentTopology::new(topology);
        let failed = |error| log_failed(&config.log.directory, error);
        // Before any task can end.
        let webhooks = Webhooks::load(log.clone()).await.map_err(failed)?;
        let replication = Replication::start(log.clone(), topology.clone()).await.map_err(failed)?;
        let switch = FeatureSwitch::load(&*log).await.map_err(failed)?;
        let prober = Prober::new(move || fleet.clone(), PROBE_INTERVAL, PROBE_TIMEOUT);
        let master_key = config.master_key.as_ref().map(|key| key.expose());
        let keys = ApiKeys::open(log.clone(), master_key).await.map_err(failed)?;
        let gateway = Gateway::new(Inner {
            log,
            keys: Arc::new(keys),
            topology,
            progress: replication.progress(),
            webhooks,
            search: SearchLimits { timeout: config.search.timeout, partial: config.search.partial },
            write: WriteLimits {
                max_payload: config.log.max_payload,
                max_backlog: config.log.max_backlog,
                max_tasks: config.log.max_tasks,
            },
            features: switch,
            mirror: Mirror::default(),
            metrics: with.metrics,
            messages: with.messages,
        });
        gateway.mirror.want(features::of_nodes(&gateway.features.now()));
        chats::wanted(&gateway).await.map_err(failed)?.into_iter().for_each(|chat| gateway.mirror.want(chat));
        let sender = webhooks::Sender::new(&gateway.webhooks, gateway.progress.clone());
        let background = [
            tokio::spawn(prober.run()),
            tokio::spawn(Mirror::run(gateway.clone())),
            tokio::spawn(sender.run()),
        ];
        let background = background.iter().map(tokio::task::JoinHandle::abort_handle).collect();
        Ok(Self { gateway, replication, background })
    }

    /// Stops what runs in the background. The log knows how to go on.
    pub(crate) async fn stop(self) {
        self.background.iter().for_each(AbortHandle::abort);
        self.replication.stop().await;
    }
}

/// Opens the log. A process that is being replaced holds it until it has drained: that is waited for with `patience`.
async fn open_log(directory: &Path, patience: Duration) -> Result<Arc<dyn Log>, StartError> {
    let give_up = Instant::now() + patience;
    loop {
        // The only thing that runs yet: it may block this thread.
        match SqliteLog::open(SqliteOptions::new(directory)) {
            Ok(log) => return Ok(Arc::new(log)),
            Err(LogError::InUse(_)) if Instant::now() < give_up => tokio::time::sleep(LOCK_RETRY).await,
            Err(error) => return Err(log_failed(directory, error)),
        }
    }
}

fn log_failed(directory: &Path, error: LogError) -> StartError {
    StartError::Log { directory: directory.display().to_string(), error }
}

/// The shards stay where they were placed first: the stored map is taken, or a new one is placed and stored.
async fn build_topology(config: &Config, log: &dyn Log) -> Result<Topology, StartError> {
    let failed = |error| log_failed(&config.log.directory, error);
    let map = match log.load_map().await.map_err(failed)? {
        Some(stored) => ShardMap::from_bytes(&stored.bytes)?,
        None => {
            let map = ShardMap::place(&layout(&config.cluster))?;
            let stored = StoredMap { epoch: map.epoch(), bytes: map.to_bytes()?.into() };
            log.save_map(stored).await.map_err(failed)?;
            map
        }
    };
    let fleet = build_fleet(config)?;
    versions::check_all(&fleet).await?;
    let placed: Vec<&str> = map.nodes().iter().map(|node| node.name.as_str()).collect();
    let configured: Vec<&str> = fleet.iter().map(Node::name).collect();
    if placed.iter().any(|name| fleet.get(name).is_none()) || placed.len() != configured.len() {
        return Err(StartError::OtherNodes { configured: configured.join(", "), placed: placed.join(", ") });
    }
    Ok(Topology { map, fleet })
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

fn build_fleet(config: &Config) -> Result<Fleet, StartError> {
    let by_tls = |node: &miroir_config::Node| node.url.scheme_str() == Some("https");
    let tls = config.cluster.nodes.iter().any(by_tls).then(|| Tls::new(config.cluster.ca.clone()));
    let tls = tls.transpose()?;
    let nodes = config.cluster.nodes.iter().map(|node| {
        let authority = authority(&node.url).ok_or_else(|| StartError::Node(node.name.clone()))?;
        Node::new(NodeConfig {
            name: node.name.clone(),
            authority,
            key: node.key.as_ref().map(|key| key.expose().to_owned()),
            connect_timeout: config.search.connect_timeout,
            max_idle: MAX_IDLE,
            max_answer: MAX_ANSWER,
        })
        .map(|client| match tls.clone().filter(|_| by_tls(node)) {
            Some(tls) => client.with_tls(tls),
            None => client,
        })
        .ok_or_else(|| StartError::Node(node.name.clone()))
    });
    nodes.collect()
}

fn authority(url: &http::Uri) -> Option<String> {
    let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("https") { 443 } else { 80 });
    Some(format!("{}:{port}", url.host()?))
}
