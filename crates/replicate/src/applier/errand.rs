//! What a node is given beside its part of the log: copies of documents, and what has to go.
//!
//! Only the node's applier sends it writes, so that it is known what comes before what. An errand is done between two
//! dispatches: everything before [`Window::next`](super::window::Window::next) is in the node's queue then, and nothing
//! behind it.

mod replay;

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use bytes::Bytes;
use http::Method;
use miroir_shard::{SlotSet, slots_filter};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Applier, error::ApplyError, starts::Starts};
use crate::{
    steps::{Content, Done as StepDone, Step, json_step},
    work::Work,
};

/// How many entries are looked through at the most while the log has to wait.
const SLICE: u32 = 512;

/// Something to be done on a node.
#[derive(Clone, Debug)]
pub(crate) enum Errand {
    /// Delete the documents of these slots from some indexes. Which ones was found out when the node had done everything before
    /// `since`: what was in one of them may be in another one now, if an entry came in since that exchanges them.
    Clear { indexes: BTreeSet<String>, slots: Arc<SlotSet>, since: u32 },
    /// Put documents that were read from another node, whose state was that of some position in the span.
    Put { index: String, documents: Bytes, span: Span },
    /// Do again what the log says of the slots, from where their copies were taken on. With `join` the slots are the node's
    /// own from the next entry on.
    Replay { starts: Arc<Starts>, from: u32, join: bool },
    /// The slots are not the node's own after all.
    Part { slots: Arc<SlotSet> },
    /// Mend documents, unless an entry that concerns their slot came in since they were compared.
    Mend { index: String, documents: Bytes, ids: Vec<String>, slots: Arc<SlotSet>, span: Span },
    /// Set what of the settings of an index is not as all entries before `since` have made it, unless one came in since that
    /// may have changed them.
    Settings { index: String, patch: Value, since: u32 },
}

/// Positions: a node's state was that of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Everything before it was there.
    pub(crate) first: u32,
    /// Nothing from it on was there.
    pub(crate) last: u32,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// The node's tasks for it.
    pub(crate) tasks: Vec<u32>,
    /// The position up to which the node has been sent everything.
    pub(crate) position: u32,
}

/// Why an errand was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ErrandError {
    /// These indexes were exchanged, renamed or deleted since: their copies mean nothing any more.
    #[error("indexes have become others: {0:?}")]
    Superseded(BTreeSet<String>),
    /// What was to be mended has been written since.
    #[error("it has been written since")]
    Written,
    /// The node did not take it, or not all of it.
    #[error("{0}")]
    Failed(String),
    /// Nobody sends this node anything.
    #[error("the node is not there any more")]
    Gone,
}

/// An errand and who waits for it.
#[derive(Debug)]
pub(crate) struct Ordered {
    pub(crate) errand: Errand,
    pub(crate) reply: oneshot::Sender<Result<Done, ErrandError>>,
}

enum Failure {
    Errand(ErrandError),
    Node(ApplyError),
}

// === impl Applier ===

