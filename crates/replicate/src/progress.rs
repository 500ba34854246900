//! How far every node has come, and what came of each entry there.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use miroir_protocol::error::ResponseError;
use parking_lot::Mutex;
use tokio::sync::watch;

/// What came of an entry on one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeResult {
    /// Why the node's task failed.
    pub error: Option<ResponseError>,
    /// How many documents it deleted.
    pub deleted: u64,
    /// How many documents it edited.
    pub edited: u64,
}

/// Shared by the sequencer, the appliers, the tracker and every read. Positions count entries: `n` means that all
/// entries with a uid below `n` are done.
#[derive(Debug)]
pub struct Progress {
    nodes: BTreeMap<String, AtomicU32>,
    results: Mutex<BTreeMap<u32, BTreeMap<String, NodeResult>>>,
    /// Per index the position a node must have reached to be read; other indexes need `floor`.
    needs: ArcSwap<BTreeMap<String, u32>>,
    floor: AtomicU32,
    /// Bytes of payloads that wait for their tasks to finish.
    backlog: AtomicU64,
    prepared: watch::Sender<u32>,
    applied: watch::Sender<u64>,
    finished: watch::Sender<u32>,
}

impl Progress {
    /// The state after a start: nodes at their watermarks, everything before `finished` finished.
    pub fn new(nodes: BTreeMap<String, u32>, prepared: u32, finished: u32) -> Arc<Self> {
        Arc::new(Self {
            nodes: nodes.into_iter().map(|(name, position)| (name, AtomicU32::new(position))).collect(),
            results: Mutex::default(),
            needs: ArcSwap::default(),
            floor: AtomicU32::new(finished),
            backlog: AtomicU64::new(0),
            prepared: watch::Sender::new(prepared),
            applied: watch::Sender::new(0),
            finished: watch::Sender::new(finished),
        })
    }

    /// How far a node has come; 0 for a node that is not known.
    pub fn applied(&self, node: &str) -> u32 {
        self.nodes.get(node).map_or(0, |position| position.load(Ordering::Acquire))
    }

    /// Whether a node has everything of an index that clients were told is there.
    pub fn is_fresh(&self, node: &str, index: &str) -> bool {
        let applied = self.applied(node);
        applied >= self.needs.load().get(index).copied().unwrap_or_else(|| self.floor.load(Ordering::Acquire))
    }

    /// How many bytes of payloads wait for their tasks to finish.
    pub fn backlog(&self) -> u64 {
        self.backlog.load(Ordering::Relaxed)
    }

    /// A payload of so many bytes is going into the log.
    pub fn waits(&self, bytes: u64) {
        self.backlog.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Payloads of so many bytes wait no longer: applied, refused, or not taken into the log after all.
    pub fn waited(&self, bytes: u64) {
        self.backlog.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Follows how far decisions have come.
    pub fn prepared(&self) -> watch::Receiver<u32> {
        self.prepared.subscribe()
    }

    /// Follows the nodes: the value says nothing but that a node moved.
    pub fn moved(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    /// Follows how far tasks are finished.
    pub fn finished(&self) -> watch::Receiver<u32> {
        self.finished.subscribe()
    }

    pub(crate) fn set_prepared(&self, position: u32) {
        self.prepared.send_replace(position);
    }

    /// Records what came of entries on a node, whose position moves to `position`.
    pub(crate) fn report(
        &self,
        node: &str,
        position: u32,
        results: impl IntoIterator<Item = (u32, NodeResult)>,
    ) {
        {
            let mut all = self.results.lock();
            for (uid, result) in results {
                if uid >= *self.finished.borrow() {
                    all.entry(uid).or_default().insert(node.to_owned(), result);
                }
            }
        }
        if let Some(applied) = self.nodes.get(node) {
            applied.store(position, Ordering::Release);
        }
        self.applied.send_modify(|moves| *moves += 1);
    }

    /// What came of an entry, on the nodes that are done with it.
    pub(crate) fn results(&self, uid: u32) -> BTreeMap<String, NodeResult> {
        self.results.lock().get(&uid).cloned().unwrap_or_default()
    }

    /// Tasks up to `position` are finished; `touched` are the indexes they changed, each with the position after its
    /// last change. Called before clients can see the tasks as finished.
    pub(crate) fn require(&self, touched: &BTreeMap<String, u32>) {
        let mut needs = BTreeMap::clone(&self.needs.load());
        needs.extend(touched.iter().map(|(index, position)| (index.clone(), *position)));
        self.needs.store(Arc::new(needs));
    }

    pub(crate) fn set_finished(&self, position: u32) {
        let mut results = self.results.lock();
        *results = results.split_off(&position);
        drop(results);
        self.finished.send_replace(position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Arc<Progress> {
        Progress::new(BTreeMap::from([("a".to_owned(), 5), ("b".to_owned(), 3)]), 5, 5)
    }

    #[test]
    fn after_a_start_a_node_behind_is_not_fresh() {
        let progress = progress();
        assert!(progress.is_fresh("a", "movies"));
        assert!(!progress.is_fresh("b", "movies"));
        assert!(!progress.is_fresh("unknown", "movies"));
    }

    #[test]
    fn an_index_needs_its_own_last_change_only() {
        let progress = progress();
        progress.report("a", 7, []);
        progress.require(&BTreeMap::from([("movies".to_owned(), 8)]));
        assert!(!progress.is_fresh("a", "movies"));
        assert!(progress.is_fresh("a", "books"));
        progress.report("a", 8, []);
        assert!(progress.is_fresh("a", "movies"));
    }

    #[test]
    fn results_are_kept_until_the_task_is_finished() {
        let progress = progress();
        let result = NodeResult { deleted: 2, ..NodeResult::default() };
        progress.report("a", 7, [(4, NodeResult::default()), (6, result.clone())]);
        assert!(progress.results(4).is_empty(), "finished before");
        assert_eq!(progress.results(6)["a"], result);
        progress.set_finished(7);
        assert!(progress.results(6).is_empty());
    }
}
