//! The indexes as they will be once every prepared entry is applied.

use std::collections::BTreeMap;

use miroir_log::{Catalog, Entry, Operation};
use miroir_protocol::settings::Settings;
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
    /// Its embedders, as clients have set them.
    pub embedders: Embedders,
}

impl HeadIndex {
    /// Its embedders after a change of settings that is about them.
    pub(crate) fn embedders_after(&self, change: &Value) -> Option<Embedders> {
        change.get("embedders")?;
        let change = Settings::from_value(change.clone()).ok()?;
        let mut settings = Settings { embedders: Some(self.embedders.clone()).into(), ..Settings::default() };
        settings.apply(&change);
        Some(settings.embedders.set().unwrap_or_default())
    }
}

impl Head {
    /// The head where nothing is under way.
    pub(crate) fn from_catalog(catalog: &Catalog) -> Self {
        let indexes = catalog.indexes.values().map(|record| {
            let mut index = HeadIndex { primary_key: record.primary_key.clone(), ..HeadIndex::default() };
            index.embedders = index.embedders_after(&record.settings).unwrap_or_default();
            (record.uid.clone(), index)
        });
        Self { indexes: indexes.collect() }
    }

    /// The index of that uid.
    pub(crate) fn index(&self, uid: &str) -> Option<&HeadIndex> {
        self.indexes.get(uid)
    }

    /// Takes in a decision. Entries are taken in log order.
    pub(crate) fn apply(&mut self, entry: &Entry, prepared: &Prepared) {
        let Some(uid) = &entry.index_uid else { return };
        if prepared.creates_index() {
            self.indexes.entry(uid.clone()).or_default();
        }
        let Some(effect) = prepared.effect() else { return };
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
                if let Some(embedders) = effect.embedders.as_ref().filter(|_| effect.failure.is_none()) {
                    index.embedders.clone_from(embedders);
                }
            }
        }
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
        let embedders = |head: &Head| serde_json::to_value(&head.index("movies").expect("there").embedders);
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
