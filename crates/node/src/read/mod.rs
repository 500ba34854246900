//! What is read besides searches: documents, fields, indexes, settings, tasks, statistics.

mod batches;
mod documents;
mod fields;
mod indexes;
mod sort;
mod tasks;

pub(crate) use self::batches::{batch, batch_page};
pub(crate) use self::documents::{document, documents};
pub(crate) use self::fields::{FieldsQuery, fields};
pub(crate) use self::indexes::{index_stats, index_view, node_stats, settings};
pub(crate) use self::tasks::{matching_tasks, task_page, task_view};
