//! What only a node could find wrong with a write.
//!
//! Its task fails. What other nodes have done of it stays, but copies of one shard must not differ in that: the write is kept
//! in mind, over restarts too, until the mover has compared the copies of all that it is about.

use std::sync::Arc;

use miroir_log::{Log, LogError, Operation, RecordKind, Selection};
use miroir_protocol::error::ResponseError;
use miroir_shard::{Slot, SlotSet};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::{
    edition::in_the_clients_lines, payloads::Payloads, prepared::Prepared, progress::Progress, work::Work,
};

/// Records with an entry's decision why its task will fail. It outlives the gateway: a node that is past the entry is not
/// asked about it again.
pub(crate) struct Failures {
    log: Arc<dyn Log>,
    progress: Arc<Progress>,
    payloads: Arc<Payloads>,
    /// Appliers change the same decision one after another.
    turn: Mutex<()>,
}

/// What a write that failed is about.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Failed {
    /// The index, by its name then.
    pub(crate) index: String,
    /// The slots of its documents; none where that may be all.
    pub(crate) slots: Option<Vec<u16>>,
}

// === impl Failed ===

impl Failed {
    /// The slots of its documents.
    pub(crate) fn slots(&self) -> SlotSet {
        match &self.slots {
            Some(slots) => slots.iter().filter_map(|slot| Slot::new(*slot)).collect(),
            None => Slot::all().collect(),
        }
    }
}

// === impl Failures ===

impl Failures {
    pub(crate) fn new(log: Arc<dyn Log>, progress: Arc<Progress>, payloads: Arc<Payloads>) -> Self {
        Self { log, progress, payloads, turn: Mutex::new(()) }
    }

    /// The task of the entry will fail with this error, unless it has ended already: a copy that lags behind changes
    /// nothing any more. Where several nodes fail, the first one is heard.
    pub(crate) async fn record(&self, uid: u32, error: &ResponseError) -> Result<(), LogError> {
        let _turn = self.turn.lock().await;
        let Some(work) = Work::read(&*self.log, uid, 1).await?.pop() else { return Ok(()) };
        let Prepared::Apply(effect) = &*work.prepared else { return Ok(()) };
        self.keep_in_mind(&work).await?;
        if effect.failure.is_some() {
            return Ok(());
        }
        let mut effect = effect.clone();
        effect.failure = Some(match work.entry.operation {
            Operation::DocumentEdition { .. } => in_the_clients_lines(error.clone()),
            _ => error.clone(),
        });
        let decision = serde_json::to_value(Prepared::Apply(effect))?;
        match self.log.record_prepared(vec![(uid, decision)]).await {
            Err(LogError::AlreadyFinished(_)) => Ok(()),
            recorded => recorded,
        }
    }

    /// Has the copies of what the write is about compared. Settings are looked at after every change all the same.
    async fn keep_in_mind(&self, work: &Work) -> Result<(), LogError> {
        let slots = match &work.entry.operation {
            Operation::DocumentAdditionOrUpdate { .. } => match self.payloads.slots(work).await {
                Err(error) if error.is_lost_payload() => None,
                slots => Some(slots?),
            },
            Operation::DocumentDeletion { selection: Selection::ByIds { ids } } => {
                Some(ids.iter().map(|id| Slot::of(id)).collect::<SlotSet>())
            }
            Operation::DocumentDeletion { .. } | Operation::DocumentEdition { .. } => None,
            _ => return Ok(()),
        };
        let Some(index) = work.entry.index_uid.clone() else { return Ok(()) };
        let slots = slots.map(|slots| slots.iter().map(Slot::index).collect());
        let failed = serde_json::to_value(Failed { index, slots })?;
        self.log.put_record(RecordKind::Failure, &work.uid().to_string(), failed).await?;
        self.progress.note_failure();
        Ok(())
    }
}
