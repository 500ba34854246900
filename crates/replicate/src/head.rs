//! The indexes as they will be once every prepared entry is applied.

use std::{collections::BTreeMap, sync::Arc};

use miroir_log::{Catalog, Entry, Operation};
use miroir_payload::Rules;
use miroir_protocol::{settings::Settings, tasks::Swap};
use serde_json::Value;

use crate::{physical::Embedders, prepared::Prepared};

/// The sequencer's view of the indexes: the catalog that clients see, and on top of it every entry that is decided but
/// not finished.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Head {
    indexes: BTreeMap<String, HeadIndex>,
}

/// What the sequencer has to know of an index.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct HeadIndex {
    /// Its primary key, once known.
    pub primary_key: Option<String>,
    /// What its settings ask of documents.
    pub rules: Arc<Rules>,
    /// The settings that matter here, as clients have set them.
    settings: Arc<Settings>,
    /// The position from which on nothing takes documents away: what a node that has come so far holds stays.
    pub only_grows_from: u32,
}

impl HeadIndex {
    /// Its embedders after a change of settings that is about them.
    pub(crate) fn embedders_after(&self, change: &Value) -> Option<Embedders> {
        change.get("embedders")?;
        Some(self.settings_after(change).embedders.set().unwrap_or_default())
    }

    /// The index with these settings changed.
    pub(crate) fn with_settings(mut self, change: &Value) -> Self {
        self.settings = Arc::new(self.settings_after(change));
        self.rules = Arc::new(Rules::of(&self.settings));
        self
    }

    fn settings_after(&self, change: &Value) -> Settings {
        let change = Settings::from_value(change.clone()).unwrap_or_default();
        let change = Settings {
            embedders: change.embedders,
            filterable_attributes: change.filterable_attributes,
            sortable_attributes: change.sortable_attributes,
            ..Settings::default()
        };
        let mut settings = (*self.settings).clone();
        settings.apply(&change);
        settings
    }
}

/// One change of a [`Head`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum HeadChange {
    /// The index of that uid is this now.
    Put(String, HeadIndex),
    /// There is none of that uid.
    Remove(String),
    /// Two uids change places by the entry before this position; there may be no index of the second one.
    Swap(String, String, u32),
}

impl Head {
    /// The head where nothing is under way.
    pub(crate) fn from_catalog(catalog: &Catalog) -> Self {
        let indexes = catalog.indexes.values().map(|record| {
            let index = HeadIndex { primary_key: record.primary_key.clone(), ..HeadIndex::default() };
            (record.uid.clone(), index.with_settings(&record.settings))
        });
        Self { indexes: indexes.collect() }
    }

    /// The index of that uid.
    pub(crate) fn index(&self, uid: &str) -> Option<&HeadIndex> {
        self.indexes.get(uid)
    }

    /// Takes in a decision and says what changed. Entries are taken in log order.
    pub(crate) fn apply(&mut self, entry: &Entry, prepared: &Prepared) -> Vec<HeadChange> {
        let changes = self.changes(entry, prepared);
        changes.iter().for_each(|change| self.make(change));
        changes
    }

    /// Makes a change again, on what was there before it.
    pub(crate) fn make(&mut self, change: &HeadChange) {
        match change {
            HeadChange::Put(uid, index) => {
                self.indexes.insert(uid.clone(), index.clone());
            }
            HeadChange::Remove(uid) => {
                self.indexes.remove(uid);
            }
            HeadChange::Swap(left, right, position) => {
                let indexes = (self.indexes.remove(left), self.indexes.remove(right));
                let moved = |index| HeadIndex { only_grows_from: *position, ..index };
                self.indexes.extend(indexes.0.map(|index| (right.clone(), moved(index))));
                self.indexes.extend(indexes.1.map(|index| (left.clone(), moved(index))));
            }
        }
    }

    fn changes(&self, entry: &Entry, prepared: &Prepared) -> Vec<HeadChange> {
        let position = entry.uid + 1;
        if let (Operation::IndexSwap { swaps }, Prepared::Apply(_)) = (&entry.operation, prepared) {
            return swaps.iter().map(|swap| HeadChange::of_swap(swap, position)).collect();
        }
        let Some(uid) = &entry.index_uid else { return Vec::new() };
        let known = self.index(uid);
        let new = || HeadIndex { only_grows_from: position, ..HeadIndex::default() };
        let Some(effect) = prepared.effect() else {
            let is_new = prepared.creates_index() && known.is_none();
            return is_new.then(|| HeadChange::Put(uid.clone(), new())).into_iter().collect();
        };
        let mut index = known.cloned().unwrap_or_else(new);
        index.primary_key.clone_from(&effect.primary_key);
        match &entry.operation {
            Operation::IndexDeletion => return vec![HeadChange::Remove(uid.clone())],
            Operation::IndexUpdate { new_uid: Some(new_uid), .. } => {
                index.only_grows_from = position;
                return vec![HeadChange::Remove(uid.clone()), HeadChange::Put(new_uid.clone(), index)];
            }
            Operation::DocumentDeletion { .. } | Operation::DocumentEdition { .. } => {
                index.only_grows_from = position;
            }
            Operation::SettingsUpdate { settings, .. } if effect.failure.is_none() => {
                index = index.with_settings(settings);
            }
            _ => {}
        }
        let changes = known != Some(&index);
        changes.then(|| HeadChange::Put(uid.clone(), index)).into_iter().collect()
    }
}

