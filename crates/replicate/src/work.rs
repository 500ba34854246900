//! An entry with the decision on it, as appliers and the tracker read it back from the log.

use std::{ops::Range, sync::Arc};

use miroir_log::{Entry, Log, LogError, LoggedEntry};
use miroir_protocol::tasks::TaskStatus;

use crate::prepared::Prepared;

/// How many entries are looked through at once.
const SLICE: usize = 256;

/// A decided entry.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) entry: Arc<Entry>,
    pub(crate) prepared: Arc<Prepared>,
    /// Whether its task has been marked as processing.
    pub(crate) started: bool,
    /// Whether its task has ended.
    pub(crate) finished: bool,
}

impl Work {
    pub(crate) fn uid(&self) -> u32 {
        self.entry.uid
    }

    /// How large its documents are together.
    pub(crate) fn bytes(&self) -> u64 {
        self.entry.operation.payload().map_or(0, |payload| payload.bytes)
    }

    /// The decided part of what the log holds from `from` on, in order.
    pub(crate) async fn read(log: &dyn Log, from: u32, max: usize) -> Result<Vec<Self>, LogError> {
        let entries = log.entries(from, max).await?;
        entries.into_iter().map_while(|logged| Self::from_logged(logged).transpose()).collect()
    }

    /// Looks at every decided entry of a range, in order.
    pub(crate) async fn look_through(
        log: &dyn Log,
        range: Range<u32>,
        mut look: impl FnMut(&Self),
    ) -> Result<(), LogError> {
        let mut next = range.start;
        while next < range.end {
            let works = Self::read(log, next, SLICE).await?;
            let Some(last) = works.last().map(Self::uid) else { break };
            works.iter().filter(|work| work.uid() < range.end).for_each(&mut look);
            next = last + 1;
        }
        Ok(())
    }

    fn from_logged(logged: LoggedEntry) -> Result<Option<Self>, LogError> {
        let Some(prepared) = logged.prepared else { return Ok(None) };
        // Only what no node has been sent is canceled, whatever was decided on it before.
        let prepared = match logged.status {
            TaskStatus::Canceled => Prepared::Settled,
            _ => serde_json::from_value(prepared)
                .map_err(|error| LogError::Damaged(format!("decision on {}: {error}", logged.entry.uid)))?,
        };
        let (started, finished) = (logged.started_at.is_some(), logged.status.is_finished());
        Ok(Some(Self { entry: Arc::new(logged.entry), prepared: Arc::new(prepared), started, finished }))
    }
}
