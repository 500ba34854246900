//! The whole program between its configuration and its end.

use std::net::SocketAddr;

use miroir_config::{Config, Listener};
use miroir_edge::{Binding, Edge, EdgeConfig, EdgeError, Shutdown};
use miroir_filters::{Deps, MetricRegistry};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

use crate::{
    admin,
    app::{App, StartError, Surroundings},
    stack,
    telemetry::Messages,
};

/// Threads for what runs in the background: the log, the appliers.
const BACKGROUND_THREADS: usize = 2;

/// Why the program cannot serve.
#[derive(Debug, Error)]
pub enum ServeError {
    /// A listener cannot be bound, or the edge failed.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// The parts behind it cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// No threads.
    #[error("the background runtime cannot start")]
    Runtime(#[source] std::io::Error),
}

/// Everything started and bound, ready to serve.
pub struct Server {
    background: Runtime,
    app: App,
    edge: Edge,
    addresses: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
}

impl Server {
    /// Binds the listeners, opens the log, starts the background work. Connections wait until [`Server::run`].
    pub fn start(config: &Config, upgrade: bool) -> Result<Self, ServeError> {
        Self::start_with(config, upgrade, None)
    }

    /// The same, in a process whose messages the gateway may change and stream.
    pub(crate) fn start_with(
        config: &Config,
        upgrade: bool,
        messages: Option<Messages>,
    ) -> Result<Self, ServeError> {
        let mut edge = Edge::new(EdgeConfig {
            threads: config.server.threads,
            grace: config.server.grace,
            upgrade_socket: config.server.upgrade_socket.clone(),
            upgrade,
            ..EdgeConfig::default()
        })?;
        let listeners: Vec<miroir_edge::Listener> = config.server.listen.iter().map(listener).collect();
        let public = edge.bind(&listeners)?;
        let operators =
            config.admin.as_ref().map(|admin| edge.bind(&[miroir_edge::Listener::plain(admin.address)]));
        let operators: Option<Binding> = operators.transpose()?;
        let background = Builder::new_multi_thread()
            .worker_threads(BACKGROUND_THREADS)
            .thread_name("background")
            .enable_all()
            .build()
            .map_err(ServeError::Runtime)?;
        let metrics = MetricRegistry::default();
        let surroundings = Surroundings { metrics: metrics.clone(), messages, upgrade };
        let app = background.block_on(App::start(config, surroundings))?;
        let addresses = public.addresses();
        let deps = Deps { keys: app.gateway.keys.clone(), metrics, epoch: app.gateway.epoch() };
        edge.attach(public, stack::build(app.gateway.clone(), &config.filters, &deps));
        let admin = operators.as_ref().and_then(|binding| binding.addresses().first().copied());
        if let Some(binding) = operators {
            edge.attach(binding, admin::build(app.gateway.clone(), &deps));
        }
        Ok(Self { background, app, edge, addresses, admin })
    }

    /// Where clients are served; with the port the system chose where port 0 was asked for.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where operators are.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Serves until told to end, then stops the background work.
    pub fn run(self, shutdown: &Shutdown) -> Result<(), ServeError> {
        self.edge.run(shutdown)?;
        self.background.block_on(self.app.stop());
        Ok(())
    }
}

fn listener(listener: &Listener) -> miroir_edge::Listener {
    miroir_edge::Listener {
        address: listener.address,
        tls: listener
            .tls
            .as_ref()
            .map(|tls| miroir_edge::Tls { certificate: tls.certificate.clone(), key: tls.key.clone() }),
        http2: listener.http2,
    }
}
