//! One batch, applied: to the index, then to the records.

use milli_core::Index;
use milli_core::heed::RwTxn;
use miroir_protocol::tasks::{Swap, TaskStatus};
use serde_json::{Value, json};

use super::batch::primary_key_of;
use super::operation::Operation;
use crate::engine::{
    Addition, Deletion, Edition, OpenIndex, add_documents, apply_settings, clear_documents, delete_documents,
    edit_documents, keep_existing, set_primary_key,
};
use crate::error::EngineError;
use crate::state::State;
use crate::store::{CatalogChange, Outcome, Prepared, Stamp, Task};

/// Marks the file of those documents of a payload that are not new.
const KEPT: &str = "kept";

/// Applies the tasks and records how they ended. On an error nothing is applied and nothing is recorded.
pub(super) fn apply(state: &State, tasks: &[Task]) -> Result<(), EngineError> {
    let Some(first) = tasks.first() else { return Ok(()) };
    match &first.operation {
        Operation::DocumentAddition { .. } => apply_additions(state, tasks),
        Operation::DocumentDeletion { .. } | Operation::DocumentDeletionByFilter { .. } => {
            apply_deletions(state, tasks)
        }
        Operation::DocumentClear => apply_clear(state, first),
        Operation::SettingsUpdate { settings, .. } => apply_settings_update(state, first, settings),
        Operation::IndexCreation { primary_key } => apply_creation(state, first, primary_key.as_deref()),
        Operation::IndexUpdate { primary_key, new_uid } => {
            apply_update(state, first, primary_key.as_deref(), new_uid.as_deref())
        }
        Operation::IndexDeletion => apply_index_deletion(state, first),
        Operation::IndexSwap { swaps } => apply_swap(state, first, swaps),
        Operation::DocumentEdition { function, context, filter } => {
            let edition = Edition { function, context: context.as_ref(), filter: filter.as_ref() };
            apply_edition(state, first, &edition)
        }
        Operation::TaskCancelation { tasks, .. } => cancel_tasks(state, first, tasks),
        Operation::TaskDeletion { tasks, .. } => delete_tasks(state, first, tasks),
    }
}

/// The task ended well with these details.
fn succeeded(task: &Task, details: Value) -> Outcome {
    Outcome { uid: task.uid, status: TaskStatus::Succeeded, details, error: None, canceled_by: None }
}

/// The task failed and changed nothing.
pub(super) fn failed(task: &Task, error: &EngineError) -> Outcome {
    let details = task.operation.failed_details(task.index_uid.as_deref());
    let error = Some(error.as_task_error());
    Outcome { uid: task.uid, status: TaskStatus::Failed, details, error, canceled_by: None }
}

fn counted(task: &Task, count: u64) -> Outcome {
    succeeded(task, task.operation.details(task.index_uid.as_deref(), json!(count)))
}

fn prepared(outcomes: Vec<Outcome>) -> Prepared {
    Prepared { outcomes, changes: Vec::new() }
}

fn index_of(state: &State, task: &Task) -> Result<OpenIndex, EngineError> {
    let uid = task.index_uid.as_deref().unwrap_or_default();
    if task.operation.creates_index() && !state.indexes.contains(uid) {
        return state.indexes.create(uid, task.uid, &state.store);
    }
    state.indexes.get(uid)
}

/// Commits what was done to the index and records what it came to. The journal tells a later start whether a node that
/// died in between had committed.
fn commit(state: &State, open: &OpenIndex, wtxn: RwTxn<'_>, prepared: &Prepared) -> Result<(), EngineError> {
    let updated_at = open.index.updated_at(&wtxn)?.unix_timestamp_nanos();
    let stamp = Stamp { directory: open.directory.clone(), updated_at };
    state.store.write_journal(prepared, &stamp)?;
    wtxn.commit()?;
    finish(state, prepared)
}

/// Records what needs no commit to an index, or whose commit is through.
pub(super) fn finish(state: &State, prepared: &Prepared) -> Result<(), EngineError> {
    state.store.finish(prepared)?;
    for change in &prepared.changes {
        state.indexes.follow(change);
    }
    Ok(())
}

