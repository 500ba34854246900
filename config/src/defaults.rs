//! Every default of the file, in one place.

use std::{path::PathBuf, time::Duration};

use crate::{
    FilterConfig, LogFormat, LogLevel, Partial,
    file::{BackupConfig, ListenerConfig, LogConfig, SearchConfig, ServerConfig, TelemetryConfig},
    units::{Address, DurationText, Name, SizeText},
};

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: vec![ListenerConfig {
                address: Address(([127, 0, 0, 1], 7700).into()),
                tls: None,
                http2: http2(),
            }],
            threads: None,
            memory: SizeText(1 << 30),
            grace: DurationText(Duration::from_secs(30)),
            upgrade_socket: None,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("miroir-data"),
            // What a Meilisearch server takes by default.
            max_payload: SizeText(100_000_000),
            max_backlog: SizeText(10 << 30),
            max_tasks: 1_000_000,
        }
    }
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self { directory: PathBuf::from("miroir-backups") }
    }
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self {
            timeout: DurationText(Duration::from_secs(10)),
            connect_timeout: DurationText(Duration::from_secs(1)),
            partial: Partial::Deny,
        }
    }
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { log_level: LogLevel::Info, log_format: LogFormat::Text }
    }
}

/// The chain that a gateway needs whatever stands behind it, for files that do not choose one.
const FILTERS: [&str; 12] = [
    "request_id",
    "trace",
    "access_log",
    "metrics",
    "cors",
    "compression",
    "auth",
    "concurrency",
    "deadline",
    "decompression",
    "body_limit",
    // Nodes that cannot keep up with all searches can with those that differ.
    "coalesce",
];

pub(crate) fn filters() -> Vec<FilterConfig> {
    FILTERS.into_iter().filter_map(FilterConfig::with_defaults).collect()
}

pub(crate) fn http2() -> bool {
    true
}

pub(crate) fn shards() -> u16 {
    256
}

pub(crate) fn replicas() -> u8 {
    1
}

pub(crate) fn group() -> Name {
    Name("main".to_owned())
}

pub(crate) fn weight() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_chain_is_complete_and_in_order() {
        assert_eq!(filters().len(), FILTERS.len());
        assert_eq!(miroir_filters::check_order(&filters()), []);
    }
}
