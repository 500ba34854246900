//! Copies are made equal where a write has failed on some nodes and not on others.
//!
//! In each group other nodes may have failed it, so that one copy of a document has it and another has not. Its task has
//! failed either way; what is left of it has to be the same everywhere.

use miroir_log::{LogError, RecordKind};

use super::{Mover, Step, remote::MoveError};
use crate::failures::Failed;

impl Mover {
    /// Looks after the writes that have failed and that every node is past.
    pub(super) async fn make_equal_what_failed(&self) -> Result<Step, MoveError> {
        if !self.progress.take_failures() {
            return Ok(Step::Nothing);
        }
        let looked_after = self.look_after_failures().await;
        if !matches!(looked_after, Ok((_, true))) {
            self.progress.note_failure();
        }
        Ok(if looked_after?.0 { Step::Done } else { Step::Nothing })
    }

    /// Whether it did anything, and whether nothing is left to do.
    async fn look_after_failures(&self) -> Result<(bool, bool), MoveError> {
        let (mut any, mut all) = (false, true);
        for (id, failed) in self.log.records(RecordKind::Failure).await? {
            let uid: u32 = id.parse().map_err(|_| MoveError::Stored(format!("`{id}` is no entry")))?;
            if !self.is_past(uid) {
                all = false;
                continue;
            }
            let failed: Failed = serde_json::from_value(failed).map_err(LogError::from)?;
            let index = self.name_since(&failed.index, uid).await?;
            let index = index.filter(|index| self.log.catalog().index(index).is_some());
            if let Some(index) = index
                && !self.make_equal(&index, &failed.slots()).await?
            {
                all = false;
                continue;
            }
            self.log.delete_record(RecordKind::Failure, &id).await?;
            any = true;
        }
        Ok((any, all))
    }

    /// Whether the entry has ended, for clients and on every node: one that is away may yet do it, or fail it.
    fn is_past(&self, uid: u32) -> bool {
        *self.progress.finished().borrow() > uid && self.all_have_applied(uid)
    }
}
