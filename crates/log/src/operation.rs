//! What writes do.

use std::collections::BTreeMap;

use miroir_protocol::tasks::{Kind, Swap};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{payload_ref::PayloadRef, uids::Uids};

/// What a write does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Operation {
    /// Create an index.
    IndexCreation {
        /// Its primary key, if the client named one.
        primary_key: Option<String>,
    },
    /// Change an index's primary key or its uid.
    IndexUpdate {
        /// The new primary key.
        primary_key: Option<String>,
        /// The new uid.
        new_uid: Option<String>,
    },
    /// Delete an index.
    IndexDeletion,
    /// Exchange the contents of indexes.
    IndexSwap {
        /// The exchanges, done one after another.
        swaps: Vec<Swap>,
    },
    /// Add, replace or update documents.
    DocumentAdditionOrUpdate {
        /// What happens to a document that exists.
        method: Method,
        /// The primary key, if the client named one.
        primary_key: Option<String>,
        /// The documents.
        payload: PayloadRef,
        /// Whether the index may be created by this write.
        allow_index_creation: bool,
        /// Whether documents that do not exist are left out.
        #[serde(default)]
        skip_creation: bool,
    },
    /// Delete documents.
    DocumentDeletion {
        /// Which ones.
        selection: Selection,
    },
    /// Edit documents by a function.
    DocumentEdition {
        /// The function's source.
        function: String,
        /// What the function is given.
        context: Option<Value>,
        /// The documents it is called for; all of them without one.
        filter: Option<Value>,
    },
    /// Change or reset settings.
    SettingsUpdate {
        /// The settings that change, in the client's form.
        settings: Value,
        /// Whether this is a reset, asked for by `DELETE`.
        is_deletion: bool,
        /// Whether the index may be created by this write.
        #[serde(default)]
        allow_index_creation: bool,
    },
    /// Make an index's files as small as they can be.
    IndexCompaction,
    /// Write everything into a dump.
    DumpCreation {
        /// Its name.
        dump_uid: String,
    },
    /// Write everything into the snapshot.
    SnapshotCreation,
    /// Send indexes to another server.
    Export(Export),
    /// Create, change or delete a dynamic search rule.
    RuleUpdate {
        /// Its name.
        rule: String,
        /// The change, in the client's form; none deletes the rule.
        change: Option<Value>,
    },
    /// Delete every dynamic search rule.
    RuleClear,
    /// Give up tasks that no node has been sent yet.
    TaskCancelation {
        /// The client's filter: the query string, with its question mark.
        query: String,
        /// The tasks that matched it when it came.
        tasks: Uids,
    },
    /// Forget tasks that have ended.
    TaskDeletion {
        /// The client's filter: the query string, with its question mark.
        query: String,
        /// The tasks that matched it when it came.
        tasks: Uids,
    },
}

impl Operation {
    /// The type of the task that does this.
    pub fn kind(&self) -> Kind {
        match self {
            Self::IndexCreation { .. } => Kind::IndexCreation,
            Self::IndexUpdate { .. } => Kind::IndexUpdate,
            Self::IndexDeletion => Kind::IndexDeletion,
            Self::IndexSwap { .. } => Kind::IndexSwap,
            Self::DocumentAdditionOrUpdate { .. } => Kind::DocumentAdditionOrUpdate,
            Self::DocumentDeletion { .. } => Kind::DocumentDeletion,
            Self::DocumentEdition { .. } => Kind::DocumentEdition,
            Self::SettingsUpdate { .. } => Kind::SettingsUpdate,
            Self::IndexCompaction => Kind::IndexCompaction,
            Self::DumpCreation { .. } => Kind::DumpCreation,
            Self::SnapshotCreation => Kind::SnapshotCreation,
            Self::Export(_) => Kind::Export,
            Self::RuleUpdate { .. } => Kind::DsrUpdate,
            Self::RuleClear => Kind::DsrClear,
            Self::TaskCancelation { .. } => Kind::TaskCancelation,
            Self::TaskDeletion { .. } => Kind::TaskDeletion,
        }
    }

    /// Whether it is about tasks: the log does it itself, no node has a part in it.
    pub fn is_about_tasks(&self) -> bool {
        matches!(self, Self::TaskCancelation { .. } | Self::TaskDeletion { .. })
    }

    /// Whether it changes documents and, but for an index that it may create, nothing else.
    pub fn is_about_documents(&self) -> bool {
        matches!(
            self,
            Self::DocumentAdditionOrUpdate { .. }
                | Self::DocumentDeletion { .. }
                | Self::DocumentEdition { .. }
        )
    }

    /// Whether the gateway does it, at the entry's place in the log; no node has a part in it.
    pub fn is_of_the_gateway(&self) -> bool {
        matches!(
            self,
            Self::DumpCreation { .. }
                | Self::SnapshotCreation
                | Self::Export(_)
                | Self::RuleUpdate { .. }
                | Self::RuleClear
        )
    }

    /// The documents that come with it.
    pub fn payload(&self) -> Option<&PayloadRef> {
        match self {
            Self::DocumentAdditionOrUpdate { payload, .. } => Some(payload),
            _ => None,
        }
    }

    pub(crate) fn payload_mut(&mut self) -> Option<&mut PayloadRef> {
        match self {
            Self::DocumentAdditionOrUpdate { payload, .. } => Some(payload),
            _ => None,
        }
    }

    /// The indexes it names beside the entry's own one.
    pub(crate) fn further_indexes(&self) -> Vec<&str> {
        match self {
            Self::IndexUpdate { new_uid: Some(uid), .. } => vec![uid],
            Self::IndexSwap { swaps } => {
                swaps.iter().flat_map(|swap| [swap.indexes.0.as_str(), &swap.indexes.1]).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Where indexes go, and which.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Export {
    /// The other server.
    pub url: String,
    /// The key sent to it.
    pub api_key: Option<String>,
    /// How large one request with documents is, in bytes.
    pub payload_size: Option<u64>,
    /// Which indexes, by pattern.
    pub indexes: BTreeMap<String, ExportIndex>,
}

/// What goes of the indexes that match a pattern.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExportIndex {
    /// Which documents; all of them without.
    pub filter: Option<Value>,
    /// Whether settings go to an index that is there already.
    pub override_settings: bool,
}

/// What happens to a document that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Method {
    /// It is replaced as a whole.
    Replace,
    /// Its fields are overwritten one by one.
    Update,
}

/// Which documents are meant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Selection {
    /// Those with these ids.
    ByIds {
        /// The ids' texts.
        ids: Vec<String>,
    },
    /// Those that match a filter.
    ByFilter {
        /// The filter, as the client gave it.
        filter: Value,
    },
    /// All of them.
    All,
}
