//! What filters are built from besides their parameters.

use std::fmt;

use crate::metric_registry::MetricRegistry;

/// What the program owns and its filters share.
#[derive(Clone, Default)]
pub struct Deps {
    /// The master key, if one is set.
    pub master_key: Option<String>,
    /// Where filters register what they measure.
    pub metrics: MetricRegistry,
}

// === impl Deps ===

impl Deps {
    /// With this master key, and metrics of its own.
    pub fn new(master_key: Option<String>) -> Self {
        Self { master_key, metrics: MetricRegistry::default() }
    }
}

impl fmt::Debug for Deps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let master_key = self.master_key.as_ref().map(|_| "[set]");
        f.debug_struct("Deps").field("master_key", &master_key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_master_key_is_never_printed() {
        let deps = Deps::new(Some("secret".to_owned()));
        assert!(!format!("{deps:?}").contains("secret"));
    }
}
