//! One node's part of the log, sent in order.
//!
//! An applier takes decided entries from the log, sends its node what concerns it, and follows the node's tasks. Several
//! dispatches are under way at once: the node queues them in the order they arrive, so order holds. A node that is down
//! or slow holds up its own applier and nobody else.

mod dispatch;
mod errand;
mod error;
mod exchanges;
mod firsts;
mod follow;
mod known;
mod lacking;
mod node_tasks;
mod pace;
mod request;
mod send;
mod share;
mod starts;
mod window;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use miroir_log::{Log, LogError};
use miroir_nodes::Node;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

pub(crate) use self::{
    dispatch::{Blame, Report},
    errand::{Done, Errand, ErrandError, Ordered, Span},
    exchanges::exchanged,
    node_tasks::NodeTasks,
    send::Sender,
    share::Owned,
    starts::Starts,
};
use self::{
    dispatch::{Dispatch, Exchange},
    error::ApplyError,
    exchanges::Exchanges,
    firsts::Firsts,
    node_tasks::Queue,
    pace::{Backoff, Poll, Rest},
    share::Share,
    window::{Window, flows},
};
use crate::{
    counts::are_counted,
    failures::Failures,
    payloads::Payloads,
    progress::Progress,
    release::Release,
    steps::{Step, steps},
    topology::CurrentTopology,
    work::Work,
};

/// How long the node may take to show that its data are what they were.
const LOOK: Duration = Duration::from_secs(5);
/// How many entries are read ahead.
const READ_AHEAD: usize = 256;
/// How many bytes of payloads are released at once, or one payload.
const RELEASED_BYTES: u64 = 8 << 20;

/// What all appliers have in common.
pub(crate) struct Shared {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) release: Arc<Release>,
    pub(crate) payloads: Arc<Payloads>,
    pub(crate) failures: Arc<Failures>,
    pub(crate) topology: CurrentTopology,
}

/// Sends one node its part of the log.
pub(crate) struct Applier {
    shared: Shared,
    node: Node,
    tasks: NodeTasks,
    sender: Sender,
    /// Sends what is not the node's part of the log.
    carrier: Sender,
    /// What has been ordered, and what of it waits for its time.
    orders: mpsc::Receiver<Ordered>,
    errands: VecDeque<Ordered>,
    exchanges: Exchanges,
    share: Share,
    window: Window,
    firsts: Firsts,
    rest: Rest,
    /// A task of the node that was open when what is under way was begun anew: as long as it is, the node may do together
    /// with it what is sent alone now.
    unsettled: Option<u32>,
    /// What came of entries before this one stands.
    judged: u32,
    /// The position that the log knows the node to have reached.
    recorded: u32,
    /// Entries read from the log, from the next one on.
    ahead: Vec<Work>,
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

/// How far an applier got in sending what is decided.
struct Filled {
    /// Whether anything was sent.
    sent: bool,
    /// Whether nothing is left to send.
    all: bool,
}

// === impl Applier ===

impl Applier {
    pub(crate) fn new(shared: Shared, node: Node, orders: mpsc::Receiver<Ordered>) -> Self {
        let position = shared.progress.applied(node.name());
        let id = shared.log.id();
        let tasks = NodeTasks::new(node.clone(), id.to_owned());
        let sender = Sender::new(node.clone(), shared.payloads.clone(), id.to_owned());
        let carrier = Sender::new(node.clone(), shared.payloads.clone(), format!("{id}.moved"));
        let share = Share::new(node.name(), shared.topology.clone());
        Self {
            shared,
            node,
            tasks,
            sender,
            carrier,
            orders,
            errands: VecDeque::new(),
            exchanges: Exchanges::before(position),
            share,
            window: Window::new(position),
            firsts: Firsts::default(),
            rest: Rest::default(),
            unsettled: None,
            judged: 0,
            recorded: position,
            ahead: Vec::new(),
        }
    }

