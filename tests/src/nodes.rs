//! The nodes behind the gateway: embedded ones, or real Meilisearch servers.

use std::{
    ffi::{OsStr, OsString},
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    client::{Address, Client},
    machine::Machine,
    network::Network,
    process::signal,
    wait::eventually,
};

/// The key of nodes, which clients of the gateway do not know.
pub(crate) const NODE_KEY: &str = "key-of-the-nodes";

/// Where a node listens that has a network of its own.
const PORT: u16 = 7700;

/// One node, running or not.
#[derive(Debug)]
pub struct Node {
    name: String,
    program: PathBuf,
    directory: PathBuf,
    key: String,
    address: SocketAddr,
    machine: Option<Machine>,
    network: Option<Network>,
    process: Option<Child>,
}

/// A node that stands alone, with a client of its own: what one server would answer. `program` is the one that
/// [`cluster`](crate::cluster()) takes.
pub fn lone_node(program: &str) -> (Node, Client, TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let node = Node::start_new("alone", program.as_ref(), directory.path(), crate::MASTER_KEY, None);
    let client = node.client();
    (node, client, directory)
}

impl Node {
    /// Starts a node of this name, with its data in the directory.
    pub(crate) fn start_new(
        name: &str,
        program: &Path,
        directory: &Path,
        key: &str,
        machine: Option<Machine>,
    ) -> Self {
        let mut node = Self {
            name: name.to_owned(),
            program: program.to_owned(),
            directory: directory.join(name),
            key: key.to_owned(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            machine,
            network: None,
            process: None,
        };
        node.start();
        node
    }

    /// Has it listen on a network of its own from now on, which may have been another one before.
    pub(crate) fn move_to(&mut self, network: Network) {
        self.stop();
        self.address = SocketAddr::from((network.address(), PORT));
        self.network = Some(network);
        self.start();
    }

    /// The network between the gateway and it, where that can be made to fail.
    pub fn network(&self) -> &Network {
        self.network.as_ref().expect("a node on a network of the test's own")
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
        assert!(self.process.is_none(), "node {} runs", self.name);
        self.process = Some(match std::env::var_os("MEILISEARCH_BIN") {
            Some(server) => self.start_server(&server),
            None => self.start_embedded(),
        });
    }

    /// Starts it where it was before, without the data it had.
    pub fn start_empty(&mut self) {
        std::fs::remove_dir_all(&self.directory).expect("the data are removed");
        self.start();
    }

    /// Kills it, as `kill -9` does. Its data stay, and nobody listens at its address.
    pub fn stop(&mut self) {
        end(self.process.take().unwrap_or_else(|| panic!("node {} does not run", self.name)));
    }

    /// Holds it still where it is: it is there, and answers nothing.
    pub fn hang(&self) {
        signal(self.child(), "STOP");
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        signal(self.child(), "CONT");
    }

    fn child(&self) -> &Child {
        self.process.as_ref().unwrap_or_else(|| panic!("node {} does not run", self.name))
    }

    fn start_server(&mut self, program: &OsString) -> Child {
        self.take_port();
        let mut command = self.command(program);
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
        let mut child = self.spawn(command.stdin(Stdio::null()).stdout(Stdio::null()));
        let client = self.client();
        eventually("the server answers", || {
            let ended = child.try_wait().expect("the server's state is known");
            assert!(ended.is_none(), "the server has ended: {ended:?}");
            client.get("/health").try_send().ok()
        });
        child
    }

    /// It ends by itself when this process, which holds its standard input, has.
    fn start_embedded(&mut self) -> Child {
        let mut command = self.command(self.program.as_os_str());
        command.args(["node", &self.address.to_string()]).arg(&self.directory).arg(&self.key);
        let mut child = self.spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut listens = String::new();
        let said = child.stdout.as_mut().map(|stdout| BufReader::new(stdout).read_line(&mut listens));
        self.address = match listens.trim().parse() {
            Ok(address) => address,
            Err(_) => panic!("node {} does not say where it listens: {said:?}, {listens:?}", self.name),
        };
        child
    }

    fn command(&self, program: &OsStr) -> Command {
        self.network.as_ref().map_or_else(|| Command::new(program), |network| network.command(program))
    }

    /// A server cannot be asked which port it was given.
    fn take_port(&mut self) {
        if self.address.port() == 0 {
            let free = TcpListener::bind(self.address).and_then(|listener| listener.local_addr());
            self.address = free.expect("a free port");
        }
    }

    fn spawn(&self, command: &mut Command) -> Child {
        if let Some(machine) = &self.machine {
            machine.shows(command);
        }
        command.stderr(Stdio::null()).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = self.process.take() {
            end(child);
        }
    }
}

/// A kill is what a node has to survive anyway.
fn end(mut child: Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}
