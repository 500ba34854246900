//! What can go wrong in the log.

use std::io;

use crate::spool::SpoolError;

/// The result of a call on the log.
pub type Result<T, E = LogError> = std::result::Result<T, E>;

/// Why the log could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The disk, or the room the log may take, is full. Nothing of the call was kept; it may be
    /// repeated once there is room.
    #[error("no space left for the write log")]
    StorageFull,
    /// The store failed in a way that is not the caller's fault.
    #[error("the write log's store failed")]
    Store(#[source] rusqlite::Error),
    /// The log's directory or one of its files could not be read or written.
    #[error("the write log's files failed")]
    Io(#[source] io::Error),
    /// The directory was written by a newer version of the program.
    #[error(
        "the write log has format {found}, this version reads up to format {supported}; use the version that wrote it"
    )]
    NewerFormat {
        /// The format found in the directory.
        found: u32,
        /// The newest format this version knows.
        supported: u32,
    },
    /// What is stored makes no sense.
    #[error("the write log is damaged: {0}")]
    Damaged(String),
    /// Another process has the log open.
    #[error("the write log in {0} is in use by another process")]
    InUse(String),
    /// No entry has this uid.
    #[error("the write log has no entry {0}")]
    UnknownEntry(u32),
    /// The entry's task is finished already.
    #[error("the task {0} is finished already")]
    AlreadyFinished(u32),
    /// Decisions must be recorded in log order, without a gap.
    #[error("the decision for entry {found} cannot be recorded before that for entry {expected}")]
    OutOfOrder {
        /// The first entry without a decision.
        expected: u32,
        /// The entry that was given.
        found: u32,
    },
    /// A map with this epoch or a newer one is stored already.
    #[error("a shard map with epoch {stored} is stored, epoch {given} is not newer")]
    StaleMap {
        /// The epoch in the store.
        stored: u64,
        /// The epoch that was given.
        given: u64,
    },
    /// The payload was trimmed: every node had applied the entry.
    #[error("the payload was let go of")]
    PayloadTrimmed,
    /// The payload's file was taken away.
    #[error("the payload {0} is gone")]
    PayloadGone(String),
    /// The payload is not what was written.
    #[error("the payload {0} has changed")]
    PayloadDamaged(String),
    /// The key of a write is that of another write.
    #[error("another write has this key")]
    KeyReused,
    /// Uids have run out.
    #[error("the write log has used up all task uids")]
    Exhausted,
    /// The log was shut down.
    #[error("the write log is closed")]
    Closed,
}

impl LogError {
    /// Whether the call failed because there was no room.
    pub fn is_storage_full(&self) -> bool {
        matches!(self, Self::StorageFull)
    }

    /// Whether the bytes of a payload that is still needed are lost, so that trying again helps nobody.
    pub fn is_lost_payload(&self) -> bool {
        matches!(self, Self::PayloadGone(_) | Self::PayloadDamaged(_))
    }

    /// Whether it is certain that the call changed nothing, even after the next start. When a sync
    /// failed, what was written may turn up again if the machine dies at that moment.
    pub(crate) fn is_certain(&self) -> bool {
        !matches!(self, Self::Store(_) | Self::Io(_) | Self::Damaged(_) | Self::Closed)
    }

    /// Whether the store failed, so that nothing of the same transaction can be trusted.
    pub(crate) fn is_of_the_store(&self) -> bool {
        matches!(self, Self::StorageFull | Self::Store(_) | Self::Io(_) | Self::Damaged(_) | Self::Closed)
    }
}

impl From<rusqlite::Error> for LogError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::StorageFull,
            Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Store(error),
        }
    }
}

impl From<io::Error> for LogError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::StorageFull } else { Self::Io(error) }
    }
}

impl From<SpoolError> for LogError {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::Full => Self::StorageFull,
            SpoolError::Gone(name) => Self::PayloadGone(name),
            SpoolError::Trimmed => Self::PayloadTrimmed,
            SpoolError::Damaged(name) => Self::PayloadDamaged(name),
            SpoolError::Io(error) => Self::Io(error),
        }
    }
}

impl From<serde_json::Error> for LogError {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Whether an I/O error says that the disk, or the quota, is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
