//! What came of the requests a node was sent: the node's tasks are looked at, and its position moves.

use std::collections::BTreeMap;

use super::{
    Applier,
    dispatch::{Dispatch, Report},
    error::ApplyError,
    window::Verdict,
};

// === impl Applier ===

impl Applier {
    /// Looks whether what was sent first is done, and once it is, at all that was; true where something has ended.
    pub(super) async fn follow(&mut self) -> Result<bool, ApplyError> {
        if !self.look_at(self.window.first_open_tasks()).await? {
            return Ok(false);
        }
        self.look_at(self.window.open_tasks()).await?;
        Ok(true)
    }

    async fn look_at(&mut self, open: Vec<u32>) -> Result<bool, ApplyError> {
        if open.is_empty() {
            return Ok(false);
        }
        let asked: Vec<u32> = open.iter().copied().chain(self.unsettled).collect();
        let reports = self.tasks.look(&asked).await?;
        self.unsettled = self.unsettled.filter(|uid| reports.get(uid) == Some(&Report::Open));
        if let Some(uid) = open.iter().find(|uid| !reports.contains_key(uid)) {
            return Err(ApplyError::Forgotten(self.window.entry_of(*uid)));
        }
        let mut any = false;
        for (uid, report) in reports.into_iter().filter(|(_, report)| *report != Report::Open) {
            self.node.health().has_ended(uid);
            let report = self.made_of(uid, report).await?;
            self.window.end(uid, report);
            any = true;
        }
        Ok(any)
    }

    /// What came of a task that has ended: the node's word, but for a swap.
    async fn made_of(&self, uid: u32, told: Report) -> Result<Report, ApplyError> {
        let Some(exchange) = self.window.exchange(uid) else { return Ok(told) };
        let name = self.tasks.index_of(exchange.before).await?;
        Ok(name.map_or(told.clone(), |name| exchange.report(told, &name)))
    }

    /// Takes dispatches that have ended off the front: moves the node's position, or sends again what has to be.
    pub(super) async fn take_ended(&mut self) -> Result<(), ApplyError> {
        let before = self.window.done();
        let mut verdict = Verdict::Stands;
        while self.window.ended().is_some() {
            verdict = self.window.judge();
            if verdict != Verdict::Stands {
                break;
            }
            let Some(dispatch) = self.window.pop() else { break };
            dispatch.tasks.iter().filter_map(|task| task.uid).for_each(|uid| self.firsts.has_ended(uid));
            if let Some(error) = dispatch.error() {
                tracing::info!(node = self.node.name(), %error, entry = dispatch.first, "not applied");
                self.shared.failures.record(dispatch.first, error).await?;
            }
            if let Some(counted) = dispatch.counted() {
                self.shared.progress.count(self.node.name(), dispatch.last, counted);
            }
            self.window.set_done(dispatch.last + 1);
            self.shared.progress.move_to(self.node.name(), dispatch.last + 1);
        }
        if self.window.done() > before {
            self.shared.progress.set_stuck(self.node.name(), false);
            self.record().await?;
        }
        if verdict == Verdict::Stands { Ok(()) } else { self.again(verdict) }
    }

    /// Tells the log how far the node is.
    async fn record(&mut self) -> Result<(), ApplyError> {
        let (done, ended) = (self.window.done(), self.node.health().newest_ended());
        self.shared.log.advance(self.node.name(), done - 1, ended).await?;
        self.recorded = done;
        Ok(())
    }

    /// Makes sure that nothing before what is sent next is ever sent again. What comes next has requests without a tag, which
    /// nobody recognises among the node's tasks: then it is the only such entry that may be sent a second time, and nothing
    /// has come behind it.
    pub(super) async fn settle(&mut self) -> Result<(), ApplyError> {
        if self.recorded < self.window.done() {
            self.record().await?;
        }
        Ok(self.shared.log.settle().await?)
    }

    /// A dispatch that failed as a whole changed nothing on the node. It is sent again, and so is everything that went
    /// out behind it, see [`window`](super::window).
    fn again(&mut self, verdict: Verdict) -> Result<(), ApplyError> {
        let error =
            self.window.ended().and_then(Dispatch::error).map(ToString::to_string).unwrap_or_default();
        self.tasks.disregard(self.window.newest_task());
        self.unsettled = self.window.open_tasks().into_iter().max().or(self.unsettled);
        self.sender.begin(BTreeMap::new());
        self.restart();
        if verdict == Verdict::Later {
            return Err(ApplyError::Trouble(error));
        }
        tracing::debug!(
            node = self.node.name(),
            error,
            entry = self.window.done(),
            "sent again, more carefully"
        );
        Ok(())
    }
}
