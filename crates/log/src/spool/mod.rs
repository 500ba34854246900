//! The directory of payloads that are too big to be kept with their entries.
//!
//! A payload is written while its request comes in and made durable before its entry is appended,
//! so an entry never names a file that could be missing. A file that no entry names, left by a
//! crash in between, is swept away when the log is opened.

mod checksum;
mod pump;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use self::{
    pump::Pump,
    reader::{CheckedReader, PayloadReader},
    writer::SpoolFile,
};
use crate::{
    error::is_full,
    failpoints::Failpoints,
    payload_ref::{PayloadContent, PayloadRef},
};

/// How the names of the spool's files end.
const SUFFIX: &str = ".payload";

/// The payloads up to this length are kept in the entry, which saves a file and its `fsync`.
pub const INLINE_LIMIT: usize = 64 * 1024;

/// Why the spool could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The disk is full. What was written of the payload is removed.
    #[error("no space left for the payload")]
    Full,
    /// The payload is not needed any more.
    #[error("the payload was let go of")]
    Trimmed,
    /// The payload's file is not there.
    #[error("the payload {0} is gone")]
    Gone(String),
    /// The payload is not what was written.
    #[error("the payload {0} has changed: the write log is damaged")]
    Damaged(String),
    /// Reading or writing failed.
    #[error("the payload could not be read or written")]
    Io(#[source] io::Error),
}

impl From<io::Error> for SpoolError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::Full } else { Self::Io(error) }
    }
}

/// A directory of payload files. Clones share it.
#[derive(Debug, Clone)]
pub struct Spool {
    directory: Arc<PathBuf>,
    failpoints: Failpoints,
}

impl Spool {
    /// Opens the spool in `directory`, which is created if it does not exist.
    pub fn open_directory(directory: impl Into<PathBuf>) -> Result<Self, SpoolError> {
        Self::with_failpoints(directory.into(), Failpoints::default())
    }

    pub(crate) fn with_failpoints(directory: PathBuf, failpoints: Failpoints) -> Result<Self, SpoolError> {
        fs::create_dir_all(&directory)?;
        Ok(Self { directory: Arc::new(directory), failpoints })
    }

    /// Where the files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts a payload. Nothing touches the disk before it outgrows [`INLINE_LIMIT`].
    pub fn create(&self) -> SpoolFile {
        SpoolFile::new(self.clone())
    }

    /// Opens a payload for reading. Its length is looked at, its bytes are where it is
    /// [checked](PayloadReader::checked).
    pub fn open(&self, payload: &PayloadRef) -> Result<PayloadReader, SpoolError> {
        match &payload.content {
            PayloadContent::Inline { bytes } => Ok(PayloadReader::inline(bytes.clone(), payload.checksum)),
            PayloadContent::File { name } => match File::open(self.path(name)) {
                Ok(file) if file.metadata()?.len() == payload.bytes => {
                    Ok(PayloadReader::file(file, name.clone(), payload))
                }
                Ok(_) => Err(SpoolError::Damaged(name.clone())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SpoolError::Gone(name.clone())),
                Err(error) => Err(error.into()),
            },
            PayloadContent::Removed => Err(SpoolError::Trimmed),
        }
    }

    /// Removes a file; one that does not exist is no error.
    pub fn remove(&self, name: &str) -> Result<(), SpoolError> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Removes a payload that was finished and then not appended.
    pub fn discard(&self, payload: &PayloadRef) -> Result<(), SpoolError> {
        payload.file().map_or(Ok(()), |name| self.remove(name))
    }

    /// Removes every payload file that is not among `in_use`; returns how many there were.
    ///
    /// Only for a spool that nobody is writing to.
    pub fn sweep(&self, in_use: &HashSet<String>) -> Result<usize, SpoolError> {
        let mut removed = 0;
        for entry in fs::read_dir(self.directory.as_path())? {
            let name = entry?.file_name();
            let Some(name) = name.to_str().filter(|name| name.ends_with(SUFFIX)) else { continue };
            if !in_use.contains(name) {
                self.remove(name)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}
