//! The listening sockets: bound here, or taken over from the process before this one.

use std::{
    collections::HashSet,
    io,
    net::{SocketAddr, TcpListener},
    os::{fd::IntoRawFd, unix::net::UnixListener},
    path::Path,
    sync::Arc,
};

use parking_lot::Mutex;
use pingora_core::server::{Fds, ListenFds};

use crate::EdgeError;

/// The listening sockets of this process, and those it was given by the one before.
pub(crate) struct Sockets {
    fds: Fds,
    claimed: HashSet<String>,
}

/// One listening socket that nobody accepts from yet.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) address: SocketAddr,
    /// `None` for a socket that was taken over: it is in the table already.
    listener: Option<TcpListener>,
}

// === impl Sockets ===

impl Sockets {
    pub(crate) fn new() -> Self {
        Self { fds: Fds::new(), claimed: HashSet::new() }
    }

    /// Waits for the process that holds the upgrade socket's other end to hand over its sockets;
    /// gives up after some seconds.
    pub(crate) fn take_over(path: &Path) -> Result<Self, EdgeError> {
        let fail = |source| EdgeError::Upgrade { socket: path.to_owned(), source };
        let name = path.to_str().ok_or_else(|| fail(io::ErrorKind::InvalidFilename.into()))?;
        // pingora panics on a path where it cannot listen: find out first.
        let _ = std::fs::remove_file(path);
        drop(UnixListener::bind(path).map_err(fail)?);
        let mut sockets = Self::new();
        sockets.fds.get_from_sock(name).map_err(|errno| fail(errno.into()))?;
        Ok(sockets)
    }

    /// Listens on the address, or claims the socket for it that was taken over.
    pub(crate) fn listen(&mut self, address: SocketAddr) -> Result<Socket, EdgeError> {
        let taken_over = address.to_string();
        if self.fds.get(&taken_over).is_some() && self.claimed.insert(taken_over) {
            return Ok(Socket { address, listener: None });
        }
        let fail = |source| EdgeError::Bind { address, source };
        let listener = TcpListener::bind(address).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Socket { address, listener: Some(listener) })
    }

    /// The table in which pingora looks before it binds; sockets that were taken over and that
    /// nobody has claimed are closed.
    pub(crate) fn into_table(mut self) -> ListenFds {
        for closed in self.fds.close_unclaimed(&self.claimed) {
            tracing::warn!(address = closed, "closed a listening socket that is not configured");
        }
        Arc::new(Mutex::new(self.fds))
    }
}

// === impl Socket ===

impl Socket {
    /// Moves the socket into the table. From here on pingora has to close it, so this is done only
    /// right before pingora takes it.
    pub(crate) fn register(self, table: &ListenFds) {
        if let Some(listener) = self.listener {
            table.lock().add(self.address.to_string(), listener.into_raw_fd());
        }
    }
}

/// Hands the sockets to the next process; blocks for some seconds until that one listens.
pub(crate) fn hand_over(table: &ListenFds, path: &Path) -> io::Result<()> {
    let name = path.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
    table.lock().send_to_sock(name)?;
    Ok(())
}
