//! Binding, running and draining.

use std::{convert::Infallible, net::SocketAddr, path::PathBuf, sync::Arc, thread, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pingora_core::{
    listeners::{L4BufferSettings, ListenerConfig, Listeners, tls::TlsSettings},
    server::ListenFds,
    services::listening,
};
use tokio::{runtime, sync::watch, task::JoinSet};
use tokio_util::task::TaskTracker;
use tower_service::Service;

use crate::{
    BoxError, EdgeConfig, EdgeError, Listener, RequestBody, Shutdown,
    app::App,
    connection::Connections,
    shutdown::{Command, Commands, Stage},
    sockets::{Socket, Sockets, hand_over},
    tls,
};

/// Room for a response's head and a usual body, so that both leave in one write.
const WRITE_BUFFER: usize = 32 * 1024;

/// Room for a request's head and a usual body.
const READ_BUFFER: usize = 16 * 1024;

/// How long both processes accept connections during an upgrade.
const OVERLAP: Duration = Duration::from_secs(1);

/// How long connections that were accepted last have to become visible to the drain.
const LAST_ACCEPTED: Duration = Duration::from_millis(50);

/// How long the work that is cancelled at the end may take to be dropped.
const LAST_DROPS: Duration = Duration::from_secs(1);

/// An edge: bind listeners, attach services to them, run.
pub struct Edge {
    config: EdgeConfig,
    sockets: Sockets,
    services: Vec<(Socket, Box<dyn pingora_core::services::Service>)>,
    open: TaskTracker,
}

/// Listeners that are bound, and wait for the service that serves them.
#[must_use = "listeners without a service are closed"]
pub struct Binding(Vec<Bound>);

struct Bound {
    socket: Socket,
    tls: Option<TlsSettings>,
    http2: bool,
}

/// Binds the listeners and serves them by one service until `shutdown`.
pub fn serve<S, B>(
    config: EdgeConfig,
    listeners: &[Listener],
    service: S,
    shutdown: &Shutdown,
) -> Result<(), EdgeError>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let mut edge = Edge::new(config)?;
    let binding = edge.bind(listeners)?;
    edge.attach(binding, service);
    edge.run(shutdown)
}

// === impl Edge ===

impl Edge {
    /// Prepares an edge; with [`EdgeConfig::upgrade`], waits for the running process to hand over
    /// its listening sockets (it does when it gets SIGQUIT).
    pub fn new(config: EdgeConfig) -> Result<Self, EdgeError> {
        let sockets = match (&config.upgrade_socket, config.upgrade) {
            (Some(path), true) => Sockets::take_over(path)?,
            (None, true) => return Err(EdgeError::NoUpgradeSocket),
            (_, false) => Sockets::new(),
        };
        // Pingora's own timers need a thread that wakes a hundred times a second for as long as the process lives, also
        // while there is nothing to do; tokio's are there anyway.
        pingora_timeout::fast_timeout::set_fast_timeout_to_tokio_threshold(Some(Duration::ZERO));
        Ok(Self { config, sockets, services: Vec::new(), open: TaskTracker::new() })
    }

    /// Binds the listeners and loads their certificates. Connections are queued by the system from
    /// here on, and served once [`Edge::run`] is called.
    pub fn bind(&mut self, listeners: &[Listener]) -> Result<Binding, EdgeError> {
        let bind = |listener: &Listener| {
            let tls = listener.tls.as_ref().map(|tls| tls::load(tls, listener.http2));
            let socket = self.sockets.listen(listener.address)?;
            Ok(Bound { socket, tls: tls.transpose()?, http2: listener.http2 })
        };
        listeners.iter().map(bind).collect::<Result<_, _>>().map(Binding)
    }

