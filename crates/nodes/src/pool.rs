//! Keep-alive connections to one node.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;

use crate::connect::Sender;

/// Idle connections, the most recently used on top: under little load the old ones at the bottom go idle and are closed
/// by the node, and the few in use stay warm.
#[derive(Clone)]
pub(crate) struct Pool {
    idle: Arc<Mutex<Vec<Sender>>>,
    max_idle: usize,
}

/// A connection in use: back to the pool with [`Lease::release`], closed when dropped.
pub(crate) struct Lease {
    sender: Sender,
    pool: Pool,
    /// Whether the connection has carried a request before: a node may have closed it meanwhile.
    pub(crate) reused: bool,
}

impl Pool {
    pub(crate) fn new(max_idle: usize) -> Self {
        Self { idle: Arc::default(), max_idle }
    }

    /// An idle connection that is still open, where there is one. It may need a moment until it is ready: its task has
    /// to see the end of the last answer, which its reader saw first. A ready one is preferred.
    pub(crate) fn take(&self) -> Option<Lease> {
        let mut idle = self.idle.lock();
        idle.retain(|sender| !sender.is_closed());
        let at = idle.iter().rposition(Sender::is_ready).or(idle.len().checked_sub(1))?;
        let sender = idle.remove(at);
        Some(Lease { sender, pool: self.clone(), reused: true })
    }

    /// A lease on a connection just made.
    pub(crate) fn adopt(&self, sender: Sender) -> Lease {
        Lease { sender, pool: self.clone(), reused: false }
    }

    /// Forgets every idle connection.
    pub(crate) fn clear(&self) {
        self.idle.lock().clear();
    }
}

impl Lease {
    pub(crate) fn sender(&mut self) -> &mut Sender {
        &mut self.sender
    }

    /// Puts the connection back once its answer has been read to the end.
    pub(crate) fn release(self) {
        if self.sender.is_closed() {
            return;
        }
        let mut idle = self.pool.idle.lock();
        if idle.len() < self.pool.max_idle {
            idle.push(self.sender);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("reused", &self.reused).finish_non_exhaustive()
    }
}
