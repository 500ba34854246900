//! What tasks were asked and what came of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::settings::Settings;

/// The `details` of a task. Counts are `None` until the task is finished.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Details {
    /// Documents added, replaced or updated.
    DocumentAddition {
        /// How many were sent.
        received_documents: u64,
        /// How many were taken.
        indexed_documents: Option<u64>,
    },
    /// Documents deleted by id.
    DocumentDeletion {
        /// How many ids were sent.
        provided_ids: u64,
        /// How many documents are gone.
        deleted_documents: Option<u64>,
        /// Always `null`.
        original_filter: (),
    },
    /// Documents deleted by filter.
    DocumentDeletionByFilter {
        /// Always 0.
        provided_ids: u64,
        /// How many documents are gone.
        deleted_documents: Option<u64>,
        /// The filter as JSON.
        original_filter: String,
    },
    /// All documents deleted, or the index with them.
    ClearAll {
        /// How many documents are gone.
        deleted_documents: Option<u64>,
    },
    /// Documents edited by a function.
    DocumentEdition {
        /// How many the function changed.
        edited_documents: Option<u64>,
        /// How many the function deleted.
        deleted_documents: Option<u64>,
        /// The filter as JSON.
        original_filter: Option<String>,
        /// What the function was given besides the document.
        context: Option<Map<String, Value>>,
        /// The function.
        function: String,
    },
    /// Settings changed or reset.
    Settings(Box<Settings>),
    /// An index created or changed.
    Index {
        /// The field that holds ids.
        primary_key: Option<String>,
        /// The name it had, when it gets another.
        #[serde(skip_serializing_if = "Option::is_none")]
        old_index_uid: Option<String>,
        /// The name it gets.
        #[serde(skip_serializing_if = "Option::is_none")]
        new_index_uid: Option<String>,
    },
    /// Indexes swapped.
    Swaps {
        /// Which ones.
        swaps: Vec<Swap>,
    },
    /// An index made smaller.
    IndexCompaction {
        /// How much room it took, with its unit.
        #[serde(skip_serializing_if = "Option::is_none")]
        pre_compaction_size: Option<String>,
        /// How much it takes now.
        #[serde(skip_serializing_if = "Option::is_none")]
        post_compaction_size: Option<String>,
    },
    /// Tasks canceled.
    TaskCancelation {
        /// How many were meant.
        matched_tasks: u64,
        /// How many were canceled.
        canceled_tasks: Option<u64>,
        /// The query string, with its question mark.
        original_filter: String,
    },
    /// Tasks deleted.
    TaskDeletion {
        /// How many were meant.
        matched_tasks: u64,
        /// How many are gone.
        deleted_tasks: Option<u64>,
        /// The query string, with its question mark.
        original_filter: String,
    },
}

/// Two indexes that change places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {
    /// Their names.
    pub indexes: (String, String),
    /// Whether the second one is only a new name for the first.
    #[serde(default)]
    pub rename: bool,
}

impl Details {
    /// The details of a change of settings, keys of remote services hidden.
    pub fn settings(settings: &Settings) -> Self {
        let mut settings = settings.clone();
        settings.hide_secrets();
        Self::Settings(Box::new(settings))
    }

    /// The details of the same task after it failed: nothing was done.
    #[must_use]
    pub fn failed(mut self) -> Self {
        match &mut self {
            Self::DocumentAddition { indexed_documents: done, .. }
            | Self::DocumentDeletion { deleted_documents: done, .. }
            | Self::DocumentDeletionByFilter { deleted_documents: done, .. }
            | Self::ClearAll { deleted_documents: done }
            | Self::DocumentEdition { edited_documents: done, .. }
            | Self::TaskCancelation { canceled_tasks: done, .. }
            | Self::TaskDeletion { deleted_tasks: done, .. } => *done = Some(0),
            Self::Settings(_) | Self::Index { .. } | Self::Swaps { .. } | Self::IndexCompaction { .. } => {}
        }
        self
    }

    /// As they stand in a task.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Details;
    use crate::settings::Settings;

    #[test]
    fn counts_are_null_until_they_are_known() {
        let details = Details::DocumentAddition { received_documents: 3, indexed_documents: None };
        assert_eq!(details.to_value(), json!({"receivedDocuments": 3, "indexedDocuments": null}));
        assert_eq!(details.failed().to_value(), json!({"receivedDocuments": 3, "indexedDocuments": 0}));
    }

    #[test]
    fn keys_of_embedders_are_hidden() {
        let body = br#"{"embedders":{"e":{"source":"openAi","apiKey":"sk-1234567890123456789012345678"}}}"#;
        let settings = Settings::from_json(body).expect("good");
        let expected = json!({"embedders": {"e": {"source": "openAi", "apiKey": "sk-12XXXXXX..."}}});
        assert_eq!(Details::settings(&settings).to_value(), expected);
    }
}
