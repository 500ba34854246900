//! Entries that went out together, and the node's tasks for them.

use std::{ops::Add, sync::Arc};

use miroir_protocol::{
    error::{Code, ErrorType, ResponseError},
    tasks::Kind,
};
use miroir_shard::SlotSet;

use crate::{
    counts::{Counted, Counts},
    steps::{Done, Step},
};

/// How far a node's task is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Report {
    /// Waiting or being processed.
    Open,
    /// Done, with what it counted.
    Succeeded(Counts),
    /// Failed.
    Failed { error: ResponseError },
}

/// What a node made of a request for a dispatch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NodeTask {
    /// The node's task; none where the node refused the request.
    pub(crate) uid: Option<u32>,
    /// Whether an earlier try had sent it.
    found: bool,
    done: Done,
    pub(crate) report: Report,
}

/// Entries that were sent together, as far as they were for the node at all.
#[derive(Debug)]
pub(crate) struct Dispatch {
    pub(crate) first: u32,
    pub(crate) last: u32,
    pub(crate) tasks: Vec<NodeTask>,
    /// Whether nothing may go out behind it before it has ended.
    pub(crate) barrier: bool,
    /// Whether nothing else was open at the node while it was: a node fails all tasks that it does together for the
    /// fault of one. Of what an earlier try had sent that is not known.
    pub(crate) alone: bool,
    /// Whether an earlier try has judged it: what came of it stands.
    pub(crate) judged: bool,
    /// Whose documents it is about, where it counts what it does to them.
    pub(crate) counts: Option<Arc<SlotSet>>,
    /// Where it is a swap: what shows whether that was done.
    pub(crate) exchange: Option<Exchange>,
}

/// A node commits a swap and the end of its task one after the other: killed between the two, it swaps back at its start, or
/// fails as the index of the old name is gone. In the same commit as the indexes, the tasks before the swap change their
/// names: the one just before it shows what was done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exchange {
    /// The node's task before the swap, and the index that it was for.
    pub(crate) before: u32,
    pub(crate) index: String,
    /// The swap.
    pub(crate) task: u32,
}

/// What an error of a node says of the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// It can never be done.
    Write,
    /// The node failed over it, and might again.
    Unclear,
    /// Nothing: the node has no room or no files left, or its task was canceled.
    Node,
}

// === impl NodeTask ===

impl NodeTask {
    pub(crate) fn accepted(uid: u32, done: Done) -> Self {
        Self { uid: Some(uid), found: false, done, report: Report::Open }
    }

    /// One that an earlier try had sent.
    pub(crate) fn found(uid: u32, done: Done) -> Self {
        Self { found: true, ..Self::accepted(uid, done) }
    }

    pub(crate) fn refused(error: ResponseError, done: Done) -> Self {
        let mut task = Self { uid: None, found: false, done, report: Report::Open };
        task.end(Report::Failed { error });
        task
    }

    /// Records what came of it.
    pub(crate) fn end(&mut self, report: Report) {
        self.report = match report {
            Report::Failed { error } if self.done.takes(error.code_name()) => {
                Report::Succeeded(Counts::default())
            }
            report => report,
        };
    }

    pub(crate) fn error(&self) -> Option<&ResponseError> {
        match &self.report {
            Report::Failed { error } => Some(error),
            _ => None,
        }
    }
}

// === impl Exchange ===

impl Exchange {
    /// That of these tasks, which stand for these steps.
    pub(crate) fn of(steps: &[Step], tasks: &[NodeTask]) -> Option<Self> {
        let ([marker, swap], [before, task]) = (steps, tasks) else { return None };
        swap.found_as.filter(|kind| *kind == Kind::IndexSwap)?;
        Some(Self { before: before.uid?, index: marker.index()?.to_owned(), task: task.uid? })
    }

    /// What came of the swap, by the name that the index before it has now.
    pub(crate) fn report(&self, told: Report, name: &str) -> Report {
        match told {
            Report::Open => told,
            _ if name != self.index => Report::Succeeded(Counts::default()),
            Report::Succeeded(_) => {
                let text = "The node was stopped in the middle of a swap, and has undone it.";
                Report::Failed { error: ResponseError::new(Code::MiroirNodeError, text) }
            }
            Report::Failed { .. } => told,
        }
    }
}

// === impl Dispatch ===

impl Dispatch {
    pub(crate) fn new(first: u32, last: u32, tasks: Vec<NodeTask>, barrier: bool) -> Self {
        let alone = !tasks.iter().any(|task| task.found);
        Self { first, last, tasks, barrier, alone, judged: false, counts: None, exchange: None }
    }

    /// How many entries it is.
    pub(crate) fn entries(&self) -> usize {
        (self.last - self.first + 1) as usize
    }

