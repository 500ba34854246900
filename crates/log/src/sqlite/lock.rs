//! Keeping a second process out of the directory.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use crate::error::{LogError, Result};

/// The lock on a log's directory.
#[derive(Debug)]
pub(super) struct Lock(File);

// === impl Lock ===

impl Lock {
    pub(super) fn take(directory: &Path) -> Result<Self> {
        let file = File::options().create(true).truncate(false).write(true).open(directory.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(LogError::InUse(directory.display().to_string())),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

impl Drop for Lock {
    /// Closing the file is not enough: a child process that is just being started has it open too,
    /// until it runs its own program, and would keep the lock.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "could not unlock the write log");
        }
    }
}
