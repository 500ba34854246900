//! Batches: tasks that are done together.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};

use super::{
    TaskStatus, TaskView,
    date::{iso_duration, serialize_duration},
};

/// A batch, as `GET /batches/{uid}` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchView {
    /// Its place among all batches.
    pub uid: u32,
    /// How far it is, while it is not over.
    pub progress: Option<Value>,
    /// The details of its tasks, counts added up.
    pub details: Value,
    /// What is in it.
    pub stats: BatchStats,
    /// How long it took.
    #[serde(serialize_with = "serialize_duration")]
    pub duration: Option<Duration>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    /// Why there are not more tasks in it.
    pub batch_strategy: String,
}

/// What is in a batch.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchStats {
    /// How many tasks.
    pub total_nb_tasks: usize,
    /// How many with each status.
    pub status: BTreeMap<&'static str, u64>,
    /// How many of each type.
    pub types: BTreeMap<&'static str, u64>,
    /// How many for each index.
    pub index_uids: BTreeMap<String, u64>,
    /// How long each step took.
    pub progress_trace: Map<String, Value>,
}

impl BatchView {
    /// The batch of these tasks, of which there is at least one.
    pub fn of(uid: u32, tasks: &[TaskView]) -> Self {
        let started_at = tasks.iter().filter_map(|task| task.started_at).min();
        let is_over = tasks.iter().all(|task| task.status.is_finished());
        let last = tasks.iter().filter_map(|task| task.finished_at).max();
        let finished_at = last.filter(|_| is_over);
        let duration = started_at.zip(finished_at).map(|(start, end)| end - start);
        let finished = tasks.iter().filter(|task| task.status.is_finished()).count();
        Self {
            uid,
            progress: (!is_over).then(|| progress(finished, tasks.len())),
            details: details(tasks, is_over),
            stats: stats(tasks, duration),
            duration,
            started_at,
            finished_at,
            batch_strategy: strategy(tasks),
        }
    }
}

fn progress(finished: usize, total: usize) -> Value {
    #[allow(clippy::cast_precision_loss)] // a share of few tasks
    let percentage = finished as f64 * 100.0 / total.max(1) as f64;
    json!({
        "steps": [{ "currentStep": "processing tasks", "finished": finished, "total": total }],
        "percentage": percentage,
    })
}

/// The details of all tasks. Of a batch that is over, Meilisearch keeps only what there is.
fn details(tasks: &[TaskView], is_over: bool) -> Value {
    let mut sum = tasks.iter().filter_map(|task| task.details.as_ref()).fold(json!({}), added);
    if let Some(members) = sum.as_object_mut().filter(|_| is_over) {
        members.retain(|_, value| !value.is_null());
    }
    sum
}

/// The details with those of another task: counts are added up, of the rest the first one is shown.
fn added(mut sum: Value, details: &Value) -> Value {
    let (Some(sums), Some(members)) = (sum.as_object_mut(), details.as_object()) else { return sum };
    for (name, value) in members {
        let both = (sums.get(name).and_then(Value::as_u64), value.as_u64());
        let next = match (sums.get(name), both) {
            (_, (Some(one), Some(other))) => Value::from(one + other),
            (None | Some(Value::Null), _) => value.clone(),
            _ => continue,
        };
        sums.insert(name.clone(), next);
    }
    sum
}

fn stats(tasks: &[TaskView], duration: Option<Duration>) -> BatchStats {
    let mut stats = BatchStats { total_nb_tasks: tasks.len(), ..BatchStats::default() };
    for task in tasks {
        *stats.status.entry(task.status.name()).or_default() += 1;
        *stats.types.entry(task.kind.name()).or_default() += 1;
        if let Some(index) = &task.index_uid {
            *stats.index_uids.entry(index.clone()).or_default() += 1;
        }
    }
    if let Some(duration) = duration.and_then(iso_duration) {
        stats.progress_trace.insert("processing tasks".to_owned(), Value::from(duration));
    }
    stats
}

fn strategy(tasks: &[TaskView]) -> String {
    match tasks {
        [task] => format!(
            "created batch containing only task with id {} of type `{}` that cannot be batched with any other task.",
            task.uid, task.kind
        ),
        tasks => match tasks.iter().find(|task| task.status == TaskStatus::Canceled) {
            Some(_) => "batched a cancelation with the tasks that it canceled".to_owned(),
            None => format!(
                "batched all enqueued tasks for index `{}`",
                tasks.iter().find_map(|task| task.index_uid.as_deref()).unwrap_or_default()
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::BatchView;
    use crate::tasks::{Kind, TaskStatus, TaskView};

    fn task(uid: u32, status: TaskStatus, documents: u64) -> TaskView {
        let mut task = TaskView {
            uid,
            batch_uid: Some(3),
            index_uid: Some("movies".to_owned()),
            status,
            kind: Kind::DocumentAdditionOrUpdate,
            canceled_by: None,
            details: Some(json!({ "receivedDocuments": documents, "indexedDocuments": null })),
            error: None,
            duration: None,
            enqueued_at: datetime!(2024-05-05 12:00 UTC),
            started_at: None,
            finished_at: None,
            custom_metadata: None,
        };
        let end = status.is_finished().then_some(datetime!(2024-05-05 12:00:03 UTC));
        task.set_times(Some(datetime!(2024-05-05 12:00:01 UTC)), end);
        task
    }

    #[test]
    fn counts_are_added_up() {
        let batch = BatchView::of(3, &[task(7, TaskStatus::Succeeded, 2), task(8, TaskStatus::Succeeded, 3)]);
        let shown = serde_json::to_value(&batch).expect("JSON");
        assert_eq!(shown["details"], json!({ "receivedDocuments": 5 }));
        assert_eq!(shown["stats"]["status"], json!({ "succeeded": 2 }));
        assert_eq!(shown["stats"]["indexUids"], json!({ "movies": 2 }));
        assert_eq!((&shown["duration"], &shown["progress"]), (&json!("PT2S"), &json!(null)));
    }

    #[test]
    fn a_batch_is_over_when_all_its_tasks_are() {
        let batch =
            BatchView::of(3, &[task(7, TaskStatus::Succeeded, 2), task(8, TaskStatus::Processing, 3)]);
        assert_eq!((batch.finished_at, batch.duration), (None, None));
        assert_eq!(batch.details, json!({ "receivedDocuments": 5, "indexedDocuments": null }));
        assert_eq!(batch.progress.expect("progress")["percentage"], 50.0);
    }
}
