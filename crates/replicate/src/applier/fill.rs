//! What is decided goes out, as much as there is room for.

use miroir_log::LogError;
use tokio::time::Instant;

use super::{
    Applier,
    dispatch::{Dispatch, Exchange},
    error::ApplyError,
    exchanges::exchanged,
    window::flows,
};
use crate::{
    counts::are_counted,
    steps::{Step, steps},
    work::Work,
};

/// How many entries are read ahead.
const READ_AHEAD: usize = 256;
/// How many bytes of payloads are released at once, or one payload.
const RELEASED_BYTES: u64 = 8 << 20;

/// How far an applier got in sending what is decided.
pub(super) struct Filled {
    /// Whether anything was sent.
    pub(super) sent: bool,
    /// Whether nothing is left to send.
    pub(super) all: bool,
}

// === impl Applier ===

impl Applier {
    /// Sends what is decided, while there is room and it is not time to look at the node's tasks.
    pub(super) async fn fill(&mut self, until: Instant) -> Result<Filled, ApplyError> {
        let mut sent = false;
        let decided = self.shared.progress.prepared().get();
        if self.rest.holds(self.window.next(), decided, self.window.is_empty()) {
            return Ok(Filled { sent, all: false });
        }
        loop {
            let next = self.window.next();
            if next >= self.shared.progress.prepared().get() {
                self.shared.release.wants_more();
                return Ok(Filled { sent, all: true });
            }
            if !self.window.has_room() || (sent && Instant::now() >= until) {
                return Ok(Filled { sent, all: false });
            }
            self.read_ahead(next).await?;
            if self.window.must_wait(&self.ahead[0]) || self.firsts.must_wait(self.window.is_empty()) {
                return Ok(Filled { sent, all: false });
            }
            let accepted_last = self.sender.accepted_range(next);
            if let Some(last) = accepted_last {
                self.read_ahead_to(last).await?;
            }
            let taken = self.window.group(&self.ahead, accepted_last);
            let end = self.share.next_change(next).min(self.sender.next_accepted(next));
            let taken = taken.min((end - next) as usize).max(1);
            let group: Vec<Work> = self.ahead.drain(..taken).collect();
            self.dispatch(&group).await?;
            sent = true;
        }
    }

    /// Makes sure that the entry `next` has been read, with some behind it.
    async fn read_ahead(&mut self, next: u32) -> Result<(), ApplyError> {
        while self.ahead.is_empty() {
            let generation = self.shared.release.generation();
            let mut works = Work::read(&*self.shared.log, next, READ_AHEAD).await?;
            let wanted = next + wanted_at_once(&works);
            if let Some(position) = self.shared.release.reach(wanted, generation).await? {
                works.retain(|work| work.uid() < position);
                self.ahead = works;
                break;
            }
        }
        if self.ahead.first().map(Work::uid) == Some(next) {
            return Ok(());
        }
        Err(LogError::Damaged(format!("entry {next} is not where it should be")).into())
    }

    /// Makes sure that everything up to `last` has been read: it went out together, so it must stay together.
    async fn read_ahead_to(&mut self, last: u32) -> Result<(), ApplyError> {
        while let Some(newest) = self.ahead.last().map(Work::uid).filter(|newest| *newest < last) {
            let more = Work::read(&*self.shared.log, newest + 1, READ_AHEAD).await?;
            if more.is_empty() {
                return Ok(());
            }
            self.ahead.extend(more);
        }
        Ok(())
    }

    async fn dispatch(&mut self, group: &[Work]) -> Result<(), ApplyError> {
        if !self.node.health().is_trusted() {
            return Err(ApplyError::Trouble("its data are not known to be what they were".to_owned()));
        }
        let (first, last) = (&group[0], &group[group.len() - 1]);
        let owned = self.share.at(first.uid());
        let steps = steps(&first.entry, &first.prepared, &owned);
        if !steps.iter().all(Step::is_tagged) {
            self.settle().await?;
        }
        self.shared.progress.sends(self.node.name(), last.uid() + 1);
        self.exchanges.note(first);
        exchanged(first).into_iter().for_each(|index| self.firsts.forget_index(index));
        let sent = self.sender.send(group, &steps, &owned.slots, owned.code_bits, &mut self.firsts).await;
        let tasks = sent?;
        tasks.iter().filter_map(|task| task.uid).for_each(|uid| self.tasks.has_given(uid));
        if !tasks.is_empty() {
            self.rest.sends(flows(first).then(|| group.iter().map(Work::bytes).sum()));
        }
        let exchange = Exchange::of(&steps, &tasks);
        let dispatch = Dispatch { exchange, ..Dispatch::new(first.uid(), last.uid(), tasks, !flows(first)) };
        let (alone, judged) = (dispatch.alone && self.unsettled.is_none(), last.uid() < self.judged);
        let counts = are_counted(&first.entry.operation).then_some(owned.slots);
        self.window.push(Dispatch { alone, judged, counts, ..dispatch });
        Ok(())
    }
}

/// How many of these entries are released together: what is not can be canceled.
fn wanted_at_once(works: &[Work]) -> u32 {
    let mut bytes = 0;
    let wanted = works.iter().take_while(|work| {
        let before = bytes;
        bytes += work.bytes();
        before < RELEASED_BYTES
    });
    wanted.map(|_| 1).sum()
}
