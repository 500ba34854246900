use miroir_log::{CatalogChange, IndexRecord};
use miroir_protocol::error::ResponseError;

use super::*;
use crate::testing::{addition, entry, plain, topology, work};

fn catalog() -> Catalog {
    let created = OffsetDateTime::UNIX_EPOCH;
    let record = IndexRecord {
        uid: "movies".to_owned(),
        primary_key: Some("id".to_owned()),
        created_at: created,
        updated_at: created,
        settings: json!({"stopWords": ["the"]}),
    };
    let mut catalog = Catalog::default();
    catalog.apply(&CatalogChange::Put(record));
    catalog
}

fn now() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + time::Duration::hours(1)
}

/// The catalog after an entry.
fn after(catalog: &Catalog, operation: Operation, prepared: Prepared) -> Catalog {
    let mut after = catalog.clone();
    for change in catalog_changes(&entry(3, operation), &prepared, catalog, now()) {
        after.apply(&change);
    }
    after
}

fn failed(effect: Effect) -> Prepared {
    Prepared::Apply(Effect { failure: Some(ResponseError::index_not_found("x")), ..effect })
}

#[test]
fn documents_create_the_index_and_later_ones_touch_it() {
    let created =
        after(&Catalog::default(), addition(1), Prepared::Apply(Effect { creates_index: true, ..plain() }));
    let record = created.index("movies").expect("an index");
    assert_eq!((record.primary_key.as_deref(), record.created_at), (Some("id"), now()));
    let touched = after(&catalog(), addition(1), Prepared::Apply(plain()));
    let record = touched.index("movies").expect("an index");
    assert_eq!((record.created_at, record.updated_at), (OffsetDateTime::UNIX_EPOCH, now()));
    assert_eq!(record.settings, json!({"stopWords": ["the"]}));
}

#[test]
fn what_failed_leaves_what_came_before_it() {
    let creating = Effect { creates_index: true, ..plain() };
    let index = after(&Catalog::default(), addition(1), failed(creating.clone()));
    assert_eq!(index.index("movies").and_then(|record| record.primary_key.as_deref()), Some("id"));
    let create = Operation::IndexCreation { primary_key: None };
    assert_eq!(after(&Catalog::default(), create, failed(creating)), Catalog::default());
    assert_eq!(after(&catalog(), addition(1), failed(plain())), catalog());
    assert_eq!(after(&catalog(), Operation::IndexDeletion, failed(plain())), catalog());
}

#[test]
fn refused_documents_leave_an_empty_index_where_there_was_none() {
    let refused =
        |creates_index| Prepared::Refused { error: ResponseError::index_not_found("x"), creates_index };
    let index = after(&Catalog::default(), addition(1), refused(true));
    assert_eq!(index.index("movies").map(|record| record.primary_key.as_deref()), Some(None));
    assert_eq!(after(&catalog(), addition(1), refused(false)), catalog());
}

#[test]
fn a_rename_moves_the_record_and_a_deletion_removes_it() {
    let rename = Operation::IndexUpdate { primary_key: None, new_uid: Some("films".to_owned()) };
    let renamed = after(&catalog(), rename, Prepared::Apply(plain()));
    assert_eq!(renamed.indexes.keys().collect::<Vec<_>>(), ["films"]);
    let record = renamed.index("films").expect("the index");
    assert_eq!((record.uid.as_str(), record.created_at), ("films", OffsetDateTime::UNIX_EPOCH));
    assert_eq!(after(&catalog(), Operation::IndexDeletion, Prepared::Apply(plain())), Catalog::default());
}

#[test]
fn settings_are_changed_by_what_was_set() {
    let settings = json!({"stopWords": null, "searchableAttributes": ["title"]});
    let update = Operation::SettingsUpdate { settings, is_deletion: false, allow_index_creation: true };
    let record = after(&catalog(), update, Prepared::Apply(plain()));
    let settings = record.index("movies").expect("the index").settings.clone();
    assert_eq!(settings["searchableAttributes"], json!(["title"]));
    assert_ne!(settings["stopWords"], json!(["the"]));
}

fn details_of(operation: Operation, succeeded: bool) -> Value {
    let counts = Counts { deleted: 2, edited: 3, compacted: (40_960, 8_192) };
    details(&entry(3, operation), Some(&plain()), succeeded, counts).expect("details")
}

