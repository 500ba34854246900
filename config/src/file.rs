//! The file as it is written: the types that the schema is made from.
//!
//! The first paragraph of every comment here is what the schema and the reference say about a key.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    FilterConfig, LogFormat, LogLevel, Partial, Secret, defaults,
    units::{Address, DurationText, Name, NodeUrl, SizeText},
};

/// The configuration of Miroir.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Miroir")]
pub struct FileConfig {
    /// Where and how clients are served.
    #[serde(default)]
    pub(crate) server: ServerConfig,
    /// The listener for operators; none when absent.
    #[serde(default)]
    pub(crate) admin: Option<AdminConfig>,
    /// The key that client keys are derived from, as in Meilisearch; without one every request is let in.
    #[serde(default)]
    pub(crate) master_key: Option<Secret>,
    /// The log of writes.
    #[serde(default)]
    pub(crate) log: LogConfig,
    /// Dumps and snapshots.
    #[serde(default)]
    pub(crate) backup: BackupConfig,
    /// The nodes and how indexes are spread over them.
    pub(crate) cluster: ClusterConfig,
    /// How searches are fanned out.
    #[serde(default)]
    pub(crate) search: SearchConfig,
    /// What the program says about itself.
    #[serde(default)]
    pub(crate) telemetry: TelemetryConfig,
    /// The filters a request passes, outermost first.
    #[serde(default = "defaults::filters")]
    pub(crate) filters: Vec<FilterConfig>,
}

/// Where and how clients are served.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub(crate) struct ServerConfig {
    /// The addresses listened on.
    #[schemars(length(min = 1))]
    pub(crate) listen: Vec<ListenerConfig>,
    /// Threads that serve requests; one per processor core when absent.
    #[schemars(range(min = 1, max = 1024))]
    pub(crate) threads: Option<u16>,
    /// How much memory the requests under way may take together, as their bodies let expect.
    pub(crate) memory: SizeText,
    /// How long requests in flight may take to end after a stop was asked for.
    pub(crate) grace: DurationText,
    /// The socket over which a starting process takes over the listeners of a running one.
    pub(crate) upgrade_socket: Option<PathBuf>,
}

/// One address that is listened on.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct ListenerConfig {
    /// IP address and port.
    pub(crate) address: Address,
    /// Certificate and key; plain text when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<TlsConfig>,
    /// Whether HTTP/2 is offered beside HTTP/1.1.
    #[serde(default = "defaults::http2")]
    pub(crate) http2: bool,
}

/// The files of a TLS listener.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct TlsConfig {
    /// The certificate chain, a PEM file.
    #[schemars(extend("format" = "existing-file"))]
    pub(crate) certificate: PathBuf,
    /// The private key, a PEM file.
    #[schemars(extend("format" = "existing-file"))]
    pub(crate) key: PathBuf,
}

/// The listener for operators.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct AdminConfig {
    /// IP address and port.
    pub(crate) address: Address,
}

/// The log of writes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub(crate) struct LogConfig {
    /// Where the log and the payloads that wait in it are kept.
    pub(crate) directory: PathBuf,
    /// The largest payload of one write.
    pub(crate) max_payload: SizeText,
    /// How much payload may wait for the nodes before further writes are refused.
    pub(crate) max_backlog: SizeText,
    /// How many tasks may wait for the nodes before further writes are refused.
    pub(crate) max_tasks: u32,
}

/// Dumps and snapshots.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub(crate) struct BackupConfig {
    /// Where they are written.
    pub(crate) directory: PathBuf,
}

/// The nodes and how indexes are spread over them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct ClusterConfig {
    /// Shards per index, a power of two.
    #[serde(default = "defaults::shards")]
    #[schemars(range(min = 1, max = 16_384))]
    pub(crate) shards: u16,
    /// Copies of every shard within each group.
    #[serde(default = "defaults::replicas")]
    #[schemars(range(min = 1))]
    pub(crate) replicas: u8,
    /// Certificates of authorities that `https` nodes may have theirs from, a PEM file; beside those that browsers trust.
    #[serde(default)]
    #[schemars(extend("format" = "existing-file"))]
    pub(crate) ca: Option<PathBuf>,
    /// The Meilisearch servers.
    #[schemars(length(min = 1))]
    pub(crate) nodes: Vec<NodeConfig>,
}

/// One Meilisearch server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct NodeConfig {
    /// The name by which its shards and its place in the log are remembered; it stays when the URL changes.
    pub(crate) name: Name,
    /// Its base URL.
    pub(crate) url: NodeUrl,
    /// The key sent to the node, one that may do everything there.
    #[serde(default)]
    pub(crate) key: Option<Secret>,
    /// The group it belongs to; the nodes of one group hold one full copy of every index.
    #[serde(default = "defaults::group")]
    pub(crate) group: Name,
    /// Its share of the group's shards, relative to the other nodes.
    #[serde(default = "defaults::weight")]
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) weight: u32,
}

/// How searches are fanned out.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub(crate) struct SearchConfig {
    /// How long the nodes may take to answer one search.
    pub(crate) timeout: DurationText,
    /// How long a connection to a node may take to open.
    pub(crate) connect_timeout: DurationText,
    /// What a search is answered when not every shard can be read: an error, or what could be read, marked as partial.
    pub(crate) partial: Partial,
}

/// What the program says about itself.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub(crate) struct TelemetryConfig {
    /// The least important messages that are still written.
    pub(crate) log_level: LogLevel,
    /// How messages are written.
    pub(crate) log_format: LogFormat,
}
