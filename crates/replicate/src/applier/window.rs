//! The dispatches of one node that are under way, and what may go out next.
//!
//! Whatever fails as a whole is sent again, and so is everything that went out behind it. That must end where it would
//! have ended without the failure, so only writes for which it does flow through the window together: documents put, and
//! deleted by id, in log order. Everything else goes out alone, when nothing before it is open, and nothing goes out
//! behind it before it has ended.

use std::collections::VecDeque;

use miroir_log::{Operation, Selection};

use super::dispatch::{Blame, Dispatch, Exchange, Report};
use crate::work::Work;

/// How many dispatches may be under way.
const DISPATCHES: usize = 64;
/// How many small writes go out as one, and how large they may be together.
pub(super) const GROUPED: usize = 256;
pub(super) const GROUPED_BYTES: u64 = 8 << 20;
/// How often a node may fail over the same entry, all by itself, before the entry is at fault.
const UNCLEAR_RETRIES: u32 = 5;

/// Dispatches in log order. `done` is the position up to which the node has everything, `next` the one up to which it
/// was sent everything.
#[derive(Debug)]
pub(crate) struct Window {
    dispatches: VecDeque<Dispatch>,
    done: u32,
    next: u32,
    careful: Option<Careful>,
    /// The entry that the node failed over last, and how often.
    unclear: (u32, u32),
}

/// Entries up to `until` go out one dispatch at a time, of `size` entries, as some of them failed together: half as many
/// after a failure, twice as many after a success, until the one at fault has failed on its own.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Careful {
    until: u32,
    size: usize,
}

/// What is to be done about a dispatch that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// What came of it stands.
    Stands,
    /// It is sent again, more carefully.
    Again,
    /// It is sent again once the node has had time to recover.
    Later,
}

impl Window {
    pub(crate) fn new(done: u32) -> Self {
        Self { dispatches: VecDeque::new(), done, next: done, careful: None, unclear: (0, 0) }
    }

    /// Forgets what is under way: it is sent again, or found among the node's tasks again.
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

    pub(crate) fn set_done(&mut self, position: u32) {
        self.done = position;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.dispatches.is_empty()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.dispatches.len() < DISPATCHES
    }

    /// Whether something is under way that nothing may go out behind.
    pub(crate) fn has_barrier(&self) -> bool {
        self.dispatches.iter().any(|dispatch| dispatch.barrier && !dispatch.tasks.is_empty())
    }

    /// Whether an entry has to wait until what is under way has ended.
    pub(crate) fn must_wait(&self, work: &Work) -> bool {
        let mut busy = self.dispatches.iter().filter(|dispatch| !dispatch.tasks.is_empty()).peekable();
        let is_first = busy.peek().is_none();
        let is_alone = |dispatch: &Dispatch| dispatch.barrier || self.careful_at(dispatch.first).is_some();
        !is_first && (!flows(work) || self.careful_at(work.uid()).is_some() || busy.any(is_alone))
    }

    pub(crate) fn push(&mut self, mut dispatch: Dispatch) {
        self.next = dispatch.last + 1;
        if !dispatch.tasks.is_empty() {
            for other in self.dispatches.iter_mut().filter(|other| !other.tasks.is_empty()) {
                other.alone = false;
                dispatch.alone = false;
            }
        }
        self.dispatches.push_back(dispatch);
    }

    /// How many of `works` go out together: as many as went together before, where the node has accepted them; small
    /// writes of documents to one index; otherwise one.
    pub(crate) fn group(&self, works: &[Work], accepted_last: Option<u32>) -> usize {
        if let Some(last) = accepted_last {
            return works.iter().take_while(|work| work.uid() <= last).count().max(1);
        }
        let first = &works[0];
        let most = self.careful_at(first.uid()).map_or(GROUPED, |careful| careful.size);
        let mut bytes = 0;
        let together = works.iter().take(most).take_while(|work| {
            bytes += work.bytes();
            bytes <= GROUPED_BYTES && is_addition(work) && is_alike(first, work)
        });
        together.count().max(1)
    }

    /// The node's tasks that have not ended.
    pub(crate) fn open_tasks(&self) -> Vec<u32> {
        self.dispatches.iter().flat_map(Dispatch::open_tasks).collect()
    }

    /// Those of the first dispatch that has some. Nothing behind it counts before it has ended.
    pub(crate) fn first_open_tasks(&self) -> Vec<u32> {
        let first = self.dispatches.iter().find(|dispatch| dispatch.is_open());
        first.into_iter().flat_map(Dispatch::open_tasks).collect()
    }

    /// The newest of the node's tasks for what is under way.
    pub(crate) fn newest_task(&self) -> Option<u32> {
        self.dispatches.iter().flat_map(|dispatch| &dispatch.tasks).filter_map(|task| task.uid).max()
    }

