//! Why an applier cannot go on now.

use miroir_log::LogError;
use miroir_nodes::NodeError;
use thiserror::Error;

/// How many characters of a node's words are told.
const TOLD: usize = 500;

/// Why a turn of an applier ended early. Nothing is lost: it starts again from what the node says.
#[derive(Debug, Error)]
pub(crate) enum ApplyError {
    /// The node gave no answer.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The node cannot take writes now.
    #[error("the node answered {status}: {message}")]
    Unwilling {
        /// Its status.
        status: http::StatusCode,
        /// Its words.
        message: String,
    },
    /// A task failed for a reason that passes.
    #[error("the node is in trouble: {0}")]
    Trouble(String),
    /// The node has forgotten tasks it accepted.
    #[error("the node does not know the tasks of entry {0} any more")]
    Forgotten(u32),
    /// The log or a payload cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

// === impl ApplyError ===

impl ApplyError {
    /// A node that answered something else than it was asked for.
    pub(super) fn unwilling(status: http::StatusCode, body: &[u8]) -> Self {
        Self::Unwilling { status, message: String::from_utf8_lossy(body).chars().take(TOLD).collect() }
    }

    /// A node whose answer is none.
    pub(super) fn unreadable(status: http::StatusCode, what: &str, error: impl std::fmt::Display) -> Self {
        Self::Unwilling { status, message: format!("unreadable {what}: {error}") }
    }
}
