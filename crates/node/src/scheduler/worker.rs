//! The thread that works through the queue.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::apply::{apply, failed, remove_payload};
use super::batch::{BatchLimits, next_batch};
use super::recovery::{recover, sweep_payloads};
use crate::error::EngineError;
use crate::state::State;
use crate::store::{NewTask, Prepared, StoreError, Task};

/// How many waiting tasks are looked at to form a batch.
const LOOKAHEAD: usize = 1_000;

/// How long the worker rests when the node's own records cannot be written.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// What is signalled to the worker.
#[derive(Default)]
struct Signal {
    /// There may be tasks.
    work: bool,
    stop: bool,
}

/// The way to put tasks into the queue.
#[derive(Clone)]
pub(crate) struct Scheduler {
    state: Arc<State>,
    signal: Arc<(Mutex<Signal>, Condvar)>,
}

/// The thread that works through the queue.
pub(crate) struct Worker {
    scheduler: Scheduler,
    thread: JoinHandle<()>,
}

impl Scheduler {
    /// Puts a task at the end of the queue.
    pub(crate) fn enqueue(&self, task: NewTask) -> Result<Task, StoreError> {
        let task = self.state.store.enqueue(task)?;
        self.signal(|signal| signal.work = true);
        Ok(task)
    }

    fn signal(&self, change: impl FnOnce(&mut Signal)) {
        let (signal, condition) = &*self.signal;
        change(&mut signal.lock());
        condition.notify_all();
    }

    /// Waits for work; false when the worker is to stop.
    fn wait(&self) -> bool {
        let (signal, condition) = &*self.signal;
        let mut signal = signal.lock();
        condition.wait_while(&mut signal, |signal| !signal.work && !signal.stop);
        signal.work = false;
        !signal.stop
    }

    fn stopped(&self) -> bool {
        self.signal.0.lock().stop
    }
}

impl Worker {
    /// Ends what an earlier run left unfinished and starts to work.
    pub(crate) fn start(state: Arc<State>) -> Result<Self, EngineError> {
        recover(&state)?;
        sweep_payloads(&state)?;
        let signal = Signal { work: true, stop: false };
        let scheduler = Scheduler { state, signal: Arc::new((Mutex::new(signal), Condvar::new())) };
        let worker = scheduler.clone();
        let thread = std::thread::Builder::new().name("tasks".to_owned()).spawn(move || run(&worker))?;
        Ok(Self { scheduler, thread })
    }

    /// The way to put tasks into the queue.
    pub(crate) fn scheduler(&self) -> Scheduler {
        self.scheduler.clone()
    }

    /// Ends the task at hand and stops; what waits is kept.
    pub(crate) fn stop(self) {
        self.scheduler.signal(|signal| signal.stop = true);
        if self.thread.join().is_err() {
            tracing::error!("the thread of the task queue had panicked");
        }
    }
}

fn run(scheduler: &Scheduler) {
    // Tasks of a batch that failed as a whole: each is tried once more by itself, so that only the culprit fails.
    let mut alone = BTreeSet::new();
    while scheduler.wait() {
        while !scheduler.stopped() {
            match step(&scheduler.state, &mut alone, apply) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::error!(%error, "task queue cannot be worked through, trying again");
                    std::thread::sleep(RETRY_DELAY);
                    if let Err(error) = recover(&scheduler.state) {
                        tracing::error!(%error, "interrupted batch cannot be ended");
                    }
                }
            }
        }
    }
}

/// Processes one batch with `apply`; false when nothing waits. Fails when the node's own records do.
fn step(
    state: &State,
    alone: &mut BTreeSet<u32>,
    apply: impl Fn(&State, &[Task]) -> Result<(), EngineError>,
) -> Result<bool, EngineError> {
    let waiting = state.store.waiting(LOOKAHEAD)?;
    let limits = BatchLimits { tasks: LOOKAHEAD, bytes: state.limits.batch_bytes() };
    let batch = next_batch(waiting, |index| primary_key(state, index), alone, limits);
    if batch.is_empty() {
        return Ok(false);
    }
    let uids: Vec<_> = batch.iter().map(|task| task.uid).collect();
    state.store.start(&uids)?;
    let result = catch_unwind(AssertUnwindSafe(|| apply(state, &batch)))
        .unwrap_or_else(|panic| Err(EngineError::Panicked(message_of(&*panic))));
    match result {
        Ok(()) => {}
        Err(error @ EngineError::Store(_)) => return Err(error),
        Err(error) if batch.len() > 1 => {
            tracing::warn!(%error, tasks = batch.len(), "batch failed, trying its tasks one by one");
            state.store.clear_journal()?;
            state.store.restart_unfinished()?;
            alone.extend(uids);
            return Ok(true);
        }
        Err(error) => {
            if error.is_internal() {
                tracing::error!(%error, task = batch[0].uid, "task failed");
            }
            let outcomes = batch.iter().map(|task| failed(task, &error)).collect();
            state.store.finish(&Prepared { outcomes, changes: Vec::new() })?;
        }
    }
    for task in &batch {
        alone.remove(&task.uid);
        remove_payload(state, task);
    }
    Ok(true)
}

fn primary_key(state: &State, index: &str) -> Option<String> {
    let open = state.indexes.get(index).ok()?;
    let rtxn = open.index.read_txn().ok()?;
    open.index.primary_key(&rtxn).ok()?.map(str::to_owned)
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use miroir_protocol::tasks::TaskStatus;
    use serde_json::json;

    use super::step;
    use crate::error::EngineError;
    use crate::scheduler::apply::apply;
    use crate::scheduler::testing::{addition, state};
    use crate::state::State;
    use crate::store::Task;

    fn panics_at(uid: u32) -> impl Fn(&State, &[Task]) -> Result<(), EngineError> {
        move |state, tasks| {
            assert!(tasks.iter().all(|task| task.uid != uid), "the engine broke");
            apply(state, tasks)
        }
    }

    #[test]
    fn panic_fails_its_own_task_and_no_other() {
        let (_directory, state) = state();
        for id in 0..3 {
            addition(&state, "a", &format!("{{\"id\":{id}}}"));
        }
        let mut alone = BTreeSet::new();
        while step(&state, &mut alone, panics_at(1)).expect("the records work") {}
        let statuses: Vec<_> = (0..3).map(|uid| task(&state, uid).status).collect();
        assert_eq!(statuses, [TaskStatus::Succeeded, TaskStatus::Failed, TaskStatus::Succeeded]);
        let error = task(&state, 1).error.expect("an error");
        assert_eq!(error["code"], "internal");
        let message = "An unexpected crash occurred when processing the task: the engine broke";
        assert_eq!(error["message"], message);
        assert_eq!(task(&state, 1).details, json!({ "receivedDocuments": 1, "indexedDocuments": 0 }));
        assert!(alone.is_empty());
    }

    #[test]
    fn payloads_go_with_their_tasks() {
        let (_directory, state) = state();
        addition(&state, "a", "{\"id\":1}");
        addition(&state, "a", "{\"no\":1}");
        while step(&state, &mut BTreeSet::new(), apply).expect("the records work") {}
        assert_eq!(task(&state, 1).error.expect("an error")["code"], "missing_document_id");
        assert_eq!(std::fs::read_dir(&state.payloads).expect("a directory").count(), 0);
    }

    fn task(state: &State, uid: u32) -> Task {
        state.store.task(uid).expect("readable").expect("a task")
    }
}
