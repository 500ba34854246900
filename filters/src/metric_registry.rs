//! Where everything that is measured is registered and read from. Owned by the program and passed down; there is no
//! global one.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::Arc,
};

use parking_lot::Mutex;
use prometheus_client::{encoding::text::encode, registry::Registry};

/// A set of metrics that belong together, held by whoever counts in them.
pub trait MetricSet: Clone + Send + Sync + 'static {
    /// Makes the set and registers it.
    fn register(registry: &mut Registry) -> Self;
}

/// A handle to a registry of metrics; clones share it.
#[derive(Clone, Default)]
pub struct MetricRegistry {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    registry: Registry,
    sets: HashMap<TypeId, Box<dyn Any + Send>>,
}

// === impl MetricRegistry ===

impl MetricRegistry {
    /// The content type of [`Self::text`].
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// The set of this type: registered the first time it is asked for, and the same one from then on, so that a
    /// filter that is built anew goes on counting.
    pub fn set<T: MetricSet>(&self) -> T {
        let mut shared = self.shared.lock();
        let known = shared.sets.get(&TypeId::of::<T>()).and_then(|set| set.downcast_ref::<T>());
        if let Some(set) = known {
            return set.clone();
        }
        let set = T::register(&mut shared.registry);
        shared.sets.insert(TypeId::of::<T>(), Box::new(set.clone()));
        set
    }

    /// All metrics in the text format that Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.shared.lock().registry).expect("writing to a string does not fail");
        text
    }
}

impl fmt::Debug for MetricRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricRegistry").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[derive(Clone, Default)]
    struct Cakes(Counter);

    impl MetricSet for Cakes {
        fn register(registry: &mut Registry) -> Self {
            let cakes = Self::default();
            registry.register("cakes", "Cakes eaten", cakes.0.clone());
            cakes
        }
    }

    #[test]
    fn a_set_is_registered_once_and_shared() {
        let metrics = MetricRegistry::default();
        metrics.set::<Cakes>().0.inc();
        metrics.clone().set::<Cakes>().0.inc();
        let text = metrics.text();
        assert!(text.contains("cakes_total 2\n"), "{text}");
        assert_eq!(text.matches("# TYPE cakes counter").count(), 1, "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
