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