    /// Applies until the log is closed.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let before = self.window.done();
            let Err(error) = self.apply().await;
            if matches!(error, ApplyError::Log(LogError::Closed)) {
                return;
            }
            if self.window.done() > before {
                backoff = Backoff::default();
            }
            let (node, entry) = (self.node.name(), self.window.done());
            if backoff.is_fresh() {
                tracing::warn!(node, %error, entry, "node is not applying, trying again");
            } else {
                tracing::debug!(node, %error, entry, "node is still not applying");
            }
            let wait = backoff.next();
            self.shared.progress.set_stuck(self.node.name(), backoff.is_long());
            tokio::time::sleep(wait).await;
        }
    }

    /// Starts from what the node says it has accepted, then sends and follows until something fails.
    async fn apply(&mut self) -> Result<std::convert::Infallible, ApplyError> {
        self.restart();
        if !self.node.health().is_trusted() && !miroir_nodes::probe(&self.node, LOOK).await {
            return Err(ApplyError::Trouble("its data are not known to be what they were".to_owned()));
        }
        let Queue { accepted, open, foreign } = self.tasks.queue(self.window.done()).await?;
        let own = known::of_this_log(&*self.shared.log, accepted).await?;
        known::tell(self.node.name(), &own, foreign && self.window.done() == 0);
        let accepted = own.tasks;
        self.unsettled = open;
        self.judged = self.judged(accepted.keys().map(|tag| tag.first).max()).await?;
        let sent = accepted.keys().map(|tag| tag.last + 1).max().unwrap_or(0);
        self.shared.progress.knows_sent(self.node.name(), sent.max(self.window.done()));
        self.sender.begin(accepted);
        let progress = self.shared.progress.clone();
        let mut poll = Poll::new();
        loop {
            self.run_errands().await?;
            let idle = self.window.is_empty();
            let filled = self.fill(poll.next()).await?;
            if filled.sent && idle {
                poll.begins();
            }
            self.take_ended().await?;
            let more = progress.prepared().pass(self.window.next());
            if !self.window.is_empty() {
                tokio::select! {
                    // Under load it is always time to look, and there is always more.
                    biased;
                    Some(ordered) = self.orders.recv() => {
                        self.errands.push_back(ordered);
                        continue;
                    }
                    () = sleep_until(poll.next()) => {}
                    () = more, if filled.all => continue,
                }
                let ended = self.follow().await?;
                poll.looked(ended);
                self.take_ended().await?;
            } else if filled.all {
                self.shared.progress.set_stuck(self.node.name(), false);
                // What had to wait for what has just ended, or just gone out, waits no longer.
                if self.has_errand_now() {
                    continue;
                }
                tokio::select! {
                    biased;
                    Some(ordered) = self.orders.recv() => self.errands.push_back(ordered),
                    () = more => {}
                }
                poll = Poll::new();
            } else if let Some(until) = self.rest.until() {
                self.pause(until).await;
                poll = Poll::new();
            }
        }
    }

    /// Leaves the node alone until then, unless something else is ordered, or more has been decided: many do not wait.
    async fn pause(&mut self, until: Instant) {
        let prepared = self.shared.progress.prepared();
        tokio::select! {
            biased;
            Some(ordered) = self.orders.recv() => self.errands.push_back(ordered),
            () = sleep_until(until) => {}
            () = prepared.pass(prepared.get()) => {}
        }
    }

    /// The last entry up to this one that has waited until all before it had been judged.
    async fn judged(&self, reached: Option<u32>) -> Result<u32, ApplyError> {
        let range = self.window.done()..reached.map_or(0, |reached| reached + 1);
        let mut judged = 0;
        let look = |work: &Work| {
            if !flows(work) {
                judged = work.uid();
            }
        };
        Work::look_through(&*self.shared.log, range, look).await?;
        Ok(judged)
    }

    fn restart(&mut self) {
        self.window.restart();
        self.firsts.forget();
        self.rest = Rest::default();
        self.ahead.clear();
    }

    /// Sends what is decided, while there is room and it is not time to look at the node's tasks.
    async fn fill(&mut self, until: Instant) -> Result<Filled, ApplyError> {
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