    pub(crate) fn is_open(&self) -> bool {
        self.tasks.iter().any(|task| task.report == Report::Open)
    }

    /// The node's tasks for it that have not ended.
    pub(crate) fn open_tasks(&self) -> impl Iterator<Item = u32> + '_ {
        self.tasks.iter().filter(|task| task.report == Report::Open).filter_map(|task| task.uid)
    }

    /// The first error among its tasks.
    pub(crate) fn error(&self) -> Option<&ResponseError> {
        self.tasks.iter().find_map(NodeTask::error)
    }

    /// Whether the error is certainly that of its own entry.
    pub(crate) fn is_own_error(&self) -> bool {
        let failed = self.tasks.iter().find(|task| task.error().is_some());
        self.entries() == 1 && (self.alone || failed.is_some_and(|task| task.uid.is_none()))
    }

    /// What its tasks counted together, where that is of interest.
    pub(crate) fn counted(&self) -> Option<Counted> {
        Some(Counted { counts: self.sum(), slots: self.counts.clone()? })
    }

    fn sum(&self) -> Counts {
        let counts = self.tasks.iter().map(|task| match task.report {
            Report::Succeeded(counts) => counts,
            _ => Counts::default(),
        });
        counts.fold(Counts::default(), Add::add)
    }
}

// === impl Blame ===

impl Blame {
    pub(crate) fn of(error: &ResponseError) -> Self {
        match error.code().map(|code| code.error_type()) {
            _ if error.code() == Some(Code::MiroirPayloadLost) => Self::Write,
            Some(ErrorType::System) => Self::Node,
            // A document of more than 127 levels: it is nothing that passes.
            Some(ErrorType::Internal) if error.message().contains("recursion limit exceeded") => Self::Write,
            Some(ErrorType::Internal | ErrorType::Auth) => Self::Unclear,
            Some(ErrorType::InvalidRequest) | None => Self::Write,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(code: Code) -> Report {
        Report::Failed { error: ResponseError::new(code, "no") }
    }

    #[test]
    fn a_failure_that_says_it_was_done_before_is_success() {
        let mut task = NodeTask::accepted(1, Done::OrFailed("index_already_exists"));
        task.end(failed(Code::IndexAlreadyExists));
        assert_eq!(task.report, Report::Succeeded(Counts::default()));
        task.end(failed(Code::InvalidIndexUid));
        assert!(task.error().is_some());
        let refused =
            NodeTask::refused(ResponseError::index_not_found("x"), Done::OrFailed("index_not_found"));
        assert_eq!(refused.error(), None);
        let mut marker = NodeTask::accepted(2, Done::Anyhow);
        marker.end(failed(Code::NoSpaceLeftOnDevice));
        assert_eq!(marker.error(), None, "the swap behind it must not be sent again for its sake");
    }

    #[test]
    fn full_disks_are_the_nodes_and_bad_documents_the_writes() {
        let blame = |code| Blame::of(&ResponseError::new(code, "no"));
        assert_eq!(blame(Code::NoSpaceLeftOnDevice), Blame::Node);
        assert_eq!(blame(Code::MiroirNodeError), Blame::Node, "a task canceled on the node");
        assert_eq!(blame(Code::Internal), Blame::Unclear);
        let deep = "Index `a`: internal: recursion limit exceeded at line 1 column 128.";
        assert_eq!(Blame::of(&ResponseError::new(Code::Internal, deep)), Blame::Write);
        assert_eq!(blame(Code::MiroirPayloadLost), Blame::Write, "nobody has its documents any more");
        assert_eq!(blame(Code::InvalidDocumentGeoField), Blame::Write);
        assert_eq!(blame(Code::VectorEmbeddingError), Blame::Write);
    }

    #[test]
    fn only_an_entry_that_was_alone_is_known_to_be_at_fault() {
        let task = |uid| NodeTask {
            uid,
            found: false,
            done: Done::Succeeded,
            report: failed(Code::InvalidDocumentGeoField),
        };
        let mut dispatch = Dispatch::new(3, 3, vec![task(Some(1))], false);
        assert!(dispatch.is_own_error());
        dispatch.alone = false;
        assert!(!dispatch.is_own_error());
        dispatch.tasks = vec![task(None)];
        assert!(dispatch.is_own_error(), "refused before it met others");
        dispatch.last = 4;
        assert!(!dispatch.is_own_error());
    }

    #[test]
    fn what_an_earlier_try_had_sent_may_have_met_others() {
        let mut task = NodeTask::found(1, Done::Succeeded);
        task.end(failed(Code::InvalidDocumentGeoField));
        assert!(!Dispatch::new(3, 3, vec![task], false).is_own_error());
    }
}
