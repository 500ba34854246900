//! A node in memory: Meilisearch's routes that replication uses, a queue of tasks, and faults to order.

mod queue;
mod routes;
mod server;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::{net::TcpListener, sync::Notify};

use self::queue::Task;
pub(crate) use self::{
    queue::{Index, Op, State},
    routes::{Answer, Dropped, answer},
};

/// A node. It ends with its runtime; what it holds does not end while it is down.
#[derive(Clone)]
pub(crate) struct FakeNode {
    pub(crate) name: String,
    pub(crate) authority: String,
    state: Arc<Mutex<State>>,
    power: Arc<Power>,
}

/// Whether a node runs.
#[derive(Debug, Default)]
struct Power {
    down: AtomicBool,
    hangs: AtomicBool,
    fails: AtomicBool,
    /// How many requests it has not answered for that.
    unanswered: AtomicUsize,
    changed: Notify,
}

impl FakeNode {
    pub(crate) async fn start(name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let authority = listener.local_addr().expect("an address").to_string();
        let node = Self::new(name, &authority);
        tokio::spawn(server::serve(listener, node.clone()));
        node
    }

    /// A node that nobody serves yet.
    pub(crate) fn new(name: &str, authority: &str) -> Self {
        let (name, authority) = (name.to_owned(), authority.to_owned());
        Self { name, authority, state: Arc::default(), power: Arc::default() }
    }

    /// Looks at what it holds, or changes it.
    pub(crate) fn with_state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock())
    }

    /// Closes every connection, and every new one, until it is up again.
    pub(crate) fn set_down(&self, down: bool) {
        self.power.down.store(down, Ordering::SeqCst);
        self.power.changed.notify_waiters();
    }

    pub(crate) fn is_down(&self) -> bool {
        self.power.down.load(Ordering::SeqCst)
    }

    /// Takes requests and answers none, until it goes on.
    pub(crate) fn set_hanging(&self, hangs: bool) {
        self.power.hangs.store(hangs, Ordering::SeqCst);
        self.power.changed.notify_waiters();
    }

    /// Answers everything with 500, until it does not any more.
    pub(crate) fn set_failing(&self, fails: bool) {
        self.power.fails.store(fails, Ordering::SeqCst);
    }

    fn is_failing(&self) -> bool {
        self.power.fails.load(Ordering::SeqCst)
    }

    /// Whether it has not answered a request.
    pub(crate) fn has_left_unanswered(&self) -> bool {
        self.power.unanswered.load(Ordering::SeqCst) > 0
    }

    /// Waits while it hangs.
    async fn goes_on(&self) {
        loop {
            let changed = self.power.changed.notified();
            if !self.power.hangs.load(Ordering::SeqCst) {
                return;
            }
            self.power.unanswered.fetch_add(1, Ordering::SeqCst);
            changed.await;
        }
    }

    /// Waits until it is down.
    pub(crate) async fn goes_down(&self) {
        loop {
            let changed = self.power.changed.notified();
            if self.is_down() {
                return;
            }
            changed.await;
        }
    }

    /// Leaves its tasks undone until told otherwise.
    pub(crate) fn hold(&self, hold: bool) {
        self.state.lock().hold = hold;
    }

    /// Drops the connection of so many writes, without having taken them.
    pub(crate) fn drop_before(&self, writes: u32) {
        self.state.lock().drop_before = writes;
    }

    /// Drops the connection of so many writes after having queued their tasks.
    pub(crate) fn drop_after(&self, writes: u32) {
        self.state.lock().drop_after = writes;
    }

    /// Fails so many batches for want of room.
    pub(crate) fn fill_disk(&self, batches: u32) {
        self.state.lock().trouble = batches;
    }

    /// Does its next swap or edition twice: it is killed before it has noted down that it was done.
    pub(crate) fn stop_between_commits(&self) {
        self.state.lock().stops_between = true;
    }

    /// Does at most so many tasks together.
    pub(crate) fn set_batch(&self, most: usize) {
        self.state.lock().batch = most;
    }

    /// Knows nothing of `customMetadata`, as versions before 1.26.
    pub(crate) fn know_no_tags(&self) {
        self.state.lock().takes_tags = false;
    }

    /// Answers every write with 403.
    pub(crate) fn refuse_key(&self, refuse: bool) {
        self.state.lock().refuses_key = refuse;
    }

    /// Forgets the tasks it has not done, as a node that lost the end of its queue.
    pub(crate) fn lose_queue(&self) {
        let mut state = self.state.lock();
        state.upsets += 1;
        state.tasks.retain(|task| task.outcome.is_some());
    }

    /// Loses everything, as a node on a new disk.
    pub(crate) fn lose_everything(&self) {
        let mut state = self.state.lock();
        *state = state.emptied();
    }

    /// Loses some documents without a word.
    pub(crate) fn lose_documents(&self, uid: &str, ids: &[&str]) {
        let mut state = self.state.lock();
        let index = state.indexes.get_mut(uid).expect("an index");
        index.documents.retain(|id, _| !ids.contains(&id.as_str()));
    }

    /// How many tasks wait.
    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().tasks.iter().filter(|task| task.outcome.is_none()).count()
    }

    /// Whether it has been asked for so many swaps.
    pub(crate) fn has_swaps(&self, count: usize) -> bool {
        let state = self.state.lock();
        state.tasks.iter().filter(|task| matches!(task.op, Op::Swap(_))).count() == count
    }

    pub(crate) fn index(&self, uid: &str) -> Option<Index> {
        self.state.lock().indexes.get(uid).cloned()
    }

    pub(crate) fn indexes(&self) -> Vec<String> {
        self.state.lock().indexes.keys().cloned().collect()
    }

    /// The documents of an index without the internal field, by id.
    pub(crate) fn documents(&self, uid: &str) -> BTreeMap<String, Map<String, Value>> {
        let documents = self.index(uid).map(|index| index.documents).unwrap_or_default();
        let strip = |(id, mut document): (String, Map<String, Value>)| {
            document.remove("_miroir").expect("every document has its codes");
            (id, document)
        };
        documents.into_iter().map(strip).collect()
    }

    /// The tasks it has done successfully, in order.
    pub(crate) fn done(&self) -> Vec<(Option<String>, Op)> {
        let state = self.state.lock();
        let done = |task: &&Task| matches!(task.outcome, Some(Ok(_)));
        state.tasks.iter().filter(done).map(|task| (task.metadata.clone(), task.op.clone())).collect()
    }

    /// How often it has put a document of that id, whatever became of the task.
    pub(crate) fn times_put(&self, id: &str) -> usize {
        let state = self.state.lock();
        let puts = |op: &Op| match op {
            Op::Put { documents, .. } => {
                documents.iter().filter(|document| text(&document["id"]) == id).count()
            }
            _ => 0,
        };
        state.tasks.iter().map(|task| puts(&task.op)).sum()
    }
}

/// The text of an id.
pub(crate) fn text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}