fn apply_additions(state: &State, tasks: &[Task]) -> Result<(), EngineError> {
    let open = index_of(state, &tasks[0])?;
    let additions = tasks.iter().filter_map(|task| addition_of(state, &open, task).transpose());
    let additions = additions.collect::<Result<Vec<_>, _>>()?;
    let mut wtxn = open.index.write_txn()?;
    let results = add_documents(&open.index, &mut wtxn, &additions, primary_key_of(tasks), &state.limits)
        .map_err(|error| error.named(&open.uid))?;
    let outcomes = tasks.iter().zip(results).map(|(task, result)| match result {
        Ok(count) => counted(task, count),
        Err(error) => failed(task, &error.into()),
    });
    commit(state, &open, wtxn, &prepared(outcomes.collect()))
}

fn addition_of(state: &State, open: &OpenIndex, task: &Task) -> Result<Option<Addition>, EngineError> {
    let Operation::DocumentAddition { method, payload, primary_key, skip_creation, .. } = &task.operation
    else {
        return Ok(None);
    };
    let mut payload = state.payload(payload);
    if *skip_creation {
        let kept = payload.with_extension(KEPT);
        let rtxn = open.index.read_txn()?;
        keep_existing(&open.index, &rtxn, primary_key.as_deref(), &payload, &kept)?;
        payload = kept;
    }
    Ok(Some(Addition { method: *method, payload }))
}

fn apply_deletions(state: &State, tasks: &[Task]) -> Result<(), EngineError> {
    let open = index_of(state, &tasks[0])?;
    let deletions: Vec<_> = tasks
        .iter()
        .filter_map(|task| match &task.operation {
            Operation::DocumentDeletion { ids } => Some(Deletion::Ids(ids.clone())),
            Operation::DocumentDeletionByFilter { filter } => Some(Deletion::Filter(filter.clone())),
            _ => None,
        })
        .collect();
    let mut wtxn = open.index.write_txn()?;
    let results = delete_documents(&open.index, &mut wtxn, &deletions, &state.limits)
        .map_err(|error| error.named(&open.uid))?;
    let outcomes = tasks.iter().zip(results).map(|(task, result)| match result {
        Ok(count) => counted(task, count),
        Err(error) => failed(task, &EngineError::about(&open.uid)(error)),
    });
    commit(state, &open, wtxn, &prepared(outcomes.collect()))
}

fn apply_edition(state: &State, task: &Task, edition: &Edition<'_>) -> Result<(), EngineError> {
    let open = index_of(state, task)?;
    let mut wtxn = open.index.write_txn()?;
    let count = edit_documents(&open.index, &mut wtxn, edition, &state.limits)
        .map_err(|error| error.named(&open.uid))?;
    commit(state, &open, wtxn, &prepared(vec![counted(task, count)]))
}

fn apply_clear(state: &State, task: &Task) -> Result<(), EngineError> {
    let open = index_of(state, task)?;
    let mut wtxn = open.index.write_txn()?;
    let count = clear_documents(&open.index, &mut wtxn)?;
    commit(state, &open, wtxn, &prepared(vec![counted(task, count)]))
}

fn apply_settings_update(state: &State, task: &Task, patch: &Value) -> Result<(), EngineError> {
    let open = index_of(state, task)?;
    let record = state.store.index(&open.uid)?;
    let known = record.map(|record| record.extras).unwrap_or_default();
    let mut extras = known.clone();
    let mut wtxn = open.index.write_txn()?;
    apply_settings(&open.index, &mut wtxn, patch, &mut extras, &state.limits)
        .map_err(|error| error.named(&open.uid))?;
    let mut prepared = prepared(vec![succeeded(task, patch.clone())]);
    if extras != known {
        prepared.changes.push(CatalogChange::Extras { uid: open.uid.clone(), extras });
    }
    commit(state, &open, wtxn, &prepared)
}

fn apply_creation(state: &State, task: &Task, primary_key: Option<&str>) -> Result<(), EngineError> {
    let uid = task.index_uid.as_deref().unwrap_or_default();
    let open = match state.store.index(uid)? {
        None => state.indexes.create(uid, task.uid, &state.store)?,
        // The task was interrupted after it had created the index.
        Some(record) if record.created_by == task.uid => state.indexes.get(uid)?,
        Some(_) => return Err(EngineError::IndexAlreadyExists(uid.to_owned())),
    };
    let outcome = prepared(vec![counted(task, 0)]);
    change_index(state, &open, primary_key, &outcome)
}

