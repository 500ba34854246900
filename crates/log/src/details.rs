//! A task's details before anything is known about its end.

use miroir_protocol::{Settings, tasks::Details};
use serde_json::{Value, json};

use crate::operation::{Export, Operation, Selection};

impl Operation {
    /// What clients see as the details of a task that is still waiting.
    pub fn initial_details(&self, index_uid: Option<&str>) -> Option<Value> {
        Some(match self {
            // The keys of remote services are not for the eyes of whoever may list tasks.
            Self::SettingsUpdate { settings, .. } => match Settings::from_value(settings.clone()) {
                Ok(settings) => Details::settings(&settings).to_value(),
                Err(_) => return None,
            },
            Self::DumpCreation { .. } => json!({ "dumpUid": null }),
            Self::SnapshotCreation => return None,
            Self::Export(export) => export.details(),
            Self::RuleUpdate { change: Some(change), .. } => json!({ "rule": change, "updatedRules": 1 }),
            Self::RuleUpdate { change: None, .. } => json!({ "updatedRules": 1 }),
            other => other.details(index_uid)?.to_value(),
        })
    }

    /// What clients see as the details of a task that was given up before anything of it was done.
    pub(crate) fn canceled_details(&self, index_uid: Option<&str>) -> Option<Value> {
        match self {
            Self::SettingsUpdate { .. } | Self::RuleUpdate { .. } => self.initial_details(index_uid),
            other => Some(other.details(index_uid)?.failed().to_value()),
        }
    }

    fn details(&self, index_uid: Option<&str>) -> Option<Details> {
        Some(match self {
            Self::IndexCreation { primary_key } => {
                Details::Index { primary_key: primary_key.clone(), old_index_uid: None, new_index_uid: None }
            }
            Self::IndexUpdate { primary_key, new_uid } => Details::Index {
                primary_key: primary_key.clone(),
                old_index_uid: new_uid.as_ref().and(index_uid).map(str::to_owned),
                new_index_uid: new_uid.clone(),
            },
            Self::IndexDeletion | Self::RuleClear | Self::DocumentDeletion { selection: Selection::All } => {
                Details::ClearAll { deleted_documents: None }
            }
            Self::IndexSwap { swaps } => Details::Swaps { swaps: swaps.clone() },
            Self::DocumentAdditionOrUpdate { payload, .. } => {
                Details::DocumentAddition { received_documents: payload.documents, indexed_documents: None }
            }
            Self::DocumentDeletion { selection: Selection::ByIds { ids } } => Details::DocumentDeletion {
                provided_ids: ids.len() as u64,
                deleted_documents: None,
                original_filter: (),
            },
            Self::DocumentDeletion { selection: Selection::ByFilter { filter } } => {
                Details::DocumentDeletionByFilter {
                    provided_ids: 0,
                    deleted_documents: None,
                    original_filter: filter.to_string(),
                }
            }
            Self::DocumentEdition { function, context, filter } => Details::DocumentEdition {
                edited_documents: None,
                deleted_documents: None,
                original_filter: filter.as_ref().map(Value::to_string),
                context: context.as_ref().and_then(Value::as_object).cloned(),
                function: function.clone(),
            },
            Self::IndexCompaction => {
                Details::IndexCompaction { pre_compaction_size: None, post_compaction_size: None }
            }
            Self::TaskCancelation { query, tasks } => Details::TaskCancelation {
                matched_tasks: tasks.len(),
                canceled_tasks: None,
                original_filter: query.clone(),
            },
            Self::TaskDeletion { query, tasks } => Details::TaskDeletion {
                matched_tasks: tasks.len(),
                deleted_tasks: None,
                original_filter: query.clone(),
            },
            Self::SettingsUpdate { .. }
            | Self::DumpCreation { .. }
            | Self::SnapshotCreation
            | Self::Export(_)
            | Self::RuleUpdate { .. } => return None,
        })
    }
}

impl Export {
    /// What clients see as the details of its task, most of the key hidden.
    pub fn details(&self) -> Value {
        let indexes = self.indexes.iter().map(|(pattern, index)| {
            let details = json!({
                "filter": index.filter, "overrideSettings": index.override_settings, "matchedDocuments": null,
            });
            (pattern.clone(), details)
        });
        let mut details = json!({
            "url": self.url, "indexes": indexes.collect::<serde_json::Map<String, Value>>(),
        });
        if let Some(key) = &self.api_key {
            details["apiKey"] = miroir_protocol::settings::hidden(key).into();
        }
        if let Some(bytes) = self.payload_size {
            details["payloadSize"] = miroir_protocol::size_text(bytes).into();
        }
        details
    }
}
