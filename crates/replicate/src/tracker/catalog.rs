//! What a finished entry changes for clients: the indexes they see, and the names in earlier tasks.

use miroir_log::{Catalog, CatalogChange, Entry, IndexRecord, Operation};
use miroir_protocol::{settings::Settings, tasks::Swap};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::prepared::{Effect, Prepared};

/// What clients see of the indexes once the entry is through.
pub(super) fn catalog_changes(
    entry: &Entry,
    prepared: &Prepared,
    catalog: &Catalog,
    now: OffsetDateTime,
) -> Vec<CatalogChange> {
    if let (Operation::IndexSwap { swaps }, Prepared::Apply(Effect { failure: None, .. })) =
        (&entry.operation, prepared)
    {
        return swaps.iter().flat_map(|swap| swap_changes(swap, catalog)).collect();
    }
    let Some(uid) = &entry.index_uid else { return Vec::new() };
    let record = catalog.index(uid).cloned().unwrap_or_else(|| IndexRecord {
        uid: uid.clone(),
        primary_key: None,
        created_at: now,
        updated_at: now,
        settings: json!({}),
    });
    match prepared {
        Prepared::Refused { creates_index, .. } => {
            creates_index.then_some(CatalogChange::Put(record)).into_iter().collect()
        }
        Prepared::Apply(effect) if effect.failure.is_some() => {
            failed_change(&entry.operation, effect, record).into_iter().collect()
        }
        Prepared::Apply(effect) => applied_changes(&entry.operation, effect, record, now),
        Prepared::Settled => Vec::new(),
    }
}

/// Each of two indexes under the other's name; where there is no second one, the first under its name.
fn swap_changes(swap: &Swap, catalog: &Catalog) -> Vec<CatalogChange> {
    let (left, right) = &swap.indexes;
    let moved = |from: &str, to: &str| match catalog.index(from) {
        Some(record) => CatalogChange::Put(IndexRecord { uid: to.to_owned(), ..record.clone() }),
        None => CatalogChange::Remove { uid: to.to_owned() },
    };
    vec![moved(left, right), moved(right, left)]
}

/// The names that change places in earlier tasks.
pub(super) fn renames(entry: &Entry) -> Vec<(String, String)> {
    match (&entry.operation, &entry.index_uid) {
        (Operation::IndexSwap { swaps }, _) => swaps.iter().map(|swap| swap.indexes.clone()).collect(),
        (Operation::IndexUpdate { new_uid: Some(new_uid), .. }, Some(uid)) if new_uid != uid => {
            vec![(uid.clone(), new_uid.clone())]
        }
        _ => Vec::new(),
    }
}

/// What is there although the entry failed on a node: the index and the primary key, which come before it.
fn failed_change(operation: &Operation, effect: &Effect, mut record: IndexRecord) -> Option<CatalogChange> {
    let is_of_the_index =
        matches!(operation, Operation::IndexCreation { .. } | Operation::IndexUpdate { .. });
    let is_there = effect.creates_index || effect.sets_primary_key.is_some();
    record.primary_key.clone_from(&effect.primary_key);
    (is_there && !is_of_the_index).then_some(CatalogChange::Put(record))
}

fn applied_changes(
    operation: &Operation,
    effect: &Effect,
    mut record: IndexRecord,
    now: OffsetDateTime,
) -> Vec<CatalogChange> {
    record.updated_at = now;
    record.primary_key.clone_from(&effect.primary_key);
    let mut changes = Vec::new();
    match operation {
        Operation::IndexDeletion => return vec![CatalogChange::Remove { uid: record.uid }],
        Operation::SettingsUpdate { settings, .. } => record.settings = changed(&record.settings, settings),
        Operation::IndexUpdate { new_uid: Some(new_uid), .. } if *new_uid != record.uid => {
            let uid = std::mem::replace(&mut record.uid, new_uid.clone());
            changes.push(CatalogChange::Remove { uid });
        }
        _ => {}
    }
    changes.push(CatalogChange::Put(record));
    changes
}

/// The settings that clients see after a change. What cannot be read is the change's own: it was checked when it was
/// taken.
fn changed(settings: &Value, patch: &Value) -> Value {
    let read = |value: &Value| Settings::from_value(value.clone()).unwrap_or_default();
    let mut settings = read(settings);
    settings.apply(&read(patch));
    settings.to_value()
}