impl Applier {
    /// Does what can be done now of what has been ordered.
    pub(super) async fn run_errands(&mut self) -> Result<(), ApplyError> {
        while let Ok(ordered) = self.orders.try_recv() {
            self.errands.push_back(ordered);
        }
        while let Some(ordered) = self.errands.front() {
            if ordered.reply.is_closed() {
                self.errands.pop_front();
                continue;
            }
            if !self.is_time_for(&ordered.errand) {
                return Ok(());
            }
            let Some(Ordered { errand, reply }) = self.errands.pop_front() else { return Ok(()) };
            let (answer, error) = match self.run_errand(errand).await {
                Ok(done) => (Ok(done), None),
                Err(Failure::Errand(error)) => (Err(error), None),
                Err(Failure::Node(error)) => (Err(ErrandError::Failed(error.to_string())), Some(error)),
            };
            // Whoever ordered it may have gone.
            let _ = reply.send(answer);
            if let Some(error) = error {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether something that was ordered can be done now.
    pub(super) fn has_errand_now(&self) -> bool {
        self.errands.front().is_some_and(|ordered| self.is_time_for(&ordered.errand))
    }

    /// An entry that went out alone may have to go out again, and what came behind it must not be there then. Copies are
    /// for a node that has been sent all that is in them. What an earlier try has sent is not sent again, so shards that
    /// joined before it would miss it.
    fn is_time_for(&self, errand: &Errand) -> bool {
        let needed = match errand {
            Errand::Put { span, .. } | Errand::Mend { span, .. } => span.last,
            Errand::Replay { starts, .. } => starts.until(),
            Errand::Settings { since, .. } => *since,
            _ => 0,
        };
        let next = self.window.next();
        !self.window.has_barrier() && next >= needed && !self.sender.is_known_beyond(next)
    }

    async fn run_errand(&mut self, errand: Errand) -> Result<Done, Failure> {
        let mut done = Done { tasks: Vec::new(), position: self.window.next() };
        match errand {
            Errand::Clear { indexes, slots, since } => {
                done.tasks = self.clear(indexes, &slots, since).await?
            }
            Errand::Put { index, documents, span } => {
                self.check_same(&index, span.first).await?;
                done.tasks.extend(self.send_step(&put_step(&index), Some(documents)).await?);
            }
            Errand::Replay { starts, from, join } => {
                let until = if join { done.position } else { done.position.min(from.saturating_add(SLICE)) };
                done.tasks = self.replay(&starts, from, until).await?;
                done.position = until.max(from);
                if join {
                    self.share.join(done.position, starts.slots().clone());
                }
            }
            Errand::Part { slots } => self.share.part(&slots),
            Errand::Mend { index, documents, ids, slots, span } => {
                self.check_same(&index, span.first).await?;
                if self.is_written(&index, &slots, span).await? {
                    return Err(ErrandError::Written.into());
                }
                if !ids.is_empty() {
                    let path = format!("/indexes/{index}/documents/delete-batch");
                    let step = json_step(Method::POST, path, Some(json!(ids)), None);
                    done.tasks.extend(self.send_step(&step, None).await?);
                }
                if !documents.is_empty() {
                    done.tasks.extend(self.send_step(&put_step(&index), Some(documents)).await?);
                }
            }
            Errand::Settings { index, patch, since } => {
                if self.may_change_settings(since..done.position).await? {
                    return Err(ErrandError::Written.into());
                }
                let step = json_step(Method::PATCH, format!("/indexes/{index}/settings"), Some(patch), None);
                done.tasks.extend(self.send_step(&step, None).await?);
            }
        }
        Ok(done)
    }

    async fn clear(
        &mut self,
        mut indexes: BTreeSet<String>,
        slots: &SlotSet,
        since: u32,
    ) -> Result<Vec<u32>, Failure> {
        self.exchanges.learn(&*self.shared.log, since).await.map_err(ApplyError::from)?;
        indexes.extend(self.exchanges.since(since).map(str::to_owned));
        let filter = slots_filter(slots, self.share.at(0).code_bits);
        let mut tasks = Vec::new();
        for index in indexes {
            tasks.extend(self.send_step(&clear_step(&index, &filter), None).await?);
        }
        Ok(tasks)
    }

    /// Whether any of these entries is about more than documents.
    async fn may_change_settings(&self, range: Range<u32>) -> Result<bool, Failure> {
        let mut any = false;
        let look = |work: &Work| any |= work.prepared.is_sent() && !work.entry.operation.is_about_documents();
        Work::look_through(&*self.shared.log, range, look).await.map_err(ApplyError::from)?;
        Ok(any)
    }

    /// Nothing has made another index of this one from the entry `from` on.
    async fn check_same(&mut self, index: &str, from: u32) -> Result<(), Failure> {
        self.exchanges.learn(&*self.shared.log, from).await.map_err(ApplyError::from)?;
        match self.exchanges.last(index) {
            Some(uid) if uid >= from => Err(ErrandError::Superseded([index.to_owned()].into()).into()),
            _ => Ok(()),
        }
    }

    /// Whether the node has been sent anything for these slots since.
    async fn is_written(&mut self, index: &str, slots: &Arc<SlotSet>, span: Span) -> Result<bool, Failure> {
        let mut next = span.first;
        while next < self.window.next() {
            let works =
                Work::read(&*self.shared.log, next, SLICE as usize).await.map_err(ApplyError::from)?;
            let Some(last) = works.last().map(Work::uid) else { return Ok(true) };
            for work in works.iter().filter(|work| work.uid() < self.window.next()) {
                if self.shared.payloads.concerns(work, index, slots).await.map_err(ApplyError::from)? {
                    return Ok(true);
                }
            }
            next = last + 1;
        }
        Ok(false)
    }

    /// Sends one request; what the node refuses because the index is not there has nothing to be done.
    async fn send_step(&mut self, step: &Step, documents: Option<Bytes>) -> Result<Option<u32>, Failure> {
        let task = self.carrier.send_alone(step, documents).await.map_err(Failure::Node)?;
        if let Some(uid) = task.uid {
            self.tasks.has_given(uid);
            return Ok(Some(uid));
        }
        match task.error() {
            Some(error) if error.code_name() != "index_not_found" => {
                Err(ErrandError::Failed(error.to_string()).into())
            }
            _ => Ok(None),
        }
    }
}

fn clear_step(index: &str, filter: &str) -> Step {
    let path = format!("/indexes/{index}/documents/delete");
    json_step(Method::POST, path, Some(json!({ "filter": filter })), None)
}

fn put_step(index: &str) -> Step {
    let path = format!("/indexes/{index}/documents");
    Step {
        method: Method::POST,
        path,
        content: Content::Documents,
        done: StepDone::Succeeded,
        found_as: None,
        is_for_retries: false,
    }
}

impl From<ErrandError> for Failure {
    fn from(error: ErrandError) -> Self {
        Self::Errand(error)
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        Self::Node(error)
    }
}

#[cfg(test)]
mod tests;
