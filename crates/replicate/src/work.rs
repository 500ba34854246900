//! An entry with the decision on it, as appliers and the tracker read it back from the log.

use std::sync::Arc;

use miroir_log::{Entry, Log, LogError, LoggedEntry};

use crate::prepared::Prepared;

/// A decided entry.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) entry: Arc<Entry>,
    pub(crate) prepared: Arc<Prepared>,
    /// Whether its task has been marked as processing.
    pub(crate) started: bool,
}

impl Work {
    pub(crate) fn uid(&self) -> u32 {
        self.entry.uid
    }

    /// The decided part of what the log holds from `from` on, in order.
    pub(crate) async fn read(log: &dyn Log, from: u32, max: usize) -> Result<Vec<Self>, LogError> {
        let entries = log.entries(from, max).await?;
        entries.into_iter().map_while(|logged| Self::from_logged(logged).transpose()).collect()
    }

    fn from_logged(logged: LoggedEntry) -> Result<Option<Self>, LogError> {
        let Some(prepared) = logged.prepared else { return Ok(None) };
        let prepared = serde_json::from_value(prepared)
            .map_err(|error| LogError::Damaged(format!("decision on {}: {error}", logged.entry.uid)))?;
        let started = logged.started_at.is_some();
        Ok(Some(Self { entry: Arc::new(logged.entry), prepared: Arc::new(prepared), started }))
    }
}
