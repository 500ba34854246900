//! A node, from start to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::config::NodeConfig;
use crate::http::{Api, router};
use crate::scheduler::Worker;
use crate::state::State;

/// How long requests may take to end when the node stops.
const GRACE: Duration = Duration::from_secs(5);

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The data directory cannot be opened.
    #[error("cannot open the data in {directory}: {reason}")]
    Data {
        /// The directory.
        directory: std::path::PathBuf,
        /// What stands in the way.
        reason: String,
    },
}

/// An embedded node.
#[derive(Debug)]
pub struct Node(());

/// A node that runs. Dropping it lets the node run on; [`shutdown`](Self::shutdown) stops it.
#[derive(Debug)]
pub struct NodeHandle {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    stopped: JoinHandle<()>,
}

impl Node {
    /// Opens the data, goes on with tasks that were left unfinished and starts to answer requests.
    pub async fn start(config: NodeConfig) -> Result<NodeHandle, NodeError> {
        let data = |reason: String| NodeError::Data { directory: config.data_dir.clone(), reason };
        let listen = |source| NodeError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let opening = config.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let state = Arc::new(State::open(&opening)?);
            let worker = Worker::start(state.clone())?;
            Ok::<_, crate::error::EngineError>((state, worker))
        });
        let (state, worker) = opened
            .await
            .map_err(|error| data(error.to_string()))?
            .map_err(|error| data(error.to_string()))?;
        let app = router(Arc::new(Api::new(&config, state.clone(), worker.scheduler())));
        let (stop, stopping) = oneshot::channel();
        let stopped = tokio::spawn(run(listener, app, stopping, state, worker));
        tracing::info!(%address, data = %config.data_dir.display(), "node is ready");
        Ok(NodeHandle { address, stop, stopped })
    }
}

impl NodeHandle {
    /// The address the node listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the node, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the requests and the task at hand, and closes the data. Tasks that wait are kept for the next start.
    pub async fn shutdown(self) {
        // The receiver is gone only when the node has stopped already.
        let _ = self.stop.send(());
        if let Err(error) = self.stopped.await {
            tracing::error!(%error, "node did not stop cleanly");
        }
    }
}

async fn run(
    listener: TcpListener,
    app: axum::Router,
    stopping: oneshot::Receiver<()>,
    state: Arc<State>,
    worker: Worker,
) {
    let (drain, draining) = oneshot::channel::<()>();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        // A dropped handle never asks the node to stop.
        if stopping.await.is_err() {
            std::future::pending::<()>().await;
        }
        let _ = drain.send(());
    });
    let overdue = async move {
        if draining.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = server => {
            if let Err(error) = ended {
                tracing::error!(%error, "node stopped answering");
            }
        }
        () = overdue => tracing::warn!("requests were cut off at shutdown"),
    }
    let closing = tokio::task::spawn_blocking(move || {
        worker.stop();
        state.indexes.close();
    });
    if let Err(error) = closing.await {
        tracing::error!(%error, "data were not closed cleanly");
    }
}
