//! What the parts of a running node share.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use parking_lot::RwLock;

use crate::config::NodeConfig;
use crate::engine::{Indexes, Limits};
use crate::error::EngineError;
use crate::features::Features;
use crate::store::Store;

/// What the parts of a running node share.
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) indexes: Indexes,
    pub(crate) limits: Limits,
    pub(crate) features: RwLock<Features>,
    /// Where payloads wait for their tasks.
    pub(crate) payloads: PathBuf,
    /// Held as long as the node runs.
    _lock: File,
}

impl State {
    /// Opens the data directory, and creates it when absent.
    pub(crate) fn open(config: &NodeConfig) -> Result<Self, EngineError> {
        let payloads = config.data_dir.join("payloads");
        fs::create_dir_all(&payloads)?;
        let lock = File::create(config.data_dir.join("node.lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::Error::other("another node is using it"),
            fs::TryLockError::Error(error) => error,
        })?;
        let store = Store::open(&config.data_dir.join("node.db"))?;
        let indexes = Indexes::open(config.data_dir.join("indexes"), config.index_size, &store)?;
        let limits = Limits::new(config.indexing_threads, config.indexing_memory)?;
        let features = RwLock::new(Features::load(&store)?);
        Ok(Self { store, indexes, limits, features, payloads, _lock: lock })
    }

    /// The file of a payload.
    pub(crate) fn payload(&self, name: &str) -> PathBuf {
        self.payloads.join(name)
    }
}
