//! Going on where a node that died had stopped.

use std::collections::HashSet;

use super::apply::finish;
use crate::error::EngineError;
use crate::state::State;

/// Ends the batch that was committed but not recorded, if there is one, and puts unfinished tasks back into the queue.
pub(super) fn recover(state: &State) -> Result<(), EngineError> {
    if let Some((prepared, stamp)) = state.store.journal()? {
        let committed = match state.indexes.in_directory(&stamp.directory) {
            Some(open) => {
                let rtxn = open.index.read_txn()?;
                let updated_at = open.index.updated_at(&rtxn)?;
                updated_at.unix_timestamp_nanos() == stamp.updated_at
            }
            None => false,
        };
        match committed {
            true => finish(state, &prepared)?,
            false => state.store.clear_journal()?,
        }
    }
    let restarted = state.store.restart_unfinished()?;
    if restarted > 0 {
        tracing::info!(tasks = restarted, "interrupted tasks are processed again");
    }
    Ok(())
}

/// Removes payloads that no task waits for. Only for the start: later, a payload may be there before its task is.
pub(super) fn sweep_payloads(state: &State) -> Result<(), EngineError> {
    let waiting = state.store.waiting(usize::MAX)?;
    let wanted: HashSet<_> = waiting.iter().filter_map(|task| task.operation.payload()).collect();
    for entry in std::fs::read_dir(&state.payloads)? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(|name| wanted.contains(name)) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use miroir_protocol::tasks::TaskStatus;
    use serde_json::json;

    use super::{recover, sweep_payloads};
    use crate::engine::{Addition, add_documents};
    use crate::scheduler::testing::{addition, state};
    use crate::scheduler::{Method, Operation};
    use crate::state::State;
    use crate::store::{Outcome, Prepared, Stamp};

    /// Does what the worker does up to the moment before it records the end of the task; commits or does not.
    fn die_in_the_middle(state: &State, uid: u32, committed: bool) {
        state.store.start(&[uid]).expect("the task starts");
        let task = state.store.task(uid).expect("readable").expect("a task");
        let open = state.indexes.create("a", uid, &state.store).expect("an index");
        let payload = state.payload(task.operation.payload().expect("a payload"));
        let additions = [Addition { method: Method::Replace, payload }];
        let mut wtxn = open.index.write_txn().expect("a transaction");
        add_documents(&open.index, &mut wtxn, &additions, None, &state.limits).expect("documents are added");
        let outcome = Outcome {
            uid,
            status: TaskStatus::Succeeded,
            details: json!({ "receivedDocuments": 1, "indexedDocuments": 1 }),
            error: None,
            canceled_by: None,
        };
        let updated_at = open.index.updated_at(&wtxn).expect("a moment").unix_timestamp_nanos();
        let stamp = Stamp { directory: open.directory.clone(), updated_at };
        let prepared = Prepared { outcomes: vec![outcome], changes: Vec::new() };
        state.store.write_journal(&prepared, &stamp).expect("the journal is written");
        match committed {
            true => wtxn.commit().expect("the commit works"),
            false => wtxn.abort(),
        }
    }

    #[test]
    fn committed_batch_is_recorded_and_not_done_again() {
        let (_directory, state) = state();
        let uid = addition(&state, "a", "{\"id\":1}");
        die_in_the_middle(&state, uid, true);
        recover(&state).expect("recovery works");
        let task = state.store.task(uid).expect("readable").expect("a task");
        assert_eq!(task.status, TaskStatus::Succeeded);
        assert!(task.started_at.is_some() && task.finished_at.is_some());
        assert!(state.store.waiting(10).expect("readable").is_empty());
        assert_eq!(state.store.journal().expect("readable"), None);
    }

    #[test]
    fn batch_that_was_not_committed_waits_again() {
        let (_directory, state) = state();
        let uid = addition(&state, "a", "{\"id\":1}");
        die_in_the_middle(&state, uid, false);
        recover(&state).expect("recovery works");
        sweep_payloads(&state).expect("a sweep");
        let waiting = state.store.waiting(10).expect("readable");
        assert_eq!(waiting.len(), 1);
        let Operation::DocumentAddition { payload, .. } = &waiting[0].operation else {
            panic!("an addition was enqueued");
        };
        assert!(state.payload(payload).exists(), "the payload of a waiting task stays");
        assert_eq!(state.store.journal().expect("readable"), None);
    }

    #[test]
    fn payloads_without_a_task_are_swept() {
        let (_directory, state) = state();
        std::fs::write(state.payload("left behind"), "{}").expect("a file is written");
        sweep_payloads(&state).expect("a sweep");
        assert!(!state.payload("left behind").exists());
    }
}
