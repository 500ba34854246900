//! The dispatches of one node that are under way.

use std::collections::VecDeque;

use miroir_log::Operation;
use miroir_protocol::error::{ErrorType, ResponseError};

use super::node_tasks::{NodeTask, Report};
use crate::{progress::NodeResult, work::Work};

/// How many dispatches may be under way.
const DISPATCHES: usize = 64;
/// How many small writes go out as one, and how large they may be together.
const GROUPED: usize = 256;
const GROUPED_BYTES: u64 = 8 << 20;

/// Entries that were sent together, and the node's tasks for them.
#[derive(Debug)]
pub(crate) struct Dispatch {
    pub(crate) first: u32,
    pub(crate) last: u32,
    pub(crate) tasks: Vec<NodeTask>,
}

/// Dispatches in log order. `done` is the position up to which the node has everything, `next` the one up to which it
/// was sent everything.
#[derive(Debug)]
pub(crate) struct Window {
    dispatches: VecDeque<Dispatch>,
    done: u32,
    next: u32,
    moved: bool,
    /// Entries up to this one go out one by one, as a group of them failed.
    alone_until: Option<u32>,
    trouble: (u32, u32),
    waiting: bool,
}

impl Window {
    pub(crate) fn new(done: u32) -> Self {
        let dispatches = VecDeque::new();
        Self { dispatches, done, next: done, moved: false, alone_until: None, trouble: (0, 0), waiting: false }
    }

    /// Whether an entry that must not be replayed has to wait until nothing is open before it.
    pub(crate) fn must_wait(&mut self, work: &Work) -> bool {
        let operation = &work.entry.operation;
        let once = matches!(operation, Operation::DocumentEdition { .. } | Operation::IndexSwap { .. });
        self.waiting = once && !self.dispatches.is_empty();
        self.waiting
    }

    /// Whether the next entry waits so.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// What is under way, in order.
    pub(crate) fn dispatches(&self) -> impl Iterator<Item = &Dispatch> {
        self.dispatches.iter()
    }

    /// Forgets what is under way; it is found among the node's tasks again.
    pub(crate) fn restart(&mut self) {
        self.dispatches.clear();
        self.next = self.done;
    }

    pub(crate) fn done(&self) -> u32 {
        self.done
    }

    pub(crate) fn next(&self) -> u32 {
        self.next
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.dispatches.is_empty()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.dispatches.len() < DISPATCHES
    }

    /// Whether the position moved since this was asked last.
    pub(crate) fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    pub(crate) fn set_done(&mut self, position: u32) {
        self.done = position;
        self.moved = true;
    }

    pub(crate) fn alone_until(&mut self, uid: u32) {
        self.alone_until = Some(uid);
    }

    /// Counts the times that the dispatch starting at `first` met trouble of the node.
    pub(crate) fn trouble(&mut self, first: u32) -> u32 {
        let count = if self.trouble.0 == first { self.trouble.1 + 1 } else { 1 };
        self.trouble = (first, count);
        count
    }

    pub(crate) fn push(&mut self, dispatch: Dispatch) {
        self.next = dispatch.last + 1;
        self.dispatches.push_back(dispatch);
    }

    /// How many of `works` go out together: as many as went together before, where the node has accepted them; small
    /// writes of documents to one index; otherwise one.
    pub(crate) fn group(&self, works: &[Work], accepted_last: Option<u32>) -> usize {
        if let Some(last) = accepted_last {
            return works.iter().take_while(|work| work.uid() <= last).count().max(1);
        }
        let first = &works[0];
        if self.alone_until.is_some_and(|until| first.uid() <= until) || !is_plain_addition(first) {
            return 1;
        }
        let mut bytes = 0;
        let together = works.iter().take(GROUPED).take_while(|work| {
            bytes += work.entry.operation.payload().map_or(0, |payload| payload.bytes);
            bytes <= GROUPED_BYTES && is_plain_addition(work) && is_alike(&first.entry.operation, work, first)
        });
        together.count().max(1)
    }

    /// The node's tasks that have not ended.
    pub(crate) fn open_tasks(&self) -> Vec<u32> {
        let tasks = self.dispatches.iter().flat_map(|dispatch| &dispatch.tasks);
        tasks.filter(|task| task.report == Report::Open).map(|task| task.uid).collect()
    }

    /// The first entry of the dispatch that a task is for.
    pub(crate) fn entry_of(&self, task: u32) -> u32 {
        let dispatch = self.dispatches.iter().find(|d| d.tasks.iter().any(|other| other.uid == task));
        dispatch.map_or(self.done, |dispatch| dispatch.first)
    }

    pub(crate) fn end(&mut self, task: u32, report: Report) {
        let mut tasks = self.dispatches.iter_mut().flat_map(|dispatch| &mut dispatch.tasks);
        if let Some(found) = tasks.find(|other| other.uid == task) {
            found.report = match report {
                // It was done by an earlier try whose task is not known any more.
                Report::Failed { error } if found.done == Some(error.code_name()) => {
                    Report::Succeeded { deleted: 0, edited: 0 }
                }
                report => report,
            };
        }
    }

    /// The first dispatch, where all its tasks have ended.
    pub(crate) fn pop_done(&mut self) -> Option<Dispatch> {
        let front = self.dispatches.front()?;
        let done = front.tasks.iter().all(|task| task.report != Report::Open);
        if done { self.dispatches.pop_front() } else { None }
    }
}

/// Documents for an index that has its primary key already.
fn is_plain_addition(work: &Work) -> bool {
    let addition = matches!(work.entry.operation, Operation::DocumentAdditionOrUpdate { .. });
    let effect = work.prepared.effect();
    addition
        && effect.is_some_and(|effect| {
            !effect.creates_index && effect.sets_primary_key.is_none() && effect.documents > 0
        })
}

fn is_alike(operation: &Operation, work: &Work, first: &Work) -> bool {
    let shape = |operation: &Operation| match operation {
        Operation::DocumentAdditionOrUpdate { method, skip_creation, .. } => Some((*method, *skip_creation)),
        _ => None,
    };
    work.entry.index_uid == first.entry.index_uid && shape(operation) == shape(&work.entry.operation)
}

impl Dispatch {
    /// The first error among its tasks.
    pub(crate) fn error(&self) -> Option<&ResponseError> {
        self.tasks.iter().find_map(|task| match &task.report {
            Report::Failed { error } => Some(error),
            _ => None,
        })
    }

    /// Whether it failed for a reason that is the node's, not the write's.
    pub(crate) fn is_trouble_of_node(&self) -> bool {
        let code = self.error().and_then(ResponseError::code);
        code.is_some_and(|code| code.error_type() != ErrorType::InvalidRequest)
    }

    /// What came of each entry. Counts stand with the last one: only a single entry has any.
    pub(crate) fn results(&self) -> Vec<(u32, NodeResult)> {
        let mut result = NodeResult { error: self.error().cloned(), ..NodeResult::default() };
        for task in &self.tasks {
            if let Report::Succeeded { deleted, edited } = task.report {
                result.deleted += deleted;
                result.edited += edited;
            }
        }
        (self.first..=self.last).map(|uid| (uid, result.clone())).collect()
    }
}
