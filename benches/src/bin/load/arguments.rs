//! What is asked for.

use std::{path::PathBuf, time::Duration};

use clap::Parser;

use crate::drive::Pace;

/// Searches an index, and writes to it, at a steady rate, and says how long that took.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// The server: http://HOST:PORT.
    #[arg(long, default_value = "http://127.0.0.1:7700")]
    pub(crate) url: String,
    /// Its key.
    #[arg(long, env = "MIROIR_MASTER_KEY")]
    pub(crate) key: Option<String>,
    /// The index.
    #[arg(long)]
    pub(crate) index: String,
    /// Another server with the same index, to compare with: it is sent the same searches, and no writes.
    #[arg(long)]
    pub(crate) peer: Option<String>,
    /// The other server's key.
    #[arg(long)]
    pub(crate) peer_key: Option<String>,
    /// Searches a second, to each server.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// Bodies of searches, one JSON object a line. Without, words of the index's own documents are searched for.
    #[arg(long)]
    pub(crate) queries: Option<PathBuf>,
    /// Documents written a second, each by itself.
    #[arg(long, default_value_t = 0, requires = "documents")]
    writes: u32,
    /// The documents, one JSON object a line, which are written over and over again.
    #[arg(long)]
    pub(crate) documents: Option<PathBuf>,
    /// For how long.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
}

// === impl Arguments ===

impl Arguments {
    pub(crate) fn pace(&self) -> Pace {
        let time = Duration::from_secs(self.seconds.into());
        Pace { searches: self.rate, writes: self.writes, time }
    }
}
