//! From the checked file to the runtime types. Nothing can fail here: the checks came before.

use std::thread;

use crate::{
    file::{
        AdminConfig, ClusterConfig, FileConfig, ListenerConfig, LogConfig, NodeConfig, SearchConfig,
        ServerConfig, TelemetryConfig, TlsConfig,
    },
    runtime::{Admin, Backup, Cluster, Config, Listener, LogStore, Node, Search, Server, Telemetry, Tls},
};

impl From<FileConfig> for Config {
    fn from(file: FileConfig) -> Self {
        Self {
            server: file.server.into(),
            admin: file.admin.map(|AdminConfig { address }| Admin { address: address.0 }),
            master_key: file.master_key,
            log: file.log.into(),
            backup: Backup { directory: file.backup.directory },
            cluster: file.cluster.into(),
            search: file.search.into(),
            telemetry: file.telemetry.into(),
            filters: file.filters,
        }
    }
}

impl From<ServerConfig> for Server {
    fn from(ServerConfig { listen, threads, memory, grace, upgrade_socket }: ServerConfig) -> Self {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        Self {
            listen: listen.into_iter().map(Listener::from).collect(),
            threads: threads.map_or_else(cores, usize::from),
            memory: memory.0,
            grace: grace.0,
            upgrade_socket,
        }
    }
}

impl From<ListenerConfig> for Listener {
    fn from(ListenerConfig { address, tls, http2 }: ListenerConfig) -> Self {
        let tls = tls.map(|TlsConfig { certificate, key }| Tls { certificate, key });
        Self { address: address.0, tls, http2 }
    }
}

impl From<LogConfig> for LogStore {
    fn from(LogConfig { directory, max_payload, max_backlog, max_tasks }: LogConfig) -> Self {
        Self { directory, max_payload: max_payload.0, max_backlog: max_backlog.0, max_tasks }
    }
}

impl From<ClusterConfig> for Cluster {
    fn from(ClusterConfig { shards, replicas, ca, nodes }: ClusterConfig) -> Self {
        Self { shards, replicas, ca, nodes: nodes.into_iter().map(Node::from).collect() }
    }
}

impl From<NodeConfig> for Node {
    fn from(NodeConfig { name, url, key, group, weight }: NodeConfig) -> Self {
        Self { name: name.0, url: url.0, key, group: group.0, weight }
    }
}

impl From<SearchConfig> for Search {
    fn from(SearchConfig { timeout, connect_timeout, partial }: SearchConfig) -> Self {
        Self { timeout: timeout.0, connect_timeout: connect_timeout.0, partial }
    }
}

impl From<TelemetryConfig> for Telemetry {
    fn from(TelemetryConfig { log_level, log_format }: TelemetryConfig) -> Self {
        Self { log_level, log_format }
    }
}