    /// Says which service serves the listeners. May be called for several of each, for example a
    /// public and an administrative one.
    pub fn attach<S, B>(&mut self, binding: Binding, service: S)
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        for Bound { socket, tls, http2 } in binding.0 {
            let address = socket.address;
            let app = |h2c| App::new(service.clone(), self.config.stalled, h2c);
            let h2c = (http2 && tls.is_none()).then(|| app(true));
            let app = Connections::new(app(false), h2c, self.open.clone());
            let mut endpoint = ListenerConfig::tcp(address.to_string())
                .l4_buffer(L4BufferSettings::new(READ_BUFFER, WRITE_BUFFER));
            if let Some(tls) = tls {
                endpoint = endpoint.tls(tls);
            }
            let mut listeners = Listeners::new();
            listeners.add_listener(endpoint);
            let service = listening::Service::with_listeners(address.to_string(), listeners, app);
            self.services.push((socket, Box::new(service)));
        }
    }

    /// Serves until `shutdown`, and returns when the last request has ended or the grace time is
    /// over. Blocks the calling thread; the edge's work runs in threads of its own.
    pub fn run(self, shutdown: &Shutdown) -> Result<(), EdgeError> {
        let run = || self.run_here(shutdown);
        // A thread of its own, as a runtime can be neither driven nor dropped inside another one.
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("edge".to_owned()).spawn_scoped(scope, run)?;
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn run_here(self, shutdown: &Shutdown) -> Result<(), EdgeError> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(self.config.threads.max(1))
            .thread_name("edge-worker")
            .enable_all()
            .build()?;
        let ended = runtime.block_on(self.control(shutdown));
        // What still runs has had its time: it is dropped where it waits.
        runtime.shutdown_timeout(LAST_DROPS);
        ended
    }

    async fn control(self, shutdown: &Shutdown) -> Result<(), EdgeError> {
        let mut commands = shutdown.commands()?;
        let table = self.sockets.into_table();
        let (draining, watch) = watch::channel(false);
        let mut listeners = JoinSet::new();
        for (socket, mut service) in self.services {
            let (table, watch) = (table.clone(), watch.clone());
            listeners.spawn(async move {
                let address = socket.address;
                socket.register(&table);
                service.start_service(Some(table), watch, 1).await;
                address
            });
        }
        tracing::info!("edge is running");
        let command = tokio::select! {
            command = next_end(&mut commands, &table, self.config.upgrade_socket) => command,
            Some(ended) = listeners.join_next() => {
                shutdown.advance(Stage::Stopping);
                return Err(stopped(ended));
            }
        };
        if command == Command::Stop {
            tracing::info!("edge stops");
            shutdown.advance(Stage::Stopping);
            return Ok(());
        }
        tracing::info!(connections = self.open.len(), "edge drains");
        shutdown.advance(Stage::Draining);
        draining.send_replace(true);
        let drained = async {
            while listeners.join_next().await.is_some() {}
            tokio::time::sleep(LAST_ACCEPTED).await;
            self.open.close();
            self.open.wait().await;
        };
        tokio::select! {
            () = drained => tracing::info!("edge has drained"),
            () = tokio::time::sleep(self.config.grace) => {
                tracing::warn!(connections = self.open.len(), "grace time is over");
            }
            () = commands.stop() => tracing::info!("edge stops"),
        }
        Ok(())
    }
}

/// Waits for a command that ends this process: an upgrade that fails does not.
async fn next_end(commands: &mut Commands, table: &ListenFds, upgrade_socket: Option<PathBuf>) -> Command {
    loop {
        let command = commands.next().await;
        if command != Command::Upgrade {
            return command;
        }
        let Some(path) = upgrade_socket.clone() else {
            tracing::error!("no upgrade socket is configured, going on");
            continue;
        };
        let table = Arc::clone(table);
        let handed = tokio::task::spawn_blocking(move || hand_over(&table, &path)).await;
        match handed.map_err(std::io::Error::from).flatten() {
            Ok(()) => {
                tracing::info!("listening sockets handed over");
                tokio::time::sleep(OVERLAP).await;
                return Command::Drain;
            }
            Err(error) => tracing::error!(%error, "sockets not handed over, going on"),
        }
    }
}

fn stopped(ended: Result<SocketAddr, tokio::task::JoinError>) -> EdgeError {
    match ended {
        Ok(address) => EdgeError::Stopped(address),
        Err(error) => EdgeError::Start(error.into()),
    }
}

// === impl Binding ===

impl Binding {
    /// The addresses listened on, in the order of the listeners; with the port the system chose
    /// where port 0 was asked for.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|bound| bound.socket.address).collect()
    }
}
