//! Which entries may be sent to nodes. What may not be sent yet can be canceled, and nothing else can.
//!
//! Entries are decided far ahead of the nodes, but they are released only as an applier gets to them. A task is
//! `processing` from its release on; that is durable before the first node hears of it, so no crash makes anyone take a
//! task for one that no node has. A cancelation and a release never happen at the same time.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

use miroir_log::{Log, LogError};
use tokio::sync::{Mutex, MutexGuard};

use crate::progress::Progress;

/// The frontier between what may be sent and what may not.
pub(crate) struct Release {
    log: Arc<dyn Log>,
    progress: Arc<Progress>,
    /// Entries before it may be sent.
    position: AtomicU32,
    /// Counts how often decisions that were made before have been taken back.
    generation: AtomicU64,
    /// Whether an applier has nothing left to send.
    hungry: AtomicBool,
    turn: Mutex<()>,
}

// === impl Release ===

impl Release {
    pub(crate) fn new(log: Arc<dyn Log>, progress: Arc<Progress>, position: u32) -> Self {
        Self {
            log,
            progress,
            position: AtomicU32::new(position),
            generation: AtomicU64::new(0),
            hungry: AtomicBool::new(false),
            turn: Mutex::default(),
        }
    }

    /// The first entry that may not be sent.
    pub(crate) fn position(&self) -> u32 {
        self.position.load(Ordering::Acquire)
    }

    /// Asked before decisions are read from the log, to know afterwards whether they have been taken back.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// An applier has sent all there is.
    pub(crate) fn wants_more(&self) {
        self.hungry.store(true, Ordering::Release);
    }

    /// Whether an applier has sent all there was, until something is released.
    pub(crate) fn is_wanted(&self) -> bool {
        self.hungry.load(Ordering::Acquire)
    }

    /// Nothing is released and no decision is taken back until the guard is dropped.
    pub(crate) async fn hold(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Everything before `position` is released. For who holds it and has started these tasks.
    ///
    /// `satisfied` where that was what an applier wanted.
    pub(crate) fn set_position(&self, position: u32, satisfied: bool) {
        self.position.fetch_max(position, Ordering::AcqRel);
        if satisfied {
            self.hungry.store(false, Ordering::Release);
        }
    }

    /// Decisions from [`Release::position`] on have changed or are about to. For who holds it.
    pub(crate) fn take_back(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Releases the entries before `end`, whose decisions were read when the generation was this one. `None` where they
    /// have to be read again.
    pub(crate) async fn reach(&self, end: u32, generation: u64) -> Result<Option<u32>, LogError> {
        let _turn = self.turn.lock().await;
        if self.generation() != generation {
            return Ok(None);
        }
        let position = self.position();
        // What has been taken back is not prepared.
        let end = end.min(self.progress.prepared().get());
        if end > position {
            let uids: Vec<u32> = (position..end).collect();
            self.log.start(&uids).await?;
            self.set_position(end, true);
        }
        Ok(Some(self.position()))
    }
}
