//! One node's part of the log, sent in order.
//!
//! An applier takes decided entries from the log, sends its node what concerns it, and follows the node's tasks. Several
//! dispatches are under way at once: the node queues them in the order they arrive, so order holds. A node that is down
//! or slow holds up its own applier and nobody else.

mod node_tasks;
mod send;
mod window;

use std::{sync::Arc, time::Duration};

use miroir_log::{Log, LogError};
use miroir_nodes::{Node, NodeError};
use miroir_shard::SlotSet;
use thiserror::Error;

use self::{
    node_tasks::{NodeTasks, Report},
    send::Sender,
    window::{Dispatch, Window},
};
use crate::{
    payloads::Payloads, progress::Progress, steps::steps, topology::CurrentTopology, work::Work,
};

/// How many entries are read ahead.
const READ_AHEAD: usize = 256;
/// How soon a node's tasks are looked at after a dispatch or a success, and how slowly while nothing happens.
const FIRST_POLL: Duration = Duration::from_millis(3);
const SLOWEST_POLL: Duration = Duration::from_millis(40);
/// How long a failing node is left alone, doubled up to the longest.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const SLOWEST_RETRY: Duration = Duration::from_secs(2);
/// How often a node's own trouble (disk, memory, a panic) may fail a dispatch before the task gets that error.
const NODE_TROUBLE_RETRIES: u32 = 5;

/// Why a turn of an applier ended early. Nothing is lost: it starts again from what the node says.
#[derive(Debug, Error)]
pub(crate) enum ApplyError {
    /// The node gave no answer.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The node cannot take writes now.
    #[error("the node answered {status}: {message}")]
    Unwilling {
        /// Its status.
        status: http::StatusCode,
        /// Its words.
        message: String,
    },
    /// The node has forgotten tasks it accepted.
    #[error("the node does not know the tasks of entry {0} any more")]
    Forgotten(u32),
    /// The log or a payload cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Sends one node its part of the log.
pub(crate) struct Applier {
    log: Arc<dyn Log>,
    progress: Arc<Progress>,
    topology: CurrentTopology,
    node: Node,
    tasks: NodeTasks,
    sender: Sender,
    window: Window,
}

impl Applier {
    pub(crate) fn new(
        log: Arc<dyn Log>,
        progress: Arc<Progress>,
        payloads: Arc<Payloads>,
        topology: CurrentTopology,
        node: Node,
    ) -> Self {
        let window = Window::new(progress.applied(node.name()));
        let tasks = NodeTasks::new(node.clone(), log.id().to_owned());
        let sender = Sender::new(node.clone(), payloads, log.id().to_owned());
        Self { log, progress, topology, node, tasks, sender, window }
    }

    /// Applies until the log is closed.
    pub(crate) async fn run(mut self) {
        let mut retry = FIRST_RETRY;
        loop {
            match self.apply().await {
                Ok(()) | Err(ApplyError::Log(LogError::Closed)) => return,
                Err(error) => {
                    let node = self.node.name();
                    tracing::warn!(node, %error, entry = self.window.done(), "node is not applying, trying again");
                }
            }
            if self.window.take_moved() {
                retry = FIRST_RETRY;
            }
            tokio::time::sleep(retry).await;
            retry = (retry * 2).min(SLOWEST_RETRY);
        }
    }

    /// Starts from what the node says it has accepted, then sends and follows until something fails.
    async fn apply(&mut self) -> Result<(), ApplyError> {
        self.window.restart();
        self.sender.accepted = self.tasks.accepted(self.window.done()).await?;
        let mut prepared = self.progress.prepared();
        let mut poll = FIRST_POLL;
        loop {
            if self.fill().await? {
                poll = FIRST_POLL;
            }
            self.report_done().await?;
            if self.window.is_empty() {
                let next = self.window.next();
                if prepared.wait_for(|prepared| *prepared > next).await.is_err() {
                    return Ok(());
                }
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(poll) => {}
                _ = prepared.wait_for(|prepared| *prepared > self.window.next()), if self.window.has_room() && !self.window.is_waiting() => continue,
            }
            poll = if self.follow().await? { FIRST_POLL } else { (poll * 2).min(SLOWEST_POLL) };
            self.report_done().await?;
        }
    }

