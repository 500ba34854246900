//! The indexes that are open: one LMDB directory each.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use milli_core::Index;
use milli_core::heed::EnvOpenOptions;
use parking_lot::RwLock;
use uuid::Uuid;

use crate::error::EngineError;
use crate::store::{CatalogChange, IndexRecord, Store};

/// Readers of one index at a time: far more than the searches that run at once.
const MAX_READERS: u32 = 256;

/// An open index.
#[derive(Clone)]
pub(crate) struct OpenIndex {
    pub(crate) uid: String,
    pub(crate) directory: String,
    pub(crate) index: Index,
}

/// The indexes that are open, by name.
pub(crate) struct Indexes {
    root: PathBuf,
    size: usize,
    open: RwLock<HashMap<String, OpenIndex>>,
}

impl Indexes {
    /// Opens every index of the catalog below `root`, and removes directories that no index owns.
    pub(crate) fn open(root: PathBuf, size: usize, store: &Store) -> Result<Self, EngineError> {
        std::fs::create_dir_all(&root)?;
        let records = store.indexes()?;
        for entry in std::fs::read_dir(&root)? {
            let entry = entry?;
            let name = entry.file_name();
            if !records.iter().any(|record| *record.directory == *name) {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        let indexes = Self { root, size, open: RwLock::default() };
        for record in records {
            let index = indexes.open_directory(&record.directory)?;
            let open = OpenIndex { uid: record.uid.clone(), directory: record.directory, index };
            indexes.open.write().insert(record.uid, open);
        }
        Ok(indexes)
    }

    /// The index of this name.
    pub(crate) fn get(&self, uid: &str) -> Result<OpenIndex, EngineError> {
        let open = self.open.read();
        open.get(uid).cloned().ok_or_else(|| EngineError::IndexNotFound(uid.to_owned()))
    }

    /// The index whose data are in this directory.
    pub(crate) fn in_directory(&self, directory: &str) -> Option<OpenIndex> {
        self.open.read().values().find(|open| open.directory == directory).cloned()
    }

    /// Whether there is an index of this name.
    pub(crate) fn contains(&self, uid: &str) -> bool {
        self.open.read().contains_key(uid)
    }

    /// Every index, by name.
    pub(crate) fn all(&self) -> Vec<OpenIndex> {
        let mut all: Vec<_> = self.open.read().values().cloned().collect();
        all.sort_by(|left, right| left.uid.cmp(&right.uid));
        all
    }

    /// Creates an index, for the task `created_by`.
    pub(crate) fn create(&self, uid: &str, created_by: u32, store: &Store) -> Result<OpenIndex, EngineError> {
        let directory = Uuid::new_v4().to_string();
        let index = self.open_directory(&directory)?;
        store.add_index(&IndexRecord {
            uid: uid.to_owned(),
            directory: directory.clone(),
            created_by,
            extras: serde_json::Map::new(),
        })?;
        let open = OpenIndex { uid: uid.to_owned(), directory, index };
        self.open.write().insert(uid.to_owned(), open.clone());
        Ok(open)
    }

    /// Follows a change of the catalog that is recorded.
    pub(crate) fn follow(&self, change: &CatalogChange) {
        let mut open = self.open.write();
        match change {
            CatalogChange::Delete { uid } => {
                if let Some(removed) = open.remove(uid) {
                    self.discard(removed);
                }
            }
            CatalogChange::Rename { from, to, .. } => {
                if let Some(mut renamed) = open.remove(from) {
                    renamed.uid.clone_from(to);
                    open.insert(to.clone(), renamed);
                }
            }
            CatalogChange::Swap { left, right, .. } => {
                if let (Some(mut first), Some(mut second)) = (open.remove(left), open.remove(right)) {
                    std::mem::swap(&mut first.uid, &mut second.uid);
                    open.insert(first.uid.clone(), first);
                    open.insert(second.uid.clone(), second);
                }
            }
            CatalogChange::Extras { .. } => {}
        }
    }

    /// Closes every index, once the readers that are still there have ended.
    pub(crate) fn close(&self) {
        for (_, open) in self.open.write().drain() {
            open.index.prepare_for_closing().wait();
        }
    }

    /// Removes the directory of a deleted index as soon as nobody reads it any more.
    fn discard(&self, removed: OpenIndex) {
        let path = self.root.join(&removed.directory);
        std::thread::spawn(move || {
            removed.index.prepare_for_closing().wait();
            if let Err(error) = std::fs::remove_dir_all(&path) {
                tracing::warn!(%error, path = %path.display(), "deleted index leaves its directory behind");
            }
        });
    }

    fn open_directory(&self, directory: &str) -> Result<Index, EngineError> {
        let path: &Path = &self.root.join(directory);
        std::fs::create_dir_all(path)?;
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(self.size);
        options.max_readers(MAX_READERS);
        Ok(Index::new(options, path, true)?)
    }
}
