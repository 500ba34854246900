//! Keep-alive connections to one node.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;

/// Idle connections, the most recently used on top: under little load the old ones at the bottom go idle and are closed
/// by the node, and the few in use stay warm.
pub(crate) struct Pool<C> {
    idle: Arc<Mutex<Vec<C>>>,
    max_idle: usize,
    /// Set where a connection turns out to be closed: who answers next may be another process.
    doubt: Arc<AtomicBool>,
}

/// A connection in use: back to the pool with [`Lease::release`], closed when dropped.
pub(crate) struct Lease<C> {
    pub(crate) connection: C,
    pool: Pool<C>,
    /// Whether the connection has carried a request before: a node may have closed it meanwhile.
    pub(crate) reused: bool,
}

/// What a pool asks of its connections.
pub(crate) trait Keep {
    /// Whether the node has closed it, as far as can be told without waiting.
    fn is_closed(&mut self) -> bool;

    /// Whether it can take a request at once.
    fn is_ready(&self) -> bool;
}

// === impl Pool ===

impl<C> Pool<C> {
    pub(crate) fn new(max_idle: usize, doubt: Arc<AtomicBool>) -> Self {
        Self { idle: Arc::default(), max_idle, doubt }
    }

    /// A lease on a connection just made.
    pub(crate) fn adopt(&self, connection: C) -> Lease<C> {
        Lease { connection, pool: self.clone(), reused: false }
    }

    /// Forgets every idle connection, as one was closed.
    pub(crate) fn clear(&self) {
        self.doubt.store(true, Ordering::Relaxed);
        self.idle.lock().clear();
    }
}

impl<C: Keep> Pool<C> {
    /// An idle connection that is still open, where there is one. It may need a moment until it is ready; one that needs
    /// none is preferred.
    pub(crate) fn take(&self) -> Option<Lease<C>> {
        let mut idle = self.idle.lock();
        // From the top; one below is looked at only where all above it are closed or busy.
        let mut at = idle.len();
        let connection = loop {
            at = match at.checked_sub(1) {
                Some(at) => at,
                None => break idle.pop()?,
            };
            if idle[at].is_closed() {
                self.doubt.store(true, Ordering::Relaxed);
                idle.remove(at);
            } else if idle[at].is_ready() {
                break idle.remove(at);
            }
        };
        Some(Lease { connection, pool: self.clone(), reused: true })
    }

    fn put(&self, mut connection: C) {
        let mut idle = self.idle.lock();
        // The oldest is the first that the node closes, and nobody may come to take it for long.
        if idle.first_mut().is_some_and(Keep::is_closed) {
            self.doubt.store(true, Ordering::Relaxed);
            idle.remove(0);
        }
        if idle.len() < self.max_idle && !connection.is_closed() {
            idle.push(connection);
        }
    }
}

impl<C> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self { idle: self.idle.clone(), max_idle: self.max_idle, doubt: self.doubt.clone() }
    }
}

// === impl Lease ===

impl<C: Keep> Lease<C> {
    /// Puts the connection back once its answer has been read to the end.
    pub(crate) fn release(self) {
        self.pool.put(self.connection);
    }
}

impl<C> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("reused", &self.reused).finish_non_exhaustive()
    }
}
