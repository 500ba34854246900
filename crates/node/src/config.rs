//! What a node is started with.

use std::net::SocketAddr;
use std::path::PathBuf;

const MIB: usize = 1024 * 1024;

/// What a node is started with.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Directory of the node's data; created when absent.
    pub data_dir: PathBuf,
    /// The master key; without one every request is allowed.
    pub master_key: Option<String>,
    /// Threads that index documents.
    pub indexing_threads: usize,
    /// Bytes the indexer may use before it spills to disk.
    pub indexing_memory: usize,
    /// Largest size of one index, in bytes. It is address space, not disk: the file is sparse.
    pub index_size: usize,
    /// Largest request body, in bytes.
    pub payload_limit: usize,
    /// Searches that run at once; further ones wait.
    pub concurrent_searches: usize,
}

impl NodeConfig {
    /// A configuration with modest limits, fit for several nodes on one machine.
    pub fn new(listen: SocketAddr, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen,
            data_dir: data_dir.into(),
            master_key: None,
            indexing_threads: 1,
            indexing_memory: 256 * MIB,
            index_size: 20 * 1024 * MIB,
            payload_limit: 100 * MIB,
            concurrent_searches: 8,
        }
    }

    /// The same configuration with a master key.
    #[must_use]
    pub fn with_master_key(mut self, key: impl Into<String>) -> Self {
        self.master_key = Some(key.into());
        self
    }
}
