//! What filters are built from besides their parameters.

use std::{fmt, sync::Arc};

use crate::{
    Epoch,
    auth::{KeySet, KeyStore},
    metric_registry::MetricRegistry,
};

/// What the program owns and its filters share.
#[derive(Clone)]
pub struct Deps {
    /// The master key and the API keys.
    pub keys: Arc<dyn KeyStore>,
    /// Where filters register what they measure.
    pub metrics: MetricRegistry,
    /// When answers may change.
    pub epoch: Epoch,
}

// === impl Deps ===

impl Deps {
    /// With this master key alone, metrics of its own, and answers that never change.
    pub fn new(master_key: Option<String>) -> Self {
        Self::with_keys(Arc::new(Arc::new(KeySet::new(master_key.as_deref(), []))))
    }

    /// With these keys, metrics of its own, and answers that never change.
    pub fn with_keys(keys: Arc<dyn KeyStore>) -> Self {
        Self { keys, metrics: MetricRegistry::default(), epoch: Epoch::default() }
    }
}

impl Default for Deps {
    fn default() -> Self {
        Self::new(None)
    }
}

impl fmt::Debug for Deps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deps").field("keys", &self.keys.keys()).finish_non_exhaustive()
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
