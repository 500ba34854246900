//! What the writer is asked to do.

use serde_json::Value;
use tokio::sync::oneshot;

use crate::{
    entry::{Entry, Finished, NewEntry, Once},
    error::Result,
    log::{Compaction, StoredMap},
    operation::Operation,
    payload_ref::PayloadRef,
    record_kind::RecordKind,
    uids::Uids,
};

/// One call that changes the log.
#[derive(Debug)]
pub(super) enum Command {
    Append(Box<NewEntry>, Option<Once>),
    /// Decisions, and the tasks that are started with them.
    Prepare(Vec<(u32, Value)>, Vec<u32>),
    Cancel {
        by: u32,
        from: u32,
    },
    DeleteTasks {
        by: u32,
    },
    ForgetEnds {
        place: u64,
    },
    Finish(Vec<Finished>),
    Advance {
        node: String,
        uid: u32,
        ended: Option<u32>,
    },
    Settle,
    ForgetNode {
        node: String,
    },
    SaveMap(StoredMap),
    PutRecord {
        kind: RecordKind,
        id: String,
        json: String,
    },
    DeleteRecord {
        kind: RecordKind,
        id: String,
    },
    Trim {
        below: u32,
    },
    /// Never part of a transaction.
    Compact,
}

/// What a call gives back.
#[derive(Debug)]
pub(super) enum Reply {
    Done,
    Entry(Box<Entry>),
    Repeated(Box<Entry>),
    Tasks(Uids),
    Removed(bool),
    Trimmed { position: u32, files: Vec<String> },
    Compacted(Compaction),
}

/// A call and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) command: Command,
    pub(super) reply: oneshot::Sender<Result<Reply>>,
}

// === impl Command ===

impl Command {
    /// Whether it may be lost when the machine dies at once, though not when the process does.
    pub(super) fn is_hint(&self) -> bool {
        matches!(self, Self::Advance { .. })
    }

    /// About how many bytes it writes.
    pub(super) fn weight(&self) -> usize {
        const ROW: usize = 512;
        match self {
            Self::Append(entry, _) => ROW + operation_weight(&entry.operation),
            Self::Prepare(decisions, started) => (decisions.len() + started.len()) * ROW,
            Self::Finish(finished) => finished.len() * ROW,
            Self::SaveMap(map) => ROW + map.bytes.len(),
            Self::PutRecord { json, .. } => ROW + json.len(),
            Self::Advance { .. }
            | Self::Settle
            | Self::ForgetNode { .. }
            | Self::DeleteRecord { .. }
            | Self::Trim { .. }
            | Self::Compact
            | Self::Cancel { .. }
            | Self::DeleteTasks { .. }
            | Self::ForgetEnds { .. } => ROW,
        }
    }
}

fn operation_weight(operation: &Operation) -> usize {
    operation.payload().map_or(0, PayloadRef::inline_len)
}
