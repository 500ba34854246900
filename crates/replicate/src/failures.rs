//! What only a node could find wrong with a write.

use std::sync::Arc;

use miroir_log::{Log, LogError, Operation};
use miroir_protocol::error::ResponseError;
use tokio::sync::Mutex;

use crate::{edition::in_the_clients_lines, prepared::Prepared, work::Work};

/// Records with an entry's decision why its task will fail. It outlives the gateway: a node that is past the entry is not
/// asked about it again.
pub(crate) struct Failures {
    log: Arc<dyn Log>,
    /// Appliers change the same decision one after another.
    turn: Mutex<()>,
}

impl Failures {
    pub(crate) fn new(log: Arc<dyn Log>) -> Self {
        Self { log, turn: Mutex::new(()) }
    }

    /// The task of the entry will fail with this error, unless it has ended already: a copy that lags behind changes
    /// nothing any more. Where several nodes fail, the first one is heard.
    pub(crate) async fn record(&self, uid: u32, error: &ResponseError) -> Result<(), LogError> {
        let _turn = self.turn.lock().await;
        let Some(work) = Work::read(&*self.log, uid, 1).await?.pop() else { return Ok(()) };
        let Prepared::Apply(effect) = &*work.prepared else { return Ok(()) };
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
}
