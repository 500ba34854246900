//! A gateway over nodes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    client::Client,
    gateway::Gateway,
    link::Link,
    machine::Machine,
    network::Network,
    nodes::{NODE_KEY, Node},
    wait::eventually,
};

/// The key of the gateway's clients.
pub const MASTER_KEY: &str = "masterKey";

/// What a cluster is made of.
#[derive(Debug)]
#[must_use = "a cluster is started by `start`"]
pub struct Builder {
    program: PathBuf,
    nodes: usize,
    groups: usize,
    linked: bool,
    own_machines: bool,
    networks: Vec<Network>,
    sections: Vec<(&'static str, Value)>,
}

/// A running gateway, its nodes, and the directory of all their data, which is removed at the end.
#[derive(Debug)]
pub struct Cluster {
    // Dropped in this order: the gateway has to end before its nodes.
    gateway: Gateway,
    nodes: Vec<Node>,
    links: Vec<Link>,
    program: PathBuf,
    directory: TempDir,
}

/// Describes a cluster: three nodes in one group, unless said otherwise. `program` is `miroir-under-test`.
pub fn cluster(program: impl Into<PathBuf>) -> Builder {
    Builder {
        program: program.into(),
        nodes: 3,
        groups: 1,
        linked: false,
        own_machines: false,
        networks: Vec::new(),
        sections: Vec::new(),
    }
}

// === impl Builder ===

impl Builder {
    /// So many nodes in each group.
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// So many groups, each with a copy of everything.
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// With a network between the gateway and each node that can be made to fail.
    pub fn linked(mut self) -> Self {
        self.linked = true;
        self
    }

    /// With processes that each see a machine of their own, which can be made to fail.
    pub fn own_machines(mut self) -> Self {
        self.own_machines = true;
        self
    }

    /// With the first nodes each on one of these networks.
    pub fn networks(mut self, networks: Vec<Network>) -> Self {
        self.networks = networks;
        self
    }

    /// With these values in a section of the configuration.
    pub fn section(mut self, name: &'static str, value: Value) -> Self {
        self.sections.push((name, value));
        self
    }

    /// Starts the nodes, then the gateway.
    pub fn start(mut self) -> Cluster {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let names = (1..=self.nodes * self.groups).map(|number| format!("n{number}"));
        let machine = |name: &str| self.own_machines.then(|| Machine::new(directory.path(), name));
        let start =
            |name: String| Node::start_new(&name, &self.program, directory.path(), NODE_KEY, machine(&name));
        let mut nodes: Vec<Node> = names.map(start).collect();
        std::mem::take(&mut self.networks)
            .into_iter()
            .zip(&mut nodes)
            .for_each(|(network, node)| node.move_to(network));
        let links: Vec<Link> =
            nodes.iter().filter(|_| self.linked).map(|node| Link::to(node.address())).collect();
        let config = directory.path().join("miroir.yaml");
        // JSON is YAML.
        std::fs::write(&config, self.config(directory.path(), &nodes, &links).to_string())
            .expect("the file is written");
        let gateway = Gateway::start_new(&self.program, &config, machine("gateway"));
        Cluster { gateway, nodes, links, program: self.program, directory }
    }

    fn config(&self, directory: &Path, nodes: &[Node], links: &[Link]) -> Value {
        let entries = nodes.iter().enumerate().map(|(number, node)| {
            json!({
                "name": node.name(),
                "url": format!("http://{}", links.get(number).map_or_else(|| node.address(), Link::address)),
                "key": NODE_KEY,
                "group": format!("g{}", number / self.nodes + 1),
            })
        });
        let mut config = json!({
            "server": { "listen": [{ "address": "127.0.0.1:0" }], "threads": 2, "grace": "10s" },
            "admin": { "address": "127.0.0.1:0" },
            "master_key": MASTER_KEY,
            "log": { "directory": directory.join("log") },
            "backup": { "directory": directory.join("backups") },
            "cluster": { "nodes": entries.collect::<Vec<_>>() },
            "telemetry": { "log_level": "info", "log_format": "json" },
        });
        for (name, section) in &self.sections {
            match (config[*name].as_object_mut(), section.as_object()) {
                (Some(members), Some(more)) => {
                    members.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
                }
                _ => config[*name] = section.clone(),
            }
        }
        config
    }
}

// === impl Cluster ===

impl Cluster {
    /// Asks the gateway with the master key.
    pub fn client(&self) -> Client {
        self.gateway.client()
    }

    /// The gateway's process.
    pub fn gateway(&mut self) -> &mut Gateway {
        &mut self.gateway
    }

    /// The nodes, group after group.
    pub fn nodes(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    /// The network between the gateway and a node, by the node's place.
    pub fn link(&self, node: usize) -> &Link {
        &self.links[node]
    }

    /// Starts a node that the gateway does not know, and says how it would join, in the group of the first node.
    pub fn spare_node(&mut self, name: &str) -> Value {
        let node = Node::start_new(name, &self.program, self.directory.path(), NODE_KEY, None);
        let url = format!("http://{}", node.address());
        self.nodes.push(node);
        json!({ "name": name, "url": url, "key": NODE_KEY, "group": "g1" })
    }

    /// Waits until every node has applied everything that is written by now, as far as the gateway knows. What is written
    /// meanwhile is not waited for.
    pub fn wait_until_applied(&self) {
        let operators = self.gateway.operators();
        let mut written = None;
        eventually("every node has caught up", || {
            let fleet = operators.get("/nodes").try_send().ok()?.body;
            let written = *written.get_or_insert(fleet["log"].as_u64()?);
            let has_applied = |node: &Value| node["applied"].as_u64() >= Some(written);
            fleet["nodes"].as_array()?.iter().all(has_applied).then_some(())
        });
    }

    /// Where the gateway keeps its log and the payloads that wait in it.
    pub fn log_directory(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Where the gateway writes dumps.
    pub fn backup_directory(&self) -> PathBuf {
        self.directory.path().join("backups")
    }

    /// The gateway's configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.directory.path().join("miroir.yaml")
    }
}
