//! What an edge is started with.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Settings of the whole edge.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// Worker threads; at least one is started.
    pub threads: usize,
    /// How long requests in flight may take to finish once the edge drains.
    pub grace: Duration,
    /// How long a client may take none of an answer: who only asks and does not read would keep others from asking.
    pub stalled: Duration,
    /// The Unix socket over which listening sockets are handed to the next process. Put it into
    /// a directory that only the service's own user can enter.
    pub upgrade_socket: Option<PathBuf>,
    /// Take the listening sockets over from the process that holds them, instead of binding.
    pub upgrade: bool,
}

/// One address to listen on.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where to listen; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Certificate and key; plain text without.
    pub tls: Option<Tls>,
    /// HTTP/2 beside HTTP/1.1: by ALPN with TLS, by prior knowledge (h2c) without.
    pub http2: bool,
}

/// Where a listener's certificate is.
#[derive(Clone, Debug)]
pub struct Tls {
    /// PEM file with the certificate chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

// === impl EdgeConfig ===

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            threads: 1,
            grace: Duration::from_secs(30),
            stalled: Duration::from_secs(60),
            upgrade_socket: None,
            upgrade: false,
        }
    }
}

// === impl Listener ===

impl Listener {
    /// A plain-text listener for HTTP/1.1 alone.
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None, http2: false }
    }
}
