//! The sequencer's decision on one entry: what it does, or why it fails.

use miroir_protocol::error::ResponseError;
use serde::{Deserialize, Serialize};

/// What becomes of an entry. It follows from the log alone (never from a node's answer), is recorded in the log before
/// anything is sent, and is what every applier acts on, now or much later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Prepared {
    /// The task fails; no node is asked.
    Refused {
        /// The error clients see.
        error: ResponseError,
    },
    /// The entry is applied.
    Apply(Effect),
}

/// What an entry does to its index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Effect {
    /// The index does not exist before this entry: every node creates it first.
    pub creates_index: bool,
    /// The primary key that this entry gives the index.
    pub sets_primary_key: Option<String>,
    /// The index's primary key once the entry is applied.
    pub primary_key: Option<String>,
    /// Documents in the payload.
    pub documents: u64,
}

impl Prepared {
    /// The effect of an entry that is applied.
    pub(crate) fn effect(&self) -> Option<&Effect> {
        match self {
            Self::Apply(effect) => Some(effect),
            Self::Refused { .. } => None,
        }
    }
}
