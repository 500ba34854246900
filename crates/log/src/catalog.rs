//! The indexes as clients see them.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

/// One index as clients see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexRecord {
    /// Its name.
    pub uid: String,
    /// Its primary key, once known.
    pub primary_key: Option<String>,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last written to.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// The logical settings, in the form of Meilisearch's settings object; only those that were set.
    #[serde(default)]
    pub settings: Value,
}

/// All indexes, at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    /// The indexes by uid.
    pub indexes: BTreeMap<String, Arc<IndexRecord>>,
}

impl Catalog {
    /// The index with this uid.
    pub fn index(&self, uid: &str) -> Option<&IndexRecord> {
        self.indexes.get(uid).map(Arc::as_ref)
    }

    /// Makes one change.
    pub fn apply(&mut self, change: &CatalogChange) {
        match change {
            CatalogChange::Put(record) => {
                self.indexes.insert(record.uid.clone(), Arc::new(record.clone()));
            }
            CatalogChange::Remove { uid } => {
                self.indexes.remove(uid);
            }
        }
    }
}

/// A change of what clients see, made when a task finishes.
///
/// A rename is a removal and a put, a swap two puts.
#[derive(Debug, Clone, PartialEq)]
pub enum CatalogChange {
    /// The index is now this.
    Put(IndexRecord),
    /// The index is no more.
    Remove {
        /// Its name.
        uid: String,
    },
}
