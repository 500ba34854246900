//! Tasks as answers show them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::{Kind, TaskStatus, date::serialize_duration};
use crate::error::ResponseError;

/// A task, as `GET /tasks/{uid}` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskView {
    /// Its place in the queue.
    pub uid: u32,
    /// The batch it is done in.
    pub batch_uid: Option<u32>,
    /// The index it is about.
    pub index_uid: Option<String>,
    /// How far it is.
    pub status: TaskStatus,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The task that canceled it.
    pub canceled_by: Option<u32>,
    /// What it was asked, and what came of it: [`Details`](super::Details) as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Why it failed.
    pub error: Option<ResponseError>,
    /// How long it took.
    #[serde(serialize_with = "serialize_duration", skip_deserializing)]
    pub duration: Option<Duration>,
    /// When it was taken.
    #[serde(with = "time::serde::rfc3339")]
    pub enqueued_at: OffsetDateTime,
    /// When it began.
    #[serde(with = "time::serde::rfc3339::option", default)]
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option", default)]
    pub finished_at: Option<OffsetDateTime>,
    /// The text it was sent with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_metadata: Option<String>,
}

impl TaskView {
    /// Sets when it began and ended, and so how long it took.
    pub fn set_times(&mut self, started_at: Option<OffsetDateTime>, finished_at: Option<OffsetDateTime>) {
        self.started_at = started_at;
        self.finished_at = finished_at;
        self.duration = started_at.zip(finished_at).map(|(start, end)| end - start);
    }
}

/// What a write is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SummarizedTaskView {
    /// The task's place in the queue.
    pub task_uid: u32,
    /// The index it is about.
    pub index_uid: Option<String>,
    /// How far it is.
    pub status: TaskStatus,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// When it was taken.
    #[serde(with = "time::serde::rfc3339")]
    pub enqueued_at: OffsetDateTime,
    /// The text it was sent with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_metadata: Option<String>,
}

/// A page of tasks, as `GET /tasks` answers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskPage<T = TaskView> {
    /// What is on the page.
    pub results: Vec<T>,
    /// How many there are.
    pub total: u64,
    /// How many were asked for.
    pub limit: u32,
    /// The first one on the page.
    pub from: Option<u32>,
    /// The first one of the next page.
    pub next: Option<u32>,
}
