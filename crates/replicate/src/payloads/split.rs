//! What was found in a payload: an index of its documents, in memory or in a file beside the payload.

use std::{
    fs::{self, File},
    io::{self, Cursor, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use miroir_log::LogError;
use miroir_payload::{IndexReader, PrimaryKey, Rules, Split, SplitSummary};

use super::PayloadError;

/// The index of a payload up to this size is kept in memory.
const IN_MEMORY: u64 = 4 << 20;
const SUFFIX: &str = "split";
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// What was found in a payload: an index that several appliers read, and what its documents came to.
#[derive(Debug)]
pub(crate) struct StoredSplit {
    index: Index,
    primary_key: String,
    rules: Arc<Rules>,
    summary: SplitSummary,
}

#[derive(Debug)]
enum Index {
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
    /// How many documents there are, those with the same id counted once.
    pub(crate) fn documents(&self) -> u64 {
        self.summary.documents
    }

    /// Whether a node may refuse one of the documents.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.summary.doubtful
    }

    /// The primary key that the ids were found under.
    pub(super) fn primary_key(&self) -> &str {
        &self.primary_key
    }

    /// Whether it was found under this primary key, and where it matters by these rules.
    pub(super) fn is_of(&self, primary_key: &str, rules: Option<&Rules>) -> bool {
        self.primary_key == primary_key && rules.is_none_or(|rules| *self.rules == *rules)
    }

    /// How much memory it takes.
    pub(super) fn in_memory(&self) -> usize {
        match &self.index {
            Index::Memory(bytes) => bytes.len(),
            Index::File(_) => 0,
        }
    }

    /// Opens it for one reader.
    pub(super) fn open(&self) -> Result<IndexReader<Opened>, LogError> {
        let opened = match &self.index {
            Index::Memory(bytes) => Opened::Memory(Cursor::new(bytes.clone())),
            Index::File(path) => Opened::File(File::open(path)?),
        };
        Ok(IndexReader::new(opened)?)
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        if let Self::File(path) = self
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(%error, path = %path.display(), "index not removed");
        }
    }
}

impl Writing {
    /// Starts the index of a payload of that many bytes.
    pub(super) fn create(directory: &Path, uid: u32, bytes: u64) -> io::Result<Self> {
        if bytes <= IN_MEMORY {
            return Ok(Self::Memory(Cursor::default()));
        }
        // No two have the same file: one may be made again while the last reader of its predecessor is still at work.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!("{uid}-{number}.{SUFFIX}"));
        Ok(Self::File(File::create_new(&path)?, path))
    }

    /// Looks through the payload.
    pub(super) fn fill(
        self,
        payload: impl Read,
        primary_key: &str,
        rules: Arc<Rules>,
    ) -> Result<StoredSplit, PayloadError> {
        let split = Split::new(payload, PrimaryKey::new(primary_key)).with_rules(rules.clone());
        let (summary, index) = match self {
            Self::Memory(cursor) => {
                let (summary, cursor) = split.write_index(cursor)?;
                (summary, Index::Memory(cursor.into_inner().into()))
            }
            Self::File(file, path) => {
                let index = Index::File(path);
                (split.write_index(file)?.0, index)
            }
        };
        Ok(StoredSplit { index, primary_key: primary_key.to_owned(), rules, summary })
    }
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

#[cfg(test)]
impl StoredSplit {
    /// One whose index takes so many bytes.
    pub(super) fn of_bytes(bytes: usize) -> Self {
        let summary = SplitSummary { documents: 0, doubtful: false };
        let index = Index::Memory(vec![0; bytes].into());
        Self { index, primary_key: String::new(), rules: Arc::default(), summary }
    }
}