fn apply_update(
    state: &State,
    task: &Task,
    primary_key: Option<&str>,
    new_uid: Option<&str>,
) -> Result<(), EngineError> {
    let open = index_of(state, task)?;
    let mut prepared = prepared(vec![counted(task, 0)]);
    if let Some(to) = new_uid.filter(|to| *to != open.uid) {
        if state.indexes.contains(to) {
            return Err(EngineError::IndexAlreadyExists(to.to_owned()));
        }
        prepared.changes.push(CatalogChange::Rename {
            from: open.uid.clone(),
            to: to.to_owned(),
            task: task.uid,
        });
    }
    change_index(state, &open, primary_key, &prepared)
}

/// Sets the primary key, if one is given, and notes the moment of change.
fn change_index(
    state: &State,
    open: &OpenIndex,
    primary_key: Option<&str>,
    prepared: &Prepared,
) -> Result<(), EngineError> {
    let index: &Index = &open.index;
    let mut wtxn = index.write_txn()?;
    set_primary_key(index, &mut wtxn, primary_key, &state.limits).map_err(|error| error.named(&open.uid))?;
    commit(state, open, wtxn, prepared)
}

fn apply_index_deletion(state: &State, task: &Task) -> Result<(), EngineError> {
    let open = index_of(state, task)?;
    let rtxn = open.index.read_txn()?;
    let count = open.index.number_of_documents(&rtxn)?;
    drop(rtxn);
    let change = CatalogChange::Delete { uid: open.uid };
    drop(open.index);
    finish(state, &Prepared { outcomes: vec![counted(task, count)], changes: vec![change] })
}

fn apply_swap(state: &State, task: &Task, swaps: &[Swap]) -> Result<(), EngineError> {
    let mut missing = std::collections::BTreeSet::new();
    let mut changes = Vec::with_capacity(swaps.len());
    for Swap { indexes: (left, right), rename } in swaps {
        missing.extend([left].into_iter().filter(|uid| !state.indexes.contains(uid)).cloned());
        match (*rename, state.indexes.contains(right)) {
            (true, true) => return Err(EngineError::IndexAlreadyExists(right.clone())),
            (true, false) => {
                changes.push(CatalogChange::Rename { from: left.clone(), to: right.clone(), task: task.uid });
            }
            (false, exists) => {
                missing.extend((!exists).then(|| right.clone()));
                changes.push(CatalogChange::Swap {
                    left: left.clone(),
                    right: right.clone(),
                    task: task.uid,
                });
            }
        }
    }
    let mut missing: Vec<_> = missing.into_iter().collect();
    match missing.len() {
        0 => finish(state, &Prepared { outcomes: vec![counted(task, 0)], changes }),
        1 => Err(EngineError::IndexNotFound(missing.swap_remove(0))),
        _ => Err(EngineError::IndexesNotFound(missing)),
    }
}

fn cancel_tasks(state: &State, task: &Task, condemned: &[u32]) -> Result<(), EngineError> {
    let mut outcomes = Vec::new();
    for uid in condemned {
        let Some(waiting) = state.store.task(*uid)? else { continue };
        if waiting.status == TaskStatus::Enqueued {
            let details = waiting.operation.failed_details(waiting.index_uid.as_deref());
            outcomes.push(Outcome {
                uid: *uid,
                status: TaskStatus::Canceled,
                details,
                error: None,
                canceled_by: Some(task.uid),
            });
            remove_payload(state, &waiting);
        }
    }
    outcomes.push(counted(task, outcomes.len() as u64));
    finish(state, &prepared(outcomes))
}

fn delete_tasks(state: &State, task: &Task, condemned: &[u32]) -> Result<(), EngineError> {
    let deleted = state.store.delete_tasks(condemned)?;
    finish(state, &prepared(vec![counted(task, deleted as u64)]))
}

/// Removes the documents of a task that has ended.
pub(super) fn remove_payload(state: &State, task: &Task) {
    let Some(name) = task.operation.payload() else { return };
    let path = state.payload(name);
    // Most payloads have no such file.
    let _ = std::fs::remove_file(path.with_extension(KEPT));
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(%error, task = task.uid, "payload of an ended task is left behind");
    }
}
