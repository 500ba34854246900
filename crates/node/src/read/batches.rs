//! Batches: tasks that were processed together.

use std::collections::BTreeMap;

use miroir_protocol::tasks::{TaskFilter, TaskPage, TasksQuery, iso_duration};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::EngineError;
use crate::state::State;
use crate::store::{Page, Task};

/// One batch.
pub(crate) fn batch(state: &State, uid: u32) -> Result<Option<Value>, EngineError> {
    let filter = TaskFilter { batch_uids: Some(vec![uid]), ..TaskFilter::default() };
    let all = Page { limit: u32::MAX, from: None, reverse: true };
    let (tasks, _) = state.store.find_tasks(&filter, all)?;
    Ok((!tasks.is_empty()).then(|| view(uid, &tasks)))
}

/// One page of batches: those with a task that matches.
pub(crate) fn batch_page(state: &State, query: &TasksQuery) -> Result<TaskPage<Value>, EngineError> {
    let all = Page { limit: u32::MAX, from: None, reverse: true };
    let (tasks, _) = state.store.find_tasks(&query.filter, all)?;
    let mut uids: Vec<_> = tasks.iter().filter_map(|task| task.batch_uid).collect();
    uids.sort_unstable();
    uids.dedup();
    let total = uids.len() as u64;
    if query.reverse {
        uids.retain(|uid| query.from.is_none_or(|from| *uid >= from));
    } else {
        uids.reverse();
        uids.retain(|uid| query.from.is_none_or(|from| *uid <= from));
    }
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let next = uids.get(limit).copied();
    uids.truncate(limit);
    let mut results = Vec::with_capacity(uids.len());
    for uid in &uids {
        results.extend(batch(state, *uid)?);
    }
    Ok(TaskPage { results, total, limit: query.limit, from: uids.first().copied(), next })
}

fn view(uid: u32, tasks: &[Task]) -> Value {
    let started = tasks.iter().filter_map(|task| task.started_at).min();
    let finished = tasks.iter().map(|task| task.finished_at).min().flatten();
    let duration = started.zip(finished).and_then(|(started, finished)| iso_duration(finished - started));
    let moment = |moment: Option<OffsetDateTime>| moment.and_then(|moment| moment.format(&Rfc3339).ok());
    json!({
        "uid": uid,
        "progress": null,
        "details": tasks.first().map(|task| &task.details),
        "stats": {
            "totalNbTasks": tasks.len(),
            "status": count(tasks.iter().map(|task| task.status.name().to_owned())),
            "types": count(tasks.iter().map(|task| task.operation.kind().name().to_owned())),
            "indexUids": count(tasks.iter().filter_map(|task| task.index_uid.clone())),
            "progressTrace": {},
        },
        "duration": duration,
        "startedAt": moment(started),
        "finishedAt": moment(finished),
        "batchStrategy": "batched all enqueued tasks that go together",
    })
}

fn count(names: impl Iterator<Item = String>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts
}
