//! The nodes behind the gateway: embedded ones, or real Meilisearch servers.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use miroir_node::{Node as Embedded, NodeConfig, NodeHandle};
use tempfile::TempDir;

use crate::{
    client::{Address, Client},
    runtime::wait_for,
    wait::eventually,
};

/// The key of nodes, which clients of the gateway do not know.
pub(crate) const NODE_KEY: &str = "key-of-the-nodes";

/// One node, running or not.
#[derive(Debug)]
pub struct Node {
    name: String,
    directory: PathBuf,
    key: String,
    address: SocketAddr,
    running: Option<Running>,
}

#[derive(Debug)]
enum Running {
    Embedded(NodeHandle),
    Server(Child),
}

/// A node that stands alone, with a client of its own: what one server would answer.
pub fn lone_node() -> (Node, Client, TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let node = Node::start_new("alone", directory.path(), crate::MASTER_KEY);
    let client = node.client();
    (node, client, directory)
}

impl Node {
    pub(crate) fn start_new(name: &str, directory: &Path, key: &str) -> Self {
        let mut node = Self {
            name: name.to_owned(),
            directory: directory.join(name),
            key: key.to_owned(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            running: None,
        };
        node.start();
        node
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens, also after a start anew.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks the node itself.
    pub fn client(&self) -> Client {
        Client::new(Address::new(self.address), &self.key)
    }

    /// Starts it where it was before, on the data it had.
    pub fn start(&mut self) {
        assert!(self.running.is_none(), "node {} runs", self.name);
        self.running = Some(match std::env::var_os("MEILISEARCH_BIN") {
            None => self.start_embedded(),
            Some(program) => self.start_server(Path::new(&program)),
        });
    }

    /// Starts it where it was before, without the data it had.
    pub fn start_empty(&mut self) {
        std::fs::remove_dir_all(&self.directory).expect("the data are removed");
        self.start();
    }

    /// Stops it; its data stay. Nobody listens at its address then.
    pub fn stop(&mut self) {
        match self.running.take() {
            None => panic!("node {} does not run", self.name),
            Some(Running::Embedded(handle)) => wait_for(handle.shutdown()),
            Some(Running::Server(child)) => end(child),
        }
    }

    fn start_embedded(&mut self) -> Running {
        let config = NodeConfig::new(self.address, &self.directory).with_master_key(&self.key);
        let handle =
            wait_for(Embedded::start(config)).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        self.address = handle.address();
        Running::Embedded(handle)
    }

    fn start_server(&mut self, program: &Path) -> Running {
        if self.address.port() == 0 {
            let free = TcpListener::bind(self.address).and_then(|listener| listener.local_addr());
            self.address = free.expect("a free port");
        }
        let mut child = Command::new(program)
            .args(["--http-addr", &self.address.to_string(), "--master-key", &self.key])
            .arg("--db-path")
            .arg(self.directory.join("data.ms"))
            .args(["--no-analytics", "--env", "development", "--log-level", "WARN"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let client = self.client();
        eventually("the server answers", || {
            let ended = child.try_wait().expect("the server's state is known");
            assert!(ended.is_none(), "the server has ended: {ended:?}");
            client.get("/health").try_send().ok()
        });
        Running::Server(child)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        match self.running.take() {
            Some(Running::Server(child)) => end(child),
            Some(Running::Embedded(handle)) => wait_for(handle.shutdown()),
            None => {}
        }
    }
}

/// A kill is what a node has to survive anyway.
fn end(mut child: Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}
