//! One client's write, as the log keeps it, and what becomes of it.

use miroir_protocol::{ResponseError, tasks::TaskStatus};
use serde_json::Value;
use time::OffsetDateTime;

use crate::{catalog::CatalogChange, operation::Operation};

/// A write that is to be appended.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// The index the write is for; `None` for writes that are not tied to one index.
    pub index_uid: Option<String>,
    /// What is to be done.
    pub operation: Operation,
    /// The client's own tag, given back in its task.
    pub custom_metadata: Option<String>,
}

/// By what a write is recognised when its client sends it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// What the client calls this write.
    pub key: String,
    /// What the write is: another one under the same key is refused.
    pub fingerprint: String,
}

/// A write in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The entry's place in the log, and its task's uid.
    pub uid: u32,
    /// The index the write is for.
    pub index_uid: Option<String>,
    /// What is to be done.
    pub operation: Operation,
    /// The client's own tag.
    pub custom_metadata: Option<String>,
    /// When the entry was appended; never earlier than that of the entry before it.
    pub enqueued_at: OffsetDateTime,
}

/// An entry and what became of it so far.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedEntry {
    /// The write itself.
    pub entry: Entry,
    /// The state of its task.
    pub status: TaskStatus,
    /// The sequencer's decision, once there is one.
    pub prepared: Option<Value>,
    /// The batch its task belongs to, once it was started.
    pub batch_uid: Option<u32>,
    /// When its task was started.
    pub started_at: Option<OffsetDateTime>,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Every shard it touches has it.
    Succeeded,
    /// It was refused.
    Failed(ResponseError),
    /// Another task canceled it.
    Canceled {
        /// The uid of that task.
        by: u32,
    },
}

impl Outcome {
    /// The status a task with this outcome has.
    pub fn status(&self) -> TaskStatus {
        match self {
            Self::Succeeded => TaskStatus::Succeeded,
            Self::Failed(_) => TaskStatus::Failed,
            Self::Canceled { .. } => TaskStatus::Canceled,
        }
    }
}

/// The end of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// The task.
    pub uid: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// The task's details as clients see them; `None` leaves what they were at the start.
    pub details: Option<Value>,
    /// When it was started; `None` keeps what [`Log::start`](crate::Log::start) recorded.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: OffsetDateTime,
    /// What clients see of the indexes from now on, changed in the same transaction.
    pub catalog: Vec<CatalogChange>,
    /// Pairs of index names that change places in all earlier tasks, as clients see these: a swap takes the tasks of an
    /// index along, and so does a new name.
    pub renames: Vec<(String, String)>,
}