// === impl HeadChange ===

impl HeadChange {
    fn of_swap(swap: &Swap, position: u32) -> Self {
        Self::Swap(swap.indexes.0.clone(), swap.indexes.1.clone(), position)
    }
}

#[cfg(test)]
mod tests {
    use miroir_log::Operation;
    use miroir_protocol::error::ResponseError;
    use serde_json::json;

    use super::*;
    use crate::{
        prepared::Effect,
        testing::{addition, entry, plain},
    };

    fn apply(head: &mut Head, operation: Operation, effect: Effect) {
        head.apply(&entry(0, operation), &Prepared::Apply(effect));
    }

    fn key<'a>(head: &'a Head, uid: &str) -> Option<Option<&'a str>> {
        head.index(uid).map(|index| index.primary_key.as_deref())
    }

    #[test]
    fn an_index_comes_with_its_first_documents_and_goes_with_its_deletion() {
        let mut head = Head::default();
        apply(&mut head, addition(1), Effect { creates_index: true, ..plain() });
        assert_eq!(key(&head, "movies"), Some(Some("id")));
        apply(&mut head, Operation::IndexDeletion, plain());
        assert_eq!(key(&head, "movies"), None);
    }

    #[test]
    fn a_renamed_index_keeps_its_primary_key() {
        let mut head = Head::default();
        apply(&mut head, Operation::IndexCreation { primary_key: None }, Effect::default());
        let rename = Operation::IndexUpdate { primary_key: None, new_uid: Some("films".to_owned()) };
        apply(&mut head, rename, plain());
        assert_eq!((key(&head, "movies"), key(&head, "films")), (None, Some(Some("id"))));
    }

    #[test]
    fn embedders_are_known_as_they_will_be() {
        let embedders =
            |head: &Head| serde_json::to_value(&head.index("movies").expect("there").settings.embedders);
        let mut head = Head::default();
        for change in [
            json!({"embedders": {"a": {"source": "openAi", "apiKey": "k"}, "b": {"source": "openAi"}}}),
            json!({"embedders": {"a": {"documentTemplate": "t"}, "b": null}, "stopWords": []}),
            json!({"stopWords": ["a"]}),
        ] {
            let index = head.index("movies").cloned().unwrap_or_default();
            let effect = Effect { embedders: index.embedders_after(&change), ..Effect::default() };
            let operation = Operation::SettingsUpdate {
                settings: change,
                is_deletion: false,
                allow_index_creation: true,
            };
            apply(&mut head, operation, effect);
        }
        let expected = json!({"a": {"source": "openAi", "apiKey": "k", "documentTemplate": "t"}});
        assert_eq!(embedders(&head).expect("JSON"), expected);
    }

    #[test]
    fn swapped_indexes_have_each_others_primary_keys_and_a_renaming_swap_frees_the_name() {
        let mut head = Head::default();
        apply(&mut head, addition(1), Effect { creates_index: true, ..plain() });
        let swap = |left: &str, right: &str, rename| {
            let swaps = vec![Swap { indexes: (left.to_owned(), right.to_owned()), rename }];
            Entry { index_uid: None, ..entry(1, Operation::IndexSwap { swaps }) }
        };
        head.apply(&swap("movies", "films", true), &Prepared::Apply(Effect::default()));
        assert_eq!((key(&head, "movies"), key(&head, "films")), (None, Some(Some("id"))));
        apply(&mut head, Operation::IndexCreation { primary_key: None }, Effect::default());
        head.apply(&swap("movies", "films", false), &Prepared::Apply(Effect::default()));
        assert_eq!((key(&head, "movies"), key(&head, "films")), (Some(Some("id")), Some(None)));
    }

    #[test]
    fn refused_documents_leave_the_index_they_would_have_created() {
        let refused =
            |creates_index| Prepared::Refused { error: ResponseError::index_not_found("x"), creates_index };
        let mut head = Head::default();
        head.apply(&entry(0, addition(1)), &refused(false));
        assert_eq!(key(&head, "movies"), None);
        head.apply(&entry(0, addition(1)), &refused(true));
        assert_eq!(key(&head, "movies"), Some(None));
        apply(&mut head, addition(1), plain());
        head.apply(&entry(0, addition(1)), &refused(false));
        assert_eq!(key(&head, "movies"), Some(Some("id")));
    }
}
