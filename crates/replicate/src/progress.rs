//! How far every node has come, and what came of each entry there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    aside::{Aside, ChangedSettings},
    counts::Counted,
    position::Position,
};

/// Shared by the sequencer, the appliers, the tracker and every read. Positions count entries: `n` means that all
/// entries with a uid below `n` are done.
#[derive(Debug)]
pub struct Progress {
    nodes: ArcSwap<BTreeMap<String, Arc<NodeProgress>>>,
    /// By entry and node, of tasks that are not finished and where there was anything to count.
    counts: Mutex<BTreeMap<u32, BTreeMap<String, Counted>>>,
    /// Per index the position a node must have reached to be read; other indexes need `floor`.
    needs: ArcSwap<BTreeMap<String, u32>>,
    floor: AtomicU32,
    /// What nodes must not be read for, however far they are.
    aside: Aside,
    changed_settings: ChangedSettings,
    /// Whether there may be writes that failed on some nodes and that nobody has looked after.
    failures: AtomicBool,
    /// Nodes that no task may finish without, whatever the map says: they are about to be read.
    gates: Mutex<BTreeSet<String>>,
    /// Positions from which on payloads are still needed, by who needs them.
    holds: Mutex<BTreeMap<u64, u32>>,
    next_hold: AtomicU64,
    /// Bytes of payloads that wait for their tasks to finish.
    backlog: AtomicU64,
    prepared: Position,
    applied: watch::Sender<u64>,
    finished: watch::Sender<u32>,
    /// How often tasks have finished.
    ends: AtomicU64,
}

/// Keeps payloads from being removed.
#[derive(Debug)]
pub(crate) struct Hold {
    progress: Arc<Progress>,
    id: u64,
}

/// Keeps tasks from finishing without a node.
#[derive(Debug)]
pub(crate) struct Gate {
    progress: Arc<Progress>,
    node: String,
}

#[derive(Debug)]
struct NodeProgress {
    position: AtomicU32,
    /// No entry from here on has ever been sent to it; the largest position there is while that is not known.
    sent: AtomicU32,
    /// Whether it has refused to go on for a while, though it may answer.
    stuck: AtomicBool,
}

// === impl Progress ===

impl Progress {
    /// The state after a start: where the nodes are known to be, everything before `finished` finished.
    pub fn new(nodes: BTreeMap<String, u32>, prepared: u32, finished: u32) -> Arc<Self> {
        let nodes = nodes.into_iter().map(|(name, position)| (name, NodeProgress::at(position)));
        Arc::new(Self {
            nodes: ArcSwap::from_pointee(nodes.collect()),
            counts: Mutex::default(),
            needs: ArcSwap::default(),
            floor: AtomicU32::new(finished),
            aside: Aside::default(),
            changed_settings: ChangedSettings::default(),
            // An earlier process may have left some.
            failures: AtomicBool::new(true),
            gates: Mutex::default(),
            holds: Mutex::default(),
            next_hold: AtomicU64::new(0),
            backlog: AtomicU64::new(0),
            prepared: Position::new(prepared),
            applied: watch::Sender::new(0),
            finished: watch::Sender::new(finished),
            ends: AtomicU64::new(0),
        })
    }

    /// How far a node has come; 0 for a node that is not known.
    pub fn applied(&self, node: &str) -> u32 {
        self.nodes.load().get(node).map_or(0, |node| node.position.load(Ordering::Acquire))
    }

    /// A node has come that is done with everything before `position`, or starts from there anew.
    pub(crate) fn enter(&self, node: &str, position: u32) {
        let mut nodes = BTreeMap::clone(&self.nodes.load());
        nodes.insert(node.to_owned(), NodeProgress::at(position));
        self.nodes.store(Arc::new(nodes));
        self.applied.send_modify(|moves| *moves += 1);
    }

    /// A node has gone.
    pub(crate) fn leave(&self, node: &str) {
        let mut nodes = BTreeMap::clone(&self.nodes.load());
        nodes.remove(node);
        self.nodes.store(Arc::new(nodes));
        self.applied.send_modify(|moves| *moves += 1);
    }

    /// The position up to which a node may have been sent entries.
    pub(crate) fn sent(&self, node: &str) -> u32 {
        self.nodes.load().get(node).map_or(u32::MAX, |node| node.sent.load(Ordering::Acquire))
    }

