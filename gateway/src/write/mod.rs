//! Writes: checked as Meilisearch checks them before it takes them, put into the log, answered with their task.

pub(crate) mod documents;
mod enqueue;
mod filter;
pub(crate) mod indexes;
mod once;
mod payload;
pub(crate) mod settings;
pub(crate) mod tasks;

pub(crate) use self::{
    enqueue::{Writing, check_backlog, log_error},
    once::WriteKey,
};
