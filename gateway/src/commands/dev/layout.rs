//! What a run of `dev` consists of.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use miroir_config::Config;

use super::{Arguments, DevError};

/// The key of the nodes: they listen on the loopback address only, and clients never see it.
pub(super) const NODE_KEY: &str = "node-key-for-development";

/// The nodes and where everything is kept.
pub(super) struct Layout {
    listen: SocketAddr,
    master_key: String,
    directory: PathBuf,
    nodes: Vec<NodeSeat>,
}

/// One node of the run.
#[derive(Clone, Debug)]
pub(super) struct NodeSeat {
    pub(super) name: String,
    group: String,
    pub(super) directory: PathBuf,
}

impl Layout {
    pub(super) fn new(arguments: &Arguments, directory: &Path) -> Self {
        let seat = |group: u16, number: u16| {
            let name = format!("n{}", (group - 1) * arguments.nodes + number);
            NodeSeat { directory: directory.join(&name), group: format!("g{group}"), name }
        };
        let seats = (1..=arguments.groups).flat_map(|group| (1..=arguments.nodes).map(move |n| (group, n)));
        Self {
            listen: arguments.listen,
            master_key: arguments.master_key.clone(),
            directory: directory.to_owned(),
            nodes: seats.map(|(group, number)| seat(group, number)).collect(),
        }
    }

    pub(super) fn nodes(&self) -> &[NodeSeat] {
        &self.nodes
    }

    /// Whether the gateway's port is free now.
    pub(super) fn check_port(&self) -> Result<(), DevError> {
        TcpListener::bind(self.listen).map(drop).map_err(|error| DevError::Listen(self.listen, error))
    }

    /// The gateway's configuration, in the form a file would have.
    pub(super) fn config(&self, addresses: &[SocketAddr]) -> Result<Config, DevError> {
        let nodes = self.nodes.iter().zip(addresses).map(|(seat, address)| {
            serde_json::json!({
                "name": seat.name, "url": format!("http://{address}"), "key": NODE_KEY, "group": seat.group,
            })
        });
        let file = serde_json::json!({
            "server": { "listen": [{ "address": self.listen.to_string() }] },
            "master_key": self.master_key,
            "log": { "directory": self.directory.join("log") },
            "cluster": { "nodes": nodes.collect::<Vec<_>>() },
            "telemetry": { "log_level": "warn" },
        });
        // JSON is YAML.
        miroir_config::parse(&file.to_string(), "miroir dev", &|_| None)
            .map_err(|report| DevError::Config(report.to_string()))
    }
}