    /// Sends what is decided while there is room; false where nothing was sent.
    async fn fill(&mut self) -> Result<bool, ApplyError> {
        let mut sent = false;
        while self.window.has_room() && self.window.next() < *self.progress.prepared().borrow() {
            let works = Work::read(&*self.log, self.window.next(), READ_AHEAD).await?;
            if works.is_empty() {
                break;
            }
            let slots = Arc::new(self.slots());
            let mut rest = works.as_slice();
            while !rest.is_empty() && self.window.has_room() {
                if self.window.must_wait(&rest[0]) {
                    return Ok(sent);
                }
                let taken = self.window.group(rest, self.sender.accepted_range(rest[0].uid()));
                let (group, others) = rest.split_at(taken);
                self.dispatch(group, &slots).await?;
                rest = others;
                sent = true;
            }
        }
        Ok(sent)
    }

    async fn dispatch(&mut self, group: &[Work], slots: &Arc<SlotSet>) -> Result<(), ApplyError> {
        let (first, last) = (&group[0], &group[group.len() - 1]);
        let steps = steps(&first.entry, &first.prepared, slots);
        let code_bits = self.topology.load().map.code_bits();
        let tasks = self.sender.send(group, &steps, slots, code_bits).await?;
        self.window.push(Dispatch { first: first.uid(), last: last.uid(), tasks });
        Ok(())
    }

    /// The slots whose writes go to this node.
    fn slots(&self) -> SlotSet {
        let topology = self.topology.load();
        topology.map.node_id(self.node.name()).map_or_else(SlotSet::new, |id| topology.map.written_slots(id))
    }

    /// Looks at the node's tasks; true where one has ended.
    async fn follow(&mut self) -> Result<bool, ApplyError> {
        let open = self.window.open_tasks();
        if open.is_empty() {
            return Ok(false);
        }
        let reports = self.tasks.look(&open).await?;
        if let Some(uid) = open.iter().find(|uid| !reports.contains_key(uid)) {
            return Err(ApplyError::Forgotten(self.window.entry_of(*uid)));
        }
        let ended: Vec<_> = reports.into_iter().filter(|(_, report)| *report != Report::Open).collect();
        let any = !ended.is_empty();
        for (uid, report) in ended {
            self.window.end(uid, report);
        }
        Ok(any)
    }

    /// Takes finished dispatches off the front: moves the node's position, or sends again what has to be.
    async fn report_done(&mut self) -> Result<(), ApplyError> {
        let mut moved = false;
        while let Some(dispatch) = self.window.pop_done() {
            if dispatch.is_trouble_of_node() && self.window.trouble(dispatch.first) <= NODE_TROUBLE_RETRIES {
                return Err(self.again(&dispatch));
            }
            if dispatch.first < dispatch.last && dispatch.error().is_some() {
                self.window.alone_until(dispatch.last);
                return Err(self.again(&dispatch));
            }
            self.progress.report(self.node.name(), dispatch.last + 1, dispatch.results());
            self.window.set_done(dispatch.last + 1);
            moved = true;
        }
        if moved {
            self.log.advance(self.node.name(), self.window.done() - 1).await?;
        }
        Ok(())
    }

    /// A dispatch that failed as a whole changed nothing on the node. It is sent again, and so is everything that went
    /// out behind it: puts and deletes by id, replayed in log order, end where they would have ended. What is not so
    /// ([`Window::must_wait`]) is never sent behind something open.
    fn again(&mut self, dispatch: &Dispatch) -> ApplyError {
        self.tasks.disregard(self.window.dispatches().chain([dispatch]));
        let message = dispatch.error().map(|error| error.to_string()).unwrap_or_default();
        ApplyError::Unwilling { status: http::StatusCode::INTERNAL_SERVER_ERROR, message }
    }
}
