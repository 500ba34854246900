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
    machine::Machine,
    process::signal,
    runtime::wait_for,
    wait::eventually,
};

/// The key of nodes, which clients of the gateway do not know.
pub(crate) const NODE_KEY: &str = "key-of-the-nodes";

/// How nodes run where they are not real servers.
#[derive(Clone, Debug, Default)]
pub(crate) enum Kind {
    /// In the test's own process: quick to start, but it cannot be killed.
    #[default]
    Embedded,
    /// As processes of this program.
    Process(PathBuf),
}

/// One node, running or not.
#[derive(Debug)]
pub struct Node {
    name: String,
    kind: Kind,
    directory: PathBuf,
    key: String,
    address: SocketAddr,
    machine: Option<Machine>,
    running: Option<Running>,
}

#[derive(Debug)]
enum Running {
    Embedded(NodeHandle),
    Process(Child),
}

/// A node that stands alone, with a client of its own: what one server would answer.
pub fn lone_node() -> (Node, Client, TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let node = Node::start_new("alone", directory.path(), crate::MASTER_KEY, Kind::Embedded, None);
    let client = node.client();
    (node, client, directory)
}

impl Node {
    /// A process sees the machine.
    pub(crate) fn start_new(
        name: &str,
        directory: &Path,
        key: &str,
        kind: Kind,
        machine: Option<Machine>,
    ) -> Self {
        let mut node = Self {
            name: name.to_owned(),
            kind,
            directory: directory.join(name),
            key: key.to_owned(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            machine,
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

    /// What it sees of its machine, where that can be made to fail.
    pub fn machine(&self) -> &Machine {
        self.machine.as_ref().expect("a node on a machine of the test's own")
    }

    /// Asks the node itself.
    pub fn client(&self) -> Client {
        Client::new(Address::new(self.address), &self.key)
    }

    /// Starts it where it was before, on the data it had.
    pub fn start(&mut self) {
        assert!(self.running.is_none(), "node {} runs", self.name);
        self.running = Some(match (std::env::var_os("MEILISEARCH_BIN"), self.kind.clone()) {
            (Some(program), _) => self.start_server(Path::new(&program)),
            (None, Kind::Process(program)) => self.start_program(&program),
            (None, Kind::Embedded) => self.start_embedded(),
        });
    }

    /// Starts it where it was before, without the data it had.
    pub fn start_empty(&mut self) {
        std::fs::remove_dir_all(&self.directory).expect("the data are removed");
        self.start();
    }

    /// Stops it; its data stay. Nobody listens at its address then. A process is killed, as `kill -9` does.
    pub fn stop(&mut self) {
        match self.running.take() {
            None => panic!("node {} does not run", self.name),
            Some(Running::Embedded(handle)) => wait_for(handle.shutdown()),
            Some(Running::Process(child)) => end(child),
        }
    }

    /// Holds it still where it is: it is there, and answers nothing. Only for processes.
    pub fn hang(&self) {
        signal(self.child(), "STOP");
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        signal(self.child(), "CONT");
    }

    fn child(&self) -> &Child {
        match &self.running {
            Some(Running::Process(child)) => child,
            _ => panic!("node {} is no process that runs", self.name),
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
        self.take_port();
        let mut command = Command::new(program);
        command
            .args(["--http-addr", &self.address.to_string(), "--master-key", &self.key])
            .arg("--db-path")
            .arg(self.directory.join("data.ms"))
            // A model of a test listens on this machine.
            .env("MEILI_EXPERIMENTAL_ALLOWED_IP_NETWORKS", "any")
            // One of many on this machine: with two thirds of its memory for each, they spend nearly all their time, with
            // every task, on clearing buffers.
            .env("MEILI_MAX_INDEXING_MEMORY", "256 MiB")
            .args(["--no-analytics", "--env", "development", "--log-level", "WARN"]);
        self.spawn(command)
    }

    fn start_program(&mut self, program: &Path) -> Running {
        self.take_port();
        let mut command = Command::new(program);
        command.args(["node", &self.address.to_string()]).arg(&self.directory).arg(&self.key);
        self.spawn(command)
    }

    /// A process cannot say which port it was given.
    fn take_port(&mut self) {
        if self.address.port() == 0 {
            let free = TcpListener::bind(self.address).and_then(|listener| listener.local_addr());
            self.address = free.expect("a free port");
        }
    }

    fn spawn(&self, mut command: Command) -> Running {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(machine) = &self.machine {
            machine.shows(&mut command);
        }
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let client = self.client();
        eventually("the server answers", || {
            let ended = child.try_wait().expect("the server's state is known");
            assert!(ended.is_none(), "the server has ended: {ended:?}");
            client.get("/health").try_send().ok()
        });
        Running::Process(child)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        match self.running.take() {
            Some(Running::Process(child)) => end(child),
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
