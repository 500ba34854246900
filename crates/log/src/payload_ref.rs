//! Where the documents of a write are.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Where the documents of a write are, and how much they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PayloadRef {
    /// Their length in the spool's form.
    pub bytes: u64,
    /// How many there are.
    pub documents: u64,
    /// The XXH3 hash of their bytes; none where an older version wrote them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<u64>,
    /// Where they are.
    pub content: PayloadContent,
}

/// Where a payload's bytes are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PayloadContent {
    /// In a file of the spool.
    File {
        /// The file's name in the spool's directory.
        name: String,
    },
    /// Here; the log keeps small payloads with the entry.
    Inline {
        /// The payload.
        #[serde(skip)]
        bytes: Bytes,
    },
    /// Nowhere any more: every node has applied the entry.
    Removed,
}

impl PayloadRef {
    /// The spool's file that holds the payload, if one does.
    pub fn file(&self) -> Option<&str> {
        match &self.content {
            PayloadContent::File { name } => Some(name),
            _ => None,
        }
    }

    /// How many bytes the entry itself carries.
    pub(crate) fn inline_len(&self) -> usize {
        match &self.content {
            PayloadContent::Inline { bytes } => bytes.len(),
            _ => 0,
        }
    }
}
