//! What the log says of shards is done again on a node that is given them.

use std::{collections::BTreeSet, sync::Arc};

use miroir_protocol::error::Code;
use miroir_shard::SlotSet;

use super::{
    super::{
        Applier,
        dispatch::NodeTask,
        error::ApplyError,
        share::Owned,
        starts::Starts,
        window::{GROUPED, GROUPED_BYTES, is_addition, is_alike},
    },
    ErrandError, Failure, SLICE,
};
use crate::{steps::document_steps, work::Work};

// === impl Applier ===

impl Applier {
    pub(super) async fn replay(
        &mut self,
        starts: &Starts,
        from: u32,
        until: u32,
    ) -> Result<Vec<u32>, Failure> {
        self.exchanges.learn(&*self.shared.log, starts.first()).await.map_err(ApplyError::from)?;
        // All of them, as each time that copies are made anew others may become others.
        let others = self.exchanges.iter().filter(|(index, uid)| *uid >= starts.of_index(index));
        let others: BTreeSet<String> = others.map(|(index, _)| index.to_owned()).collect();
        if !others.is_empty() {
            return Err(ErrandError::Superseded(others).into());
        }
        let mut tasks = Vec::new();
        let mut next = from;
        while next < until {
            let mut works =
                Work::read(&*self.shared.log, next, SLICE as usize).await.map_err(ApplyError::from)?;
            works.retain(|work| work.uid() < until);
            let Some(last) = works.last().map(Work::uid) else { break };
            let mut rest = &works[..];
            while let Some(first) = rest.first() {
                let slots = starts.at(first.entry.index_uid.as_deref().unwrap_or_default(), first.uid());
                let is_whole = Arc::ptr_eq(&slots, starts.slots());
                let taken = if is_whole { together(rest) } else { 1 };
                tasks.extend(self.replay_group(&rest[..taken], slots).await?);
                rest = &rest[taken..];
            }
            next = last + 1;
        }
        Ok(tasks)
    }

    async fn replay_group(&mut self, group: &[Work], slots: Arc<SlotSet>) -> Result<Vec<u32>, Failure> {
        let code_bits = self.share.at(0).code_bits;
        let owned = Owned { slots: slots.clone(), among_others: true, code_bits };
        let steps = if slots.is_empty() { Vec::new() } else { document_steps(&group[0], &owned) };
        let sent = self.carrier.send(group, &steps, &slots, code_bits, &mut self.firsts).await;
        let tasks = sent.map_err(Failure::Node)?;
        // The copy's node may have had these documents before they were lost.
        if let Some(index) = group[0].entry.index_uid.as_ref().filter(|_| tasks.iter().any(is_lost)) {
            return Err(ErrandError::Superseded([index.clone()].into()).into());
        }
        let given: Vec<u32> = tasks.iter().filter_map(|task| task.uid).collect();
        given.iter().for_each(|uid| self.tasks.has_given(*uid));
        Ok(given)
    }
}

/// Whether the documents were lost on the gateway's disk.
fn is_lost(task: &NodeTask) -> bool {
    task.error().and_then(|error| error.code()) == Some(Code::MiroirPayloadLost)
}

/// How many entries from the first on are documents for the same index, and few enough to go out together.
fn together(works: &[Work]) -> usize {
    let mut bytes = 0;
    let alike = works.iter().take(GROUPED).take_while(|work| {
        bytes += work.bytes();
        bytes <= GROUPED_BYTES && is_addition(work) && is_alike(&works[0], work)
    });
    alike.count().max(1)
}
