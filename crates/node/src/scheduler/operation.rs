//! What a task is to do, as the queue keeps it.

use miroir_protocol::tasks::{Kind, Swap};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How documents that are already there are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Method {
    /// The new document takes the old one's place.
    Replace,
    /// The new document's fields are merged into the old one.
    Update,
}

/// What a task is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Operation {
    IndexCreation {
        primary_key: Option<String>,
    },
    IndexUpdate {
        primary_key: Option<String>,
        new_uid: Option<String>,
    },
    IndexDeletion,
    IndexSwap {
        swaps: Vec<Swap>,
    },
    /// `payload` names a file of documents, one JSON object after another.
    DocumentAddition {
        method: Method,
        primary_key: Option<String>,
        payload: String,
        documents: u64,
        bytes: u64,
        skip_creation: bool,
    },
    DocumentDeletion {
        ids: Vec<String>,
    },
    DocumentDeletionByFilter {
        filter: Value,
    },
    DocumentClear,
    DocumentEdition {
        function: String,
        context: Option<Value>,
        filter: Option<Value>,
    },
    /// `settings` is a patch: an absent member is left as it is, `null` goes back to the default.
    SettingsUpdate {
        settings: Value,
        is_deletion: bool,
    },
    TaskCancelation {
        query: String,
        tasks: Vec<u32>,
    },
    TaskDeletion {
        query: String,
        tasks: Vec<u32>,
    },
}

impl Operation {
    /// The type that clients see.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::IndexCreation { .. } => Kind::IndexCreation,
            Self::IndexUpdate { .. } => Kind::IndexUpdate,
            Self::IndexDeletion => Kind::IndexDeletion,
            Self::IndexSwap { .. } => Kind::IndexSwap,
            Self::DocumentAddition { .. } => Kind::DocumentAdditionOrUpdate,
            Self::DocumentDeletion { .. } | Self::DocumentDeletionByFilter { .. } | Self::DocumentClear => {
                Kind::DocumentDeletion
            }
            Self::DocumentEdition { .. } => Kind::DocumentEdition,
            Self::SettingsUpdate { .. } => Kind::SettingsUpdate,
            Self::TaskCancelation { .. } => Kind::TaskCancelation,
            Self::TaskDeletion { .. } => Kind::TaskDeletion,
        }
    }

    /// The details of a task that has not finished: what is asked for is known, what came of it is not.
    pub(crate) fn pending_details(&self, index_uid: Option<&str>) -> Value {
        self.details(index_uid, Value::Null)
    }

    /// The details of a task that changed nothing.
    pub(crate) fn failed_details(&self, index_uid: Option<&str>) -> Value {
        self.details(index_uid, json!(0))
    }

    /// The details where `count` is what was done: documents indexed, deleted or edited, tasks canceled or deleted.
    pub(crate) fn details(&self, index_uid: Option<&str>, count: Value) -> Value {
        match self {
            Self::IndexCreation { primary_key } => json!({ "primaryKey": primary_key }),
            Self::IndexUpdate { primary_key, new_uid: None } => json!({ "primaryKey": primary_key }),
            Self::IndexUpdate { primary_key, new_uid: Some(new_uid) } => {
                json!({ "primaryKey": primary_key, "oldIndexUid": index_uid, "newIndexUid": new_uid })
            }
            Self::IndexDeletion | Self::DocumentClear => json!({ "deletedDocuments": count }),
            Self::IndexSwap { swaps } => json!({ "swaps": swaps }),
            Self::DocumentAddition { documents, .. } => {
                json!({ "receivedDocuments": documents, "indexedDocuments": count })
            }
            Self::DocumentDeletion { ids } => {
                json!({ "providedIds": ids.len(), "deletedDocuments": count, "originalFilter": null })
            }
            Self::DocumentDeletionByFilter { filter } => json!({
                "providedIds": 0, "deletedDocuments": count, "originalFilter": filter.to_string()
            }),
            Self::DocumentEdition { function, context, filter } => json!({
                "editedDocuments": count,
                "deletedDocuments": count,
                "originalFilter": filter.as_ref().map(Value::to_string),
                "context": context,
                "function": function,
            }),
            Self::SettingsUpdate { settings, .. } => settings.clone(),
            Self::TaskCancelation { query, tasks } => {
                json!({ "matchedTasks": tasks.len(), "canceledTasks": count, "originalFilter": query })
            }
            Self::TaskDeletion { query, tasks } => {
                json!({ "matchedTasks": tasks.len(), "deletedTasks": count, "originalFilter": query })
            }
        }
    }

    /// The file that holds the task's documents.
    pub(crate) fn payload(&self) -> Option<&str> {
        match self {
            Self::DocumentAddition { payload, .. } => Some(payload),
            _ => None,
        }
    }

    /// Whether the index is created when it is not there.
    pub(crate) fn creates_index(&self) -> bool {
        matches!(self, Self::DocumentAddition { .. } | Self::SettingsUpdate { is_deletion: false, .. })
    }
}
