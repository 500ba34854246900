//! The indexes as they will be once every prepared entry is applied.

use std::collections::BTreeMap;

use miroir_log::{Catalog, Entry, Operation};

use crate::prepared::Prepared;

/// The sequencer's view of the indexes: the catalog that clients see, and on top of it every entry that is decided but
/// not finished.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    indexes: BTreeMap<String, HeadIndex>,
}

/// What the sequencer has to know of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeadIndex {
    /// Its primary key, once known.
    pub primary_key: Option<String>,
}

impl Head {
    /// The head where nothing is under way.
    pub(crate) fn from_catalog(catalog: &Catalog) -> Self {
        let indexes = catalog.indexes.values();
        let indexes =
            indexes.map(|record| (record.uid.clone(), HeadIndex { primary_key: record.primary_key.clone() }));
        Self { indexes: indexes.collect() }
    }

    /// The index of that uid.
    pub(crate) fn index(&self, uid: &str) -> Option<&HeadIndex> {
        self.indexes.get(uid)
    }

    /// Takes in a decision. Entries are taken in log order.
    pub(crate) fn apply(&mut self, entry: &Entry, prepared: &Prepared) {
        let (Some(uid), Some(effect)) = (&entry.index_uid, prepared.effect()) else { return };
        match &entry.operation {
            Operation::IndexDeletion => {
                self.indexes.remove(uid);
            }
            Operation::IndexUpdate { new_uid: Some(new_uid), .. } => {
                let mut index = self.indexes.remove(uid).unwrap_or_default();
                index.primary_key.clone_from(&effect.primary_key);
                self.indexes.insert(new_uid.clone(), index);
            }
            _ => {
                let index = self.indexes.entry(uid.clone()).or_default();
                index.primary_key.clone_from(&effect.primary_key);
            }
        }
    }
}
