//! One node's part of the log, sent in order.
//!
//! An applier takes decided entries from the log, sends its node what concerns it, and follows the node's tasks. Several
//! dispatches are under way at once: the node queues them in the order they arrive, so order holds. A node that is down
//! or slow holds up its own applier and nobody else.

mod dispatch;
mod errand;
mod error;
mod exchanges;
mod fill;
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
    error::ApplyError,
    exchanges::Exchanges,
    firsts::Firsts,
    node_tasks::Queue,
    pace::{Backoff, Poll, Rest},
    share::Share,
    window::{Window, flows},
};
use crate::{
    failures::Failures, payloads::Payloads, progress::Progress, release::Release, topology::CurrentTopology,
    work::Work,
};

/// How long the node may take to show that its data are what they were.
const LOOK: Duration = Duration::from_secs(5);

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
}
