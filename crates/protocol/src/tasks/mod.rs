//! Tasks: what they are, how they are shown and how they are looked for.

mod batch;
mod date;
mod details;
mod kind;
mod query;
mod view;

pub use self::{
    batch::{BatchStats, BatchView},
    date::{InvalidTaskDate, iso_duration},
    details::{Details, Swap},
    kind::{Kind, TaskStatus, UnknownKind, UnknownStatus},
    query::{FilterAction, TaskFilter, TasksQuery, batch_uid_from_path, task_uid_from_path},
    view::{SummarizedTaskView, TaskPage, TaskView},
};