    /// What an earlier process has sent a node is known now: nothing from `position` on.
    pub(crate) fn knows_sent(&self, node: &str, position: u32) {
        if let Some(node) = self.nodes.load().get(node) {
            let known = |sent| if sent == u32::MAX { Some(position) } else { Some(position.max(sent)) };
            // It always changes.
            let _ = node.sent.fetch_update(Ordering::AcqRel, Ordering::Acquire, known);
        }
    }

    /// A node is about to be sent everything before `position`.
    pub(crate) fn sends(&self, node: &str, position: u32) {
        if let Some(node) = self.nodes.load().get(node) {
            node.sent.fetch_max(position, Ordering::AcqRel);
        }
    }

    /// No task finishes that this node has not applied, until this is dropped.
    pub(crate) fn gate(self: &Arc<Self>, node: &str) -> Gate {
        self.gates.lock().insert(node.to_owned());
        Gate { progress: self.clone(), node: node.to_owned() }
    }

    /// The position that the gates let through.
    pub(crate) fn gated(&self) -> u32 {
        self.gates.lock().iter().map(|node| self.applied(node)).min().unwrap_or(u32::MAX)
    }

    /// Payloads of entries from `position` on are kept until this is dropped.
    pub(crate) fn hold(self: &Arc<Self>, position: u32) -> Hold {
        let id = self.next_hold.fetch_add(1, Ordering::Relaxed);
        self.holds.lock().insert(id, position);
        Hold { progress: self.clone(), id }
    }

    /// The first position whose payload somebody holds.
    pub(crate) fn held(&self) -> u32 {
        self.holds.lock().values().copied().min().unwrap_or(u32::MAX)
    }

    /// Whether a node has everything of an index that clients were told is there, and the settings it should have.
    pub fn is_fresh(&self, node: &str, index: &str) -> bool {
        let applied = self.applied(node);
        let floor = || self.floor.load(Ordering::Acquire);
        applied >= self.needs.load().get(index).copied().unwrap_or_else(floor)
            && self.aside.may_be_read(node, index)
    }

    /// The indexes that a node is not read for although it is up and has applied everything, each with the reason.
    pub fn left_out(&self, node: &str) -> BTreeMap<String, String> {
        self.aside.of(node)
    }

    pub(crate) fn aside(&self) -> &Aside {
        &self.aside
    }

    pub(crate) fn changed_settings(&self) -> &ChangedSettings {
        &self.changed_settings
    }

    /// A write has failed on a node, and is kept with the log.
    pub(crate) fn note_failure(&self) {
        self.failures.store(true, Ordering::Release);
    }

    /// Whether a write has failed since this was asked.
    pub(crate) fn take_failures(&self) -> bool {
        self.failures.swap(false, Ordering::AcqRel)
    }

    /// Whether a node has been refusing to go on for a while. Tasks do not wait for it while another group has them.
    pub fn is_stuck(&self, node: &str) -> bool {
        self.nodes.load().get(node).is_none_or(|node| node.stuck.load(Ordering::Relaxed))
    }

