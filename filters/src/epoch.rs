//! When answers may change.

use std::{fmt, sync::Arc};

/// A number that changes whenever the answer to a read may have: after everything that a client was told is done, at the
/// latest when it is told. Clones are of the same number.
///
/// What was answered in one epoch may be answered again within it. The default never changes.
#[derive(Clone)]
pub struct Epoch(Arc<dyn Fn() -> u64 + Send + Sync>);

// === impl Epoch ===

impl Epoch {
    /// The number that this tells, which is asked for with every search.
    pub fn new(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The number now.
    pub fn now(&self) -> u64 {
        (self.0)()
    }
}

impl Default for Epoch {
    fn default() -> Self {
        Self::new(|| 0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Epoch").field(&self.now()).finish()
    }
}
