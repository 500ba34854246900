//! What the program runs on: every value checked, every default filled in.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FilterConfig, Secret};

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where and how clients are served.
    pub server: Server,
    /// The listener for operators; none when absent.
    pub admin: Option<Admin>,
    /// The key that client keys are derived from; without one every request is let in.
    pub master_key: Option<Secret>,
    /// The log of writes.
    pub log: LogStore,
    /// Dumps and snapshots.
    pub backup: Backup,
    /// The nodes and how indexes are spread over them.
    pub cluster: Cluster,
    /// How searches are fanned out.
    pub search: Search,
    /// What the program says about itself.
    pub telemetry: Telemetry,
    /// The filters a request passes, outermost first.
    pub filters: Vec<FilterConfig>,
}

/// Where and how clients are served.
#[derive(Debug, Clone)]
pub struct Server {
    /// The addresses listened on; at least one.
    pub listen: Vec<Listener>,
    /// Threads that serve requests; at least one.
    pub threads: usize,
    /// How much memory requests may take together, in bytes.
    pub memory: u64,
    /// How long requests in flight may take to end after a stop was asked for.
    pub grace: Duration,
    /// The socket over which a starting process takes over the listeners of a running one.
    pub upgrade_socket: Option<PathBuf>,
}

/// One address that is listened on.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Address and port.
    pub address: SocketAddr,
    /// Certificate and key; plain text without.
    pub tls: Option<Tls>,
    /// Whether HTTP/2 is offered beside HTTP/1.1.
    pub http2: bool,
}

/// The files of a TLS listener, both PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The listener for operators.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Address and port.
    pub address: SocketAddr,
}

/// The log of writes.
#[derive(Debug, Clone)]
pub struct LogStore {
    /// Where the log and the payloads that wait in it are kept.
    pub directory: PathBuf,
    /// The largest payload of one write, in bytes.
    pub max_payload: u64,
    /// How many bytes of payloads may wait for the nodes before further writes are refused.
    pub max_backlog: u64,
    /// How many tasks may wait for the nodes before further writes are refused.
    pub max_tasks: u32,
}

/// Dumps and snapshots.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Where they are written.
    pub directory: PathBuf,
}

/// The nodes and how indexes are spread over them.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Shards per index: a power of two from 1 to 16,384.
    pub shards: u16,
    /// Copies of every shard within each group; at least one, at most the nodes of the smallest group.
    pub replicas: u8,
    /// Certificates of authorities that nodes may have theirs from, a PEM file; beside those that browsers trust.
    pub ca: Option<PathBuf>,
    /// The nodes; at least one, names unique.
    pub nodes: Vec<Node>,
}

/// One Meilisearch server.
#[derive(Debug, Clone)]
pub struct Node {
    /// The name by which its shards and its place in the log are remembered.
    pub name: String,
    /// `http` or `https`, host, and port where it is not the scheme's; no path.
    pub url: http::Uri,
    /// The key sent to the node.
    pub key: Option<Secret>,
    /// The group it belongs to; the nodes of one group hold one full copy.
    pub group: String,
    /// Its share of the group's shards, relative to the others; at least one.
    pub weight: u32,
}

/// How searches are fanned out.
#[derive(Debug, Clone)]
pub struct Search {
    /// How long the nodes may take to answer one search.
    pub timeout: Duration,
    /// How long a connection to a node may take to open; not longer than `timeout`.
    pub connect_timeout: Duration,
    /// What a search is answered when not every shard can be read.
    pub partial: Partial,
}

/// What a search is answered when not every shard can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Partial {
    /// The search fails with `miroir_shard_unavailable`.
    #[default]
    Deny,
    /// What could be read is answered, and the answer says what is missing.
    Allow,
}

/// What the program says about itself.
#[derive(Debug, Clone, Copy)]
pub struct Telemetry {
    /// The least important messages that are still written.
    pub log_level: LogLevel,
    /// How messages are written.
    pub log_format: LogFormat,
}

/// How important a log message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Something failed and needs a hand.
    Error,
    /// Something went wrong and was dealt with.
    Warn,
    /// What an operator wants to know in normal times.
    #[default]
    Info,
    /// Details for finding a fault.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The level as it is written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How log messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One readable line per message.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}
