//! What can go wrong between the gateway and a node.

use std::time::Duration;

use thiserror::Error;

/// The error type that travels between tower services.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a node gave no answer. An answer with an error status is an answer, not a `NodeError`.
#[derive(Debug, Error)]
pub enum NodeError {
    /// No connection: refused, unreachable, or the handshake failed.
    #[error("cannot connect: {0}")]
    Connect(#[source] std::io::Error),
    /// Connecting took longer than allowed.
    #[error("no connection within {0:?}")]
    ConnectTimeout(Duration),
    /// The request was sent, or partly so, and no whole answer came back.
    #[error("connection failed: {0}")]
    Http(#[source] hyper::Error),
    /// As [`NodeError::Http`], on a connection that carries whole answers.
    #[error("connection failed: {0}")]
    Broken(#[from] std::io::Error),
    /// The request's body could not be produced.
    #[error("request body failed: {0}")]
    RequestBody(#[source] BoxError),
    /// No whole answer within the time the request was given.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The node does not have what it was given, so it was not asked.
    #[error("the node has lost its data")]
    Forgetful,
    /// The answer is larger than the gateway takes into memory.
    #[error("answer larger than {0} bytes")]
    TooLarge(usize),
}

impl NodeError {
    /// Whether the node may have received the request: only where it cannot, a write is sent again without asking.
    pub fn may_have_arrived(&self) -> bool {
        !matches!(self, NodeError::Connect(_) | NodeError::ConnectTimeout(_) | NodeError::Forgetful)
    }

    /// Whether it says anything of the node. A body that the gateway could not produce, or an answer it does not take,
    /// does not.
    pub fn is_of_the_node(&self) -> bool {
        !matches!(self, NodeError::RequestBody(_) | NodeError::TooLarge(_) | NodeError::Forgetful)
    }
}

impl From<hyper::Error> for NodeError {
    fn from(error: hyper::Error) -> Self {
        if error.is_user() { NodeError::RequestBody(error.into()) } else { NodeError::Http(error) }
    }
}
