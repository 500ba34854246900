//! What was found in a payload: an index of its documents, in memory or in a file beside the payload.

use std::{
    fs::{self, File},
    io::{self, Cursor, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use miroir_log::{LogError, PayloadReader};
use miroir_payload::{IndexReader, IndexWriter, Split};

use super::PayloadError;

/// The index of a payload up to this size is kept in memory.
const IN_MEMORY: u64 = 4 << 20;
const SUFFIX: &str = "split";
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// An index that several appliers read.
#[derive(Debug)]
pub(crate) enum StoredSplit {
    Memory(Arc<[u8]>),
    File(PathBuf),
}

/// An index that is being written.
pub(super) enum Writing {
    Memory(Cursor<Vec<u8>>),
    File(File, PathBuf),
}

/// Where an index is read from.
#[derive(Debug)]
pub(super) enum Opened {
    Memory(Cursor<Arc<[u8]>>),
    File(File),
}

/// Removes what an earlier run left.
pub(super) fn sweep(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == SUFFIX)
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(%error, path = %path.display(), "leftover index not removed");
        }
    }
}

impl StoredSplit {
    /// Starts the index of a payload of that many bytes.
    pub(super) fn create(directory: &Path, uid: u32, bytes: u64) -> io::Result<Writing> {
        if bytes <= IN_MEMORY {
            return Ok(Writing::Memory(Cursor::default()));
        }
        // No two have the same file: one may be made again while the last reader of its predecessor is still at work.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!("{uid}-{number}.{SUFFIX}"));
        Ok(Writing::File(File::create_new(&path)?, path))
    }

    /// How much memory it takes.
    pub(super) fn in_memory(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File(_) => 0,
        }
    }

    /// Opens it for one reader.
    pub(super) fn open(&self) -> Result<IndexReader<Opened>, LogError> {
        let opened = match self {
            Self::Memory(bytes) => Opened::Memory(Cursor::new(bytes.clone())),
            Self::File(path) => Opened::File(File::open(path)?),
        };
        Ok(IndexReader::new(opened)?)
    }
}

impl Drop for StoredSplit {
    fn drop(&mut self) {
        if let Self::File(path) = self
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(%error, path = %path.display(), "index not removed");
        }
    }
}

impl Writing {
    /// Looks through the payload.
    pub(super) fn fill(self, split: Split<PayloadReader>) -> Result<StoredSplit, PayloadError> {
        match self {
            Self::Memory(cursor) => {
                let cursor = written(cursor, split)?;
                Ok(StoredSplit::Memory(cursor.into_inner().into()))
            }
            Self::File(file, path) => match written(file, split) {
                Ok(_) => Ok(StoredSplit::File(path)),
                Err(error) => {
                    drop(StoredSplit::File(path));
                    Err(error)
                }
            },
        }
    }
}

fn written<W: Write + Seek>(out: W, split: Split<PayloadReader>) -> Result<W, PayloadError> {
    let mut writer = IndexWriter::new(out).map_err(LogError::from)?;
    for record in split {
        writer.push(record?).map_err(LogError::from)?;
    }
    Ok(writer.finish().map_err(LogError::from)?)
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Memory(cursor) => cursor.read(buffer),
            Self::File(file) => file.read(buffer),
        }
    }
}

impl Seek for Opened {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Memory(cursor) => cursor.seek(to),
            Self::File(file) => file.seek(to),
        }
    }
}