    /// The first entry of the dispatch that a task is for.
    pub(crate) fn entry_of(&self, task: u32) -> u32 {
        let dispatch = self.dispatches.iter().find(|d| d.tasks.iter().any(|other| other.uid == Some(task)));
        dispatch.map_or(self.done, |dispatch| dispatch.first)
    }

    /// The swap that a task is.
    pub(crate) fn exchange(&self, task: u32) -> Option<&Exchange> {
        let mut exchanges = self.dispatches.iter().filter_map(|dispatch| dispatch.exchange.as_ref());
        exchanges.find(|exchange| exchange.task == task)
    }

    /// Records what came of a task.
    pub(crate) fn end(&mut self, task: u32, report: Report) {
        let mut tasks = self.dispatches.iter_mut().flat_map(|dispatch| &mut dispatch.tasks);
        if let Some(found) = tasks.find(|other| other.uid == Some(task)) {
            found.end(report);
        }
    }

    /// The first dispatch, where all its tasks have ended. It stays until [`Window::pop`].
    pub(crate) fn ended(&self) -> Option<&Dispatch> {
        self.dispatches.front().filter(|dispatch| !dispatch.is_open())
    }

    /// Takes the first dispatch off.
    pub(crate) fn pop(&mut self) -> Option<Dispatch> {
        self.dispatches.pop_front()
    }

    /// Judges the first dispatch, which has ended.
    pub(crate) fn judge(&mut self) -> Verdict {
        let Some(dispatch) = self.dispatches.front() else { return Verdict::Stands };
        let error = dispatch.error().filter(|_| !dispatch.judged);
        let Some(error) = error else {
            self.went_well();
            return Verdict::Stands;
        };
        let blame = Blame::of(error);
        if blame == Blame::Node {
            return Verdict::Later;
        }
        if !dispatch.is_own_error() {
            self.go_careful();
            return Verdict::Again;
        }
        let first = dispatch.first;
        if blame == Blame::Unclear && self.count_unclear(first) <= UNCLEAR_RETRIES {
            return Verdict::Later;
        }
        self.went_well();
        Verdict::Stands
    }

    fn count_unclear(&mut self, first: u32) -> u32 {
        let count = if self.unclear.0 == first { self.unclear.1 + 1 } else { 1 };
        self.unclear = (first, count);
        count
    }

    fn careful_at(&self, uid: u32) -> Option<Careful> {
        self.careful.filter(|careful| uid <= careful.until)
    }

    /// The first dispatch failed together with others, and with all that failed behind it: any of these may be at fault.
    fn go_careful(&mut self) {
        let Some(first) = self.dispatches.front() else { return };
        let failed = |dispatch: &&Dispatch| dispatch.tasks.is_empty() || dispatch.error().is_some();
        let last =
            self.dispatches.iter().take_while(failed).last().map_or(first.last, |dispatch| dispatch.last);
        let until = self.careful.map_or(last, |careful| careful.until.max(last));
        let size = if first.alone { first.entries().div_ceil(2) } else { first.entries() };
        self.careful = Some(Careful { until, size });
    }

    /// The first dispatch is through.
    fn went_well(&mut self) {
        let Some(first) = self.dispatches.front() else { return };
        self.careful = self.careful.filter(|careful| first.last < careful.until).map(|careful| {
            let size = if first.tasks.is_empty() { careful.size } else { (careful.size * 2).min(GROUPED) };
            Careful { size, ..careful }
        });
    }
}

/// Whether an entry may be under way together with others, see the [module](self).
pub(crate) fn flows(work: &Work) -> bool {
    match &work.entry.operation {
        // Only documents that are there already are updated: whether one is may differ the second time.
        Operation::DocumentAdditionOrUpdate { skip_creation: true, .. } => !work.prepared.is_sent(),
        Operation::DocumentAdditionOrUpdate { .. } => {
            let effect = work.prepared.effect();
            !work.prepared.creates_index() && effect.is_none_or(|effect| effect.sets_primary_key.is_none())
        }
        Operation::DocumentDeletion { selection } => !matches!(selection, Selection::ByFilter { .. }),
        _ => !work.prepared.is_sent(),
    }
}

/// Documents for an index that has its primary key already.
pub(super) fn is_addition(work: &Work) -> bool {
    let addition = matches!(work.entry.operation, Operation::DocumentAdditionOrUpdate { .. });
    let effect = work.prepared.effect();
    addition
        && effect.is_some_and(|effect| {
            !effect.creates_index && effect.sets_primary_key.is_none() && effect.documents > 0
        })
}

pub(super) fn is_alike(one: &Work, other: &Work) -> bool {
    let shape = |work: &Work| match &work.entry.operation {
        Operation::DocumentAdditionOrUpdate { method, skip_creation, .. } => Some((*method, *skip_creation)),
        _ => None,
    };
    one.entry.index_uid == other.entry.index_uid && shape(one) == shape(other)
}

#[cfg(test)]
mod tests;
