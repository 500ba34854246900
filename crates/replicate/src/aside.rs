//! Indexes that a node must not be read for, and why.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What reads leave out, by node and index.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    reasons: ArcSwap<BTreeMap<(String, String), String>>,
}

impl Aside {
    /// Whether a node may be read for an index. Costs next to nothing while nothing is left out.
    pub(crate) fn may_be_read(&self, node: &str, index: &str) -> bool {
        let reasons = self.reasons.load();
        reasons.is_empty() || !reasons.contains_key(&(node.to_owned(), index.to_owned()))
    }

    /// Leaves a node out for an index, or takes it in again.
    pub(crate) fn set(&self, node: &str, index: &str, reason: Option<&str>) {
        let key = (node.to_owned(), index.to_owned());
        if reason.is_none() && !self.reasons.load().contains_key(&key) {
            return;
        }
        self.reasons.rcu(|reasons| {
            let mut reasons = BTreeMap::clone(reasons);
            match reason {
                Some(reason) => _ = reasons.insert(key.clone(), reason.to_owned()),
                None => _ = reasons.remove(&key),
            }
            reasons
        });
    }

    /// The indexes a node is left out for, with the reasons.
    pub(crate) fn of(&self, node: &str) -> BTreeMap<String, String> {
        let reasons = self.reasons.load();
        let own = reasons.iter().filter(|((name, _), _)| name == node);
        own.map(|((_, index), reason)| (index.clone(), reason.clone())).collect()
    }
}

/// Indexes whose settings a task has changed and nobody has looked at since.
#[derive(Debug, Default)]
pub(crate) struct ChangedSettings {
    indexes: Mutex<BTreeSet<String>>,
    more: Arc<Notify>,
}

impl ChangedSettings {
    pub(crate) fn note(&self, index: &str) {
        self.indexes.lock().insert(index.to_owned());
        self.more.notify_one();
    }

    pub(crate) fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.indexes.lock())
    }

    pub(crate) async fn wait(&self) {
        self.more.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_left_out_for_one_index_until_it_is_taken_in_again() {
        let aside = Aside::default();
        aside.set("a", "movies", None);
        assert!(aside.may_be_read("a", "movies"));
        aside.set("a", "movies", Some("stopWords differ"));
        assert!(!aside.may_be_read("a", "movies") && aside.may_be_read("a", "books"));
        assert!(aside.may_be_read("b", "movies"));
        assert_eq!(aside.of("a").into_values().collect::<Vec<_>>(), ["stopWords differ"]);
        aside.set("a", "movies", None);
        assert!(aside.may_be_read("a", "movies") && aside.of("a").is_empty());
    }
}