    pub(crate) fn set_stuck(&self, node: &str, stuck: bool) {
        if let Some(node) = self.nodes.load().get(node)
            && node.stuck.swap(stuck, Ordering::Relaxed) != stuck
        {
            self.applied.send_modify(|moves| *moves += 1);
        }
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
        // Never below nothing, which would read as a backlog without end.
        let less = |backlog: u64| Some(backlog.saturating_sub(bytes));
        let _ = self.backlog.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// How far decisions have come.
    pub fn decided(&self) -> u32 {
        self.prepared.get()
    }

    /// Follows how far decisions have come.
    pub(crate) fn prepared(&self) -> &Position {
        &self.prepared
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
        self.prepared.set(position);
    }

    /// A node is done with everything before `position`.
    pub(crate) fn move_to(&self, node: &str, position: u32) {
        if let Some(node) = self.nodes.load().get(node) {
            node.position.store(position, Ordering::Release);
        }
        self.applied.send_modify(|moves| *moves += 1);
    }

    /// Records what an entry did on a node, before the node moves past it.
    pub(crate) fn count(&self, node: &str, uid: u32, counted: Counted) {
        if uid >= *self.finished.borrow() {
            self.counts.lock().entry(uid).or_default().insert(node.to_owned(), counted);
        }
    }

    /// What an entry did on the nodes that are done with it.
    pub(crate) fn counts(&self, uid: u32) -> BTreeMap<String, Counted> {
        self.counts.lock().get(&uid).cloned().unwrap_or_default()
    }

    /// Tasks up to `position` are finished; `touched` are the indexes they changed, each with the position after its
    /// last change. Called before clients can see the tasks as finished.
    pub(crate) fn require(&self, touched: &BTreeMap<String, u32>) {
        let mut needs = BTreeMap::clone(&self.needs.load());
        // What every node has done nobody needs to be asked about again.
        let nodes = self.nodes.load();
        let everywhere = nodes.values().map(|node| node.position.load(Ordering::Acquire)).min().unwrap_or(0);
        if everywhere >= self.floor.load(Ordering::Acquire) {
            needs.retain(|_, position| *position > everywhere);
        }
        needs.extend(touched.iter().map(|(index, position)| (index.clone(), *position)));
        self.needs.store(Arc::new(needs));
        // After that: who sees the number reads from nodes that have what it counts.
        self.ends.fetch_add(1, Ordering::AcqRel);
    }

    /// A number that grows when tasks finish, before clients can see it.
    pub fn ends(&self) -> u64 {
        self.ends.load(Ordering::Acquire)
    }

    pub(crate) fn set_finished(&self, position: u32) {
        let mut counts = self.counts.lock();
        *counts = counts.split_off(&position);
        drop(counts);
        self.finished.send_replace(position);
    }
}

// === impl NodeProgress ===

impl NodeProgress {
    fn at(position: u32) -> Arc<Self> {
        let (position, sent) = (AtomicU32::new(position), AtomicU32::new(u32::MAX));
        Arc::new(Self { position, sent, stuck: AtomicBool::new(false) })
    }
}

// === impl Hold ===

impl Drop for Hold {
    fn drop(&mut self) {
        self.progress.holds.lock().remove(&self.id);
    }
}

// === impl Gate ===

impl Drop for Gate {
    /// Tasks finish without this node again, unless the map wants it.
    fn drop(&mut self) {
        self.progress.gates.lock().remove(&self.node);
        self.progress.applied.send_modify(|moves| *moves += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::Counts;

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
        progress.move_to("a", 7);
        progress.require(&BTreeMap::from([("movies".to_owned(), 8)]));
        assert!(!progress.is_fresh("a", "movies"));
        assert!(progress.is_fresh("a", "books"));
        assert_eq!(progress.ends(), 1);
        progress.move_to("a", 8);
        assert!(progress.is_fresh("a", "movies"));
    }

    #[test]
    fn what_every_node_has_done_is_forgotten_and_still_fresh() {
        let progress = progress();
        progress.require(&BTreeMap::from([("movies".to_owned(), 8)]));
        for node in ["a", "b"] {
            progress.move_to(node, 9);
        }
        progress.require(&BTreeMap::from([("books".to_owned(), 10)]));
        assert_eq!(progress.needs.load().keys().collect::<Vec<_>>(), ["books"]);
        assert!(progress.is_fresh("a", "movies") && !progress.is_fresh("a", "books"));
    }

    #[test]
    fn a_stuck_node_wakes_those_who_wait_for_it() {
        let progress = progress();
        let mut moved = progress.moved();
        moved.mark_unchanged();
        progress.set_stuck("a", true);
        assert!(progress.is_stuck("a") && moved.has_changed().expect("open"));
        assert!(!progress.is_stuck("b") && progress.is_stuck("unknown"));
    }

    #[test]
    fn a_gate_is_open_again_once_nobody_holds_it_whatever_became_of_it() {
        let progress = progress();
        assert_eq!(progress.gated(), u32::MAX);
        let gate = progress.gate("b");
        assert_eq!(progress.gated(), 3);
        let mut moved = progress.moved();
        moved.mark_unchanged();
        drop(gate);
        assert_eq!(progress.gated(), u32::MAX);
        assert!(moved.has_changed().expect("open"), "whoever waited for it looks again");
    }

    #[test]
    fn counts_are_kept_until_the_task_is_finished() {
        let progress = progress();
        let counts = Counts { deleted: 2, ..Counts::default() };
        for uid in [4, 6] {
            progress.count("a", uid, Counted { counts, slots: Arc::default() });
        }
        assert!(progress.counts(4).is_empty(), "finished before");
        assert_eq!(progress.counts(6)["a"].counts, counts);
        progress.set_finished(7);
        assert!(progress.counts(6).is_empty());
    }
}
