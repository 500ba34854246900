//! Whole instances from one place to another: out of a running Meilisearch, out of a dump, into a gateway.

pub(crate) mod archive;
pub(crate) mod follow;
pub(crate) mod import;
pub(crate) mod remote;
pub(crate) mod restore;

use std::path::PathBuf;

use miroir_nodes::{NodeError, TlsError};
use thiserror::Error;

/// Why content did not get to where it should.
#[derive(Debug, Error)]
pub(crate) enum TransferError {
    /// No URL of a server.
    #[error("`{0}` is not the URL of a server: write http:// or https://, host and port, and no query")]
    Url(String),
    /// The certificates of the authorities cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No answer.
    #[error("{server} gives no answer: {error}")]
    Unreachable {
        /// The server.
        server: String,
        /// Why.
        #[source]
        error: NodeError,
    },
    /// A refusal.
    #[error("{server} refuses {what}: {message}")]
    Refused {
        /// The server.
        server: String,
        /// What it was asked.
        what: String,
        /// What it says.
        message: String,
    },
    /// A task failed.
    #[error("task {task} at {server} has not succeeded: {message}")]
    Task {
        /// The server.
        server: String,
        /// The task.
        task: u64,
        /// Why.
        message: String,
    },
    /// An answer that makes no sense.
    #[error("{server} answers {what} with something else")]
    Nonsense {
        /// The server.
        server: String,
        /// What it was asked.
        what: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {error}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// A file is not a dump that can be read.
    #[error("{} is not a dump of the kind that Meilisearch writes since v1.0: {reason}", file.display())]
    NotADump {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a transfer does, as it goes on; for people.
pub(crate) type Report<'a> = &'a (dyn Fn(&str) + Sync);
