//! Why an edge could not start.

use std::{io, net::SocketAddr, path::PathBuf};

/// Why an edge could not start.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The address is taken, not this machine's, or not allowed.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("cannot use certificate {} with key {}: {reason}", certificate.display(), key.display())]
    Tls {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What is wrong with them.
        reason: String,
    },
    /// An upgrade was asked for, but the sockets did not come.
    #[error("cannot take over the listening sockets through {}: {source}", socket.display())]
    Upgrade {
        /// The upgrade socket.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An upgrade was asked for, but no upgrade socket is configured.
    #[error("an upgrade needs the path of the upgrade socket")]
    NoUpgradeSocket,
    /// Threads, signal handlers or the runtime could not be set up.
    #[error("cannot start the edge: {0}")]
    Start(#[from] io::Error),
    /// A listener ended although nobody asked it to.
    #[error("the listener on {0} stopped unexpectedly")]
    Stopped(SocketAddr),
}

// === impl EdgeError ===

impl EdgeError {
    /// Whether another program listens on the address already.
    pub fn is_address_in_use(&self) -> bool {
        matches!(self, Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}
