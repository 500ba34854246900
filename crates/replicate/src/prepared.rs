//! The sequencer's decision on one entry: what it does, or why it fails.

use miroir_protocol::error::ResponseError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::physical::Embedders;

/// What becomes of an entry. It is recorded in the log before anything is sent, and is what every applier acts on, now or
/// much later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Prepared {
    /// The task fails; no node is asked for more than the index.
    Refused {
        /// The error clients see.
        error: ResponseError,
        /// The index does not exist before this entry and does after it, as Meilisearch creates the index of a write
        /// before it looks at the documents.
        #[serde(default)]
        creates_index: bool,
    },
    /// The entry is applied.
    Apply(Effect),
    /// Its task has ended without any node: it was canceled, or the log has done itself what it says.
    Settled,
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
    /// The index's embedders once the entry is applied, where it changes any: what a node is told about one of them depends
    /// on the rest of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedders: Option<Embedders>,
    /// The filter as nodes are told it, where that is not as the client wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<Value>,
    /// Why a node could not apply it: known only once one has tried. The task fails; every copy still tries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<ResponseError>,
}

impl Prepared {
    /// Whether a node has anything to do for it.
    pub(crate) fn is_sent(&self) -> bool {
        !matches!(self, Self::Refused { creates_index: false, .. } | Self::Settled)
    }

    /// Whether the index comes into being with it, however it ends.
    pub(crate) fn creates_index(&self) -> bool {
        match self {
            Self::Apply(effect) => effect.creates_index,
            Self::Refused { creates_index, .. } => *creates_index,
            Self::Settled => false,
        }
    }

    /// The effect of an entry that is applied.
    pub(crate) fn effect(&self) -> Option<&Effect> {
        match self {
            Self::Apply(effect) => Some(effect),
            Self::Refused { .. } | Self::Settled => None,
        }
    }
}
