//! Puts the parts together: each is built from its section of the configuration, one after another.

use std::{path::Path, sync::Arc, time::Duration};

use miroir_config::Config;
use miroir_filters::MetricRegistry;
use miroir_log::{Log, LogError, SqliteLog, SqliteOptions};
use miroir_nodes::Prober;
use miroir_replicate::{CurrentTopology, Replication};
use thiserror::Error;
use tokio::{sync::oneshot, task::AbortHandle, time::Instant};

use crate::{
    fleet::{FirstFleet, FleetError, connect, first_fleet, own_fleet},
    instance::{
        chats, chores, features,
        features::FeatureSwitch,
        mirror::Mirror,
        rules::{self, RuleBook},
    },
    keys::ApiKeys,
    read::{ranks::KnownFacets, unequal::KnownAttributes},
    room::Room,
    state::{Gateway, Inner, SearchLimits, WriteLimits},
    telemetry::Messages,
    webhooks::{self, Webhooks},
};

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
    /// There is no fleet to start with.
    #[error(transparent)]
    Fleet(#[from] FleetError),
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
        let FirstFleet { topology, wanted } = first_fleet(config, &*log).await?;
        let topology = CurrentTopology::new(topology);
        let failed = |error| log_failed(&config.log.directory, error);
        // Before any task can end.
        let webhooks = Webhooks::load(log.clone()).await.map_err(failed)?;
        let mut replication = Replication::start(log.clone(), topology.clone()).await.map_err(failed)?;
        let switch = FeatureSwitch::load(&*log).await.map_err(failed)?;
        let rules = RuleBook::load(&*log).await.map_err(failed)?;
        let connect = connect(config).map_err(FleetError::from)?;
        let rebalancer = replication.start_moving(connect).await.map_err(failed)?;
        let prober = Prober::new(own_fleet(topology.clone()), PROBE_INTERVAL, PROBE_TIMEOUT);
        let master_key = config.master_key.as_ref().map(|key| key.expose());
        let keys = ApiKeys::open(log.clone(), master_key).await.map_err(failed)?;
        let mirror = Arc::new(Mirror::default());
        let gateway = Gateway::new(Inner {
            log,
            keys: Arc::new(keys),
            topology,
            progress: replication.progress(),
            webhooks,
            rebalancer: rebalancer.clone(),
            search: SearchLimits { timeout: config.search.timeout, partial: config.search.partial },
            write: WriteLimits {
                max_payload: config.log.max_payload,
                max_backlog: config.log.max_backlog,
                max_tasks: config.log.max_tasks,
            },
            room: Room::new(config.server.memory),
            features: switch,
            rules,
            mirror: mirror.clone(),
            facets: KnownFacets::default(),
            attributes: KnownAttributes::default(),
            metrics: with.metrics,
            messages: with.messages,
            backups: config.backup.directory.clone(),
        });
        gateway.mirror.want(features::of_nodes(&gateway.features.now()));
        gateway.mirror.want(rules::of_nodes(&gateway));
        chats::wanted(&gateway).await.map_err(failed)?.into_iter().for_each(|chat| gateway.mirror.want(chat));
        rebalancer.introduce_with(Arc::new(move |node| {
            let mirror = mirror.clone();
            Box::pin(async move { mirror.introduce(node).await })
        }));
        let sender = webhooks::Sender::new(&gateway.webhooks, gateway.progress.clone());
        let mut background = vec![
            tokio::spawn(prober.run()),
            tokio::spawn(Mirror::run(gateway.clone())),
            tokio::spawn(sender.run()),
        ];
        background
            .extend(replication.chores().map(|chores| tokio::spawn(chores::run(gateway.clone(), chores))));
        let (tried, is_tried) = oneshot::channel();
        background.push(tokio::spawn(wanted.start_when_possible(rebalancer, gateway.log.clone(), tried)));
        // What the configuration wants is under way before anybody can ask for something else, where it can be.
        let _ = is_tried.await;
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
