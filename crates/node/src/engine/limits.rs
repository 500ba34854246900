//! How much the engine may use.

use std::io;

use milli_core::update::IndexerConfig;
use milli_core::{ThreadPoolNoAbort, ThreadPoolNoAbortBuilder};

/// Threads and memory of the indexer.
pub(crate) struct Limits {
    config: IndexerConfig,
    // The settings of the engine keep their own pool in the configuration; documents are indexed in this one.
    pool: ThreadPoolNoAbort,
}

impl Limits {
    /// Limits of `threads` threads and `memory` bytes.
    pub(crate) fn new(threads: usize, memory: usize) -> io::Result<Self> {
        let pool = || {
            ThreadPoolNoAbortBuilder::new()
                .thread_name(|index| format!("indexing-{index}"))
                .num_threads(threads.max(1))
                .build()
                .map_err(io::Error::other)
        };
        let config = IndexerConfig {
            max_memory: Some(memory),
            thread_pool: Some(pool()?),
            ..IndexerConfig::default()
        };
        Ok(Self { config, pool: pool()? })
    }

    /// The limits as the engine takes them.
    pub(crate) fn config(&self) -> &IndexerConfig {
        &self.config
    }

    /// Bytes of payload that one batch may have in memory.
    pub(crate) fn batch_bytes(&self) -> u64 {
        self.config.max_memory.unwrap_or_default() as u64 / 4
    }

    /// The threads that index documents.
    pub(crate) fn pool(&self) -> &ThreadPoolNoAbort {
        &self.pool
    }
}
