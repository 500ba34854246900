//! What filters are built from besides their parameters.

use std::fmt;

/// What the program owns and its filters share.
#[derive(Clone, Default)]
pub struct Deps {
    /// The master key, if one is set.
    pub master_key: Option<String>,
}

// === impl Deps ===

impl fmt::Debug for Deps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let master_key = self.master_key.as_ref().map(|_| "[set]");
        f.debug_struct("Deps").field("master_key", &master_key).finish_non_exhaustive()
    }
}