#[test]
fn details_tell_what_was_done_and_nothing_where_it_failed() {
    let added = |documents| json!({"receivedDocuments": 1, "indexedDocuments": documents});
    assert_eq!((details_of(addition(1), true), details_of(addition(1), false)), (added(1), added(0)));

    let ids = Selection::ByIds { ids: vec!["1".to_owned(); 3] };
    let by_ids = details_of(Operation::DocumentDeletion { selection: ids }, true);
    assert_eq!(by_ids, json!({"providedIds": 3, "deletedDocuments": 2, "originalFilter": null}));

    let by_filter = |succeeded| {
        let selection = Selection::ByFilter { filter: json!("a = 1") };
        details_of(Operation::DocumentDeletion { selection }, succeeded)["deletedDocuments"].clone()
    };
    assert_eq!((by_filter(true), by_filter(false)), (json!(2), json!(0)));

    let edition = Operation::DocumentEdition { function: "f".to_owned(), context: None, filter: None };
    assert_eq!(details_of(edition, true)["editedDocuments"], json!(3));

    let sizes = json!({"preCompactionSize": "40 KiB", "postCompactionSize": "8 KiB"});
    assert_eq!(details_of(Operation::IndexCompaction, true), sizes);
}

/// What nodes counted, each with its own slots by the map and those of `more`.
fn deleted(topology: &Topology, counted: &[(&str, u64)], more: &[(&str, &str)]) -> u64 {
    let slots = |name: &str| topology.map.written_slots(topology.map.node_id(name).expect("a node"));
    let counted = counted.iter().map(|(name, deleted)| {
        let mut all = slots(name);
        more.iter().filter(|(taker, _)| taker == name).for_each(|(_, giver)| all.extend(slots(giver).iter()));
        let counts = Counts { deleted: *deleted, ..Counts::default() };
        ((*name).to_owned(), Counted { counts, slots: Arc::new(all) })
    });
    once_per_document(topology, &counted.collect()).deleted
}

#[test]
fn documents_count_once_however_many_copies_there_are() {
    let deleted = |topology, counted: &[(&str, u64)]| deleted(&topology, counted, &[]);
    assert_eq!(deleted(topology(&[3], 1), &[("g0n0", 1), ("g0n2", 4)]), 5);
    assert_eq!(deleted(topology(&[2, 2], 1), &[("g0n0", 1), ("g0n1", 4), ("g1n0", 5)]), 5);
    assert_eq!(deleted(topology(&[2, 2], 1), &[("g1n0", 5)]), 5, "the first group is down");
    assert_eq!(deleted(topology(&[2], 2), &[("g0n0", 3), ("g0n1", 3)]), 3);
}

#[test]
fn what_a_node_did_to_documents_that_others_had_too_does_not_count() {
    let topology = topology(&[3], 1);
    let taken_over: &[_] = &[("g0n1", "g0n0")];
    assert_eq!(deleted(&topology, &[("g0n0", 2), ("g0n1", 5), ("g0n2", 4)], taken_over), 9);
    assert_eq!(deleted(&topology, &[("g0n0", 0), ("g0n1", 3), ("g0n2", 4)], taken_over), 7);
    // What both have done is not told apart from what one of them has done besides.
    let exchanged = &[("g0n1", "g0n0"), ("g0n2", "g0n1")];
    let at_most = deleted(&topology, &[("g0n0", 2), ("g0n1", 5), ("g0n2", 7)], exchanged);
    assert!((9..=12).contains(&at_most), "{at_most}");
}

#[test]
fn no_more_documents_are_deleted_by_ids_than_there_are_ids() {
    let ids = Selection::ByIds { ids: vec!["1".to_owned()] };
    assert_eq!(details_of(Operation::DocumentDeletion { selection: ids }, true)["deletedDocuments"], 1);
}

#[test]
fn every_index_an_entry_changed_is_touched() {
    let mut touched = BTreeMap::new();
    let rename = Operation::IndexUpdate { primary_key: None, new_uid: Some("films".to_owned()) };
    note_touched(&mut touched, &work(4, addition(1), plain()));
    note_touched(&mut touched, &work(6, rename, plain()));
    assert_eq!(touched, BTreeMap::from([("films".to_owned(), 7), ("movies".to_owned(), 7)]));
}
