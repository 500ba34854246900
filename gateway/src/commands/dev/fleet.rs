//! The nodes of a run: embedded ones, or real Meilisearch servers.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};

use http::Uri;
use miroir_node::{Node, NodeConfig, NodeHandle};
use miroir_nodes::{Node as Client, NodeConfig as ClientConfig, NodeRequest};
use tokio::{
    process::{Child, Command},
    sync::oneshot,
    task::JoinHandle,
    time::Instant,
};

use super::{
    DevError,
    layout::{Layout, NODE_KEY, NodeSeat},
};

/// How long a server may take to answer for the first time.
const START: Duration = Duration::from_secs(30);
/// How long a server may take to end.
const STOP: Duration = Duration::from_secs(10);

/// The running nodes.
pub(super) struct Fleet(Vec<Running>);

enum Running {
    Embedded(SocketAddr, NodeHandle),
    Server(SocketAddr, Watched),
}

/// A server's process; somebody is told when it ends by itself.
struct Watched {
    stop: oneshot::Sender<()>,
    watcher: JoinHandle<()>,
}

impl Fleet {
    /// Starts every node and waits until each answers.
    pub(super) async fn start(layout: &Layout, program: Option<&Path>) -> Result<Self, DevError> {
        let mut nodes = Vec::new();
        for seat in layout.nodes() {
            let node = match program {
                None => embedded(seat).await?,
                Some(program) => server(seat, program).await?,
            };
            nodes.push(node);
        }
        Ok(Self(nodes))
    }

    /// Where they listen, in the order of the layout.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let address = |node: &Running| match node {
            Running::Embedded(address, _) | Running::Server(address, _) => *address,
        };
        self.0.iter().map(address).collect()
    }

    /// Stops every node and waits for its end.
    pub(super) async fn stop(self) {
        for node in self.0 {
            match node {
                Running::Embedded(_, handle) => handle.shutdown().await,
                Running::Server(_, Watched { stop, watcher }) => {
                    // A process that has ended by itself is not there to be told.
                    let _ = stop.send(());
                    let _ = watcher.await;
                }
            }
        }
    }
}

async fn embedded(seat: &NodeSeat) -> Result<Running, DevError> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = NodeConfig::new(listen, &seat.directory).with_master_key(NODE_KEY);
    let handle = Node::start(config).await.map_err(|error| failed(seat, &error))?;
    Ok(Running::Embedded(handle.address(), handle))
}

/// How much memory a server takes for indexing, unless the environment says otherwise: it is one of several on this machine.
/// The more it may take, the more it clears with every task, whatever the task needs.
const INDEXING_MEMORY: (&str, &str) = ("MEILI_MAX_INDEXING_MEMORY", "1 GiB");

async fn server(seat: &NodeSeat, program: &Path) -> Result<Running, DevError> {
    let (name, memory) = INDEXING_MEMORY;
    let memory = std::env::var_os(name).unwrap_or_else(|| memory.into());
    let address = free_address().map_err(|error| failed(seat, &error))?;
    let mut child = Command::new(program)
        .arg("--http-addr")
        .arg(address.to_string())
        .arg("--db-path")
        .arg(seat.directory.join("data.ms"))
        .arg("--dump-dir")
        .arg(seat.directory.join("dumps"))
        .arg("--snapshot-dir")
        .arg(seat.directory.join("snapshots"))
        .env(name, memory)
        .args(["--master-key", NODE_KEY, "--no-analytics", "--env", "development", "--log-level", "WARN"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C is the gateway's to handle: it stops first, the nodes after it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| DevError::Node(seat.name.clone(), format!("{}: {error}", program.display())))?;
    wait_until_up(seat, address, &mut child).await?;
    let (stop, stopped) = oneshot::channel();
    let watcher = tokio::spawn(watch(seat.name.clone(), child, stopped));
    Ok(Running::Server(address, Watched { stop, watcher }))
}

async fn wait_until_up(seat: &NodeSeat, address: SocketAddr, child: &mut Child) -> Result<(), DevError> {
    let client = Client::new(ClientConfig {
        name: seat.name.clone(),
        authority: address.to_string(),
        key: None,
        connect_timeout: Duration::from_secs(1),
        max_idle: 1,
        max_answer: 1 << 20,
    });
    let client = client.ok_or_else(|| DevError::Node(seat.name.clone(), "no address".to_owned()))?;
    let health = NodeRequest::get(Uri::from_static("/health"));
    let give_up = Instant::now() + START;
    while Instant::now() < give_up {
        if client.ask(&health, Duration::from_secs(1)).await.is_ok_and(|answer| answer.status.is_success()) {
            return Ok(());
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(DevError::Node(seat.name.clone(), format!("it ended at once with {status}")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(DevError::Node(seat.name.clone(), format!("it did not answer within {START:?}")))
}

async fn watch(name: String, mut child: Child, stopped: oneshot::Receiver<()>) {
    tokio::select! {
        status = child.wait() => {
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            eprintln!("node {name} has ended by itself: {status}");
        }
        _ = stopped => end(&name, child).await,
    }
}

/// Asks a process to end, and ends it where it does not.
async fn end(name: &str, mut child: Child) {
    if let Some(pid) = child.id() {
        let asked = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await;
        if asked.is_ok_and(|status| status.success())
            && tokio::time::timeout(STOP, child.wait()).await.is_ok()
        {
            return;
        }
    }
    if let Err(error) = child.kill().await {
        eprintln!("node {name} cannot be ended: {error}");
    }
}

fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn failed(seat: &NodeSeat, error: &dyn std::error::Error) -> DevError {
    DevError::Node(seat.name.clone(), error.to_string())
}
