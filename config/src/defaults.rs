//! Every default of the file, in one place.

use std::{path::PathBuf, time::Duration};

use crate::{
    LogFormat, LogLevel, Partial,
    file::{ListenerConfig, LogConfig, SearchConfig, ServerConfig, TelemetryConfig},
    units::{Address, ByteSize, DurationText},
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
            max_payload: ByteSize(100 << 20),
            max_backlog: ByteSize(10 << 30),
        }
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

pub(crate) fn http2() -> bool {
    true
}

pub(crate) fn shards() -> u16 {
    256
}

pub(crate) fn replicas() -> u8 {
    1
}

pub(crate) fn group() -> String {
    "main".to_owned()
}

pub(crate) fn weight() -> u32 {
    1
}
