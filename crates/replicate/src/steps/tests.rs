use miroir_log::PayloadContent;
use miroir_protocol::error::ResponseError;

use std::sync::Arc;

use miroir_shard::SlotSet;

use super::*;
use crate::testing::{addition, entry, plain};

fn owned(slots: &SlotSet, among_others: bool) -> Owned {
    Owned { slots: Arc::new(slots.clone()), among_others, code_bits: 8 }
}

/// Method, path and body of each step, for a node that owns these slots.
fn sent(operation: Operation, effect: Effect, slots: &SlotSet) -> Vec<(String, String)> {
    let steps = steps(&entry(7, operation), &Prepared::Apply(effect), &owned(slots, false));
    let body = |content: &Content| match content {
        Content::Json(body) => body.as_ref().map(Value::to_string).unwrap_or_default(),
        Content::Documents => "documents".to_owned(),
    };
    steps.iter().map(|step| (format!("{} {}", step.method, step.path), body(&step.content))).collect()
}

fn requests(operation: Operation, effect: Effect) -> Vec<String> {
    sent(operation, effect, &Slot::all().collect()).into_iter().map(|(request, _)| request).collect()
}

fn with(change: impl FnOnce(&mut Write, &mut bool)) -> Operation {
    let mut operation = addition(1);
    if let Operation::DocumentAdditionOrUpdate { method, skip_creation, .. } = &mut operation {
        change(method, skip_creation);
    }
    operation
}

#[test]
fn documents_are_put_the_way_they_were_sent() {
    assert_eq!(requests(addition(1), plain()), ["POST /indexes/movies/documents"]);
    let update = with(|method, _| *method = Write::Update);
    assert_eq!(requests(update, plain()), ["PUT /indexes/movies/documents"]);
    let skipping = with(|_, skip| *skip = true);
    assert_eq!(requests(skipping, plain()), ["POST /indexes/movies/documents?skipCreation=true"]);
    assert_eq!(requests(addition(0), Effect { documents: 0, ..plain() }), [""; 0]);
}

#[test]
fn a_new_index_comes_first_with_its_physical_settings() {
    let effect = Effect { creates_index: true, primary_key: Some("a b&c".to_owned()), ..plain() };
    let steps = steps(&entry(7, addition(1)), &Prepared::Apply(effect), &owned(&SlotSet::new(), false));
    let shown = |step: &Step| (format!("{} {}", step.method, step.path), step.is_for_retries);
    let step = |request: &str, is_for_retries| (request.to_owned(), is_for_retries);
    assert_eq!(
        steps.iter().map(shown).collect::<Vec<_>>(),
        [
            step("POST /indexes", false),
            step("PATCH /indexes/movies/settings", false),
            step("PATCH /indexes/movies", true),
            step("POST /indexes/movies/documents?primaryKey=a%20b%26c", false)
        ]
    );
    let body = |step: &Step| match &step.content {
        Content::Json(Some(body)) => body.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(body(&steps[0]), r#"{"uid":"movies","primaryKey":"a b&c"}"#);
    assert!(body(&steps[1]).contains("_miroir.s"));
    assert_eq!(body(&steps[2]), r#"{"primaryKey":"a b&c"}"#);
    let without = Effect { creates_index: true, primary_key: None, ..plain() };
    assert_eq!(requests(addition(1), without)[0], "PATCH /indexes/movies/settings", "which creates it");
}

#[test]
fn a_primary_key_that_is_decided_reaches_nodes_without_documents_too() {
    let effect = Effect { sets_primary_key: Some("id".to_owned()), ..plain() };
    let steps = sent(with(|_, skip| *skip = true), effect, &SlotSet::new());
    assert_eq!(steps[0], ("PATCH /indexes/movies".to_owned(), r#"{"primaryKey":"id"}"#.to_owned()));
    assert_eq!(steps[1].0, "POST /indexes/movies/documents?primaryKey=id&skipCreation=true");
}

#[test]
fn refused_documents_send_the_index_at_most() {
    let refused =
        |creates_index| Prepared::Refused { error: ResponseError::index_not_found("x"), creates_index };
    let steps_of = |prepared| steps(&entry(7, addition(1)), &prepared, &owned(&SlotSet::new(), false)).len();
    assert_eq!((steps_of(refused(false)), steps_of(refused(true))), (0, 1));
}

#[test]
fn a_node_deletes_its_own_ids_only() {
    let own: SlotSet = [Slot::of("1"), Slot::of("b")].into_iter().collect();
    let ids = ["1", "2", "b"].map(str::to_owned).to_vec();
    let deletion = |ids| Operation::DocumentDeletion { selection: Selection::ByIds { ids } };
    let expected = ("POST /indexes/movies/documents/delete-batch".to_owned(), r#"["1","b"]"#.to_owned());
    assert_eq!(sent(deletion(ids), plain(), &own), [expected]);
    assert!(sent(deletion(vec!["2".to_owned()]), plain(), &own).is_empty());
}

#[test]
fn what_concerns_the_whole_index_reaches_every_node() {
    let none = SlotSet::new();
    let filter = Selection::ByFilter { filter: json!("a = 1") };
    let steps = sent(Operation::DocumentDeletion { selection: filter }, plain(), &none);
    assert_eq!(
        steps,
        [("POST /indexes/movies/documents/delete".to_owned(), r#"{"filter":"a = 1"}"#.to_owned())]
    );
    let all = Operation::DocumentDeletion { selection: Selection::All };
    assert_eq!(requests(all, plain()), ["DELETE /indexes/movies/documents"]);
    assert_eq!(requests(Operation::IndexDeletion, plain()), ["DELETE /indexes/movies"]);
    let rename = Operation::IndexUpdate { primary_key: None, new_uid: Some("films".to_owned()) };
    let steps = sent(rename, plain(), &none);
    assert_eq!(steps, [("PATCH /indexes/movies".to_owned(), r#"{"uid":"films"}"#.to_owned())]);
    let rename =
        Operation::IndexUpdate { primary_key: Some("isbn".to_owned()), new_uid: Some("films".to_owned()) };
    let keyed = Effect { sets_primary_key: Some("isbn".to_owned()), ..plain() };
    let both = r#"{"uid":"films","primaryKey":"isbn"}"#;
    assert_eq!(sent(rename, keyed, &none), [("PATCH /indexes/movies".to_owned(), both.to_owned())]);
}

#[test]
fn a_reset_of_all_settings_leaves_the_physical_ones() {
    let settings = |settings, is_deletion| Operation::SettingsUpdate {
        settings,
        is_deletion,
        allow_index_creation: true,
    };
    let all = settings(json!({"synonyms": null, "stopWords": null}), true);
    assert_eq!(requests(all, plain()), ["DELETE /indexes/movies/settings", "PATCH /indexes/movies/settings"]);
    let one = sent(settings(json!({"filterableAttributes": null}), true), plain(), &SlotSet::new());
    assert_eq!(one[0].1, r#"{"filterableAttributes":["_miroir.s"]}"#);
}

#[test]
fn steps_that_may_be_met_a_second_time_know_how_that_shows() {
    let done = |operation, effect| {
        let steps = steps(&entry(7, operation), &Prepared::Apply(effect), &owned(&SlotSet::new(), false));
        steps.into_iter().map(|step| step.done).collect::<Vec<_>>()
    };
    let create = Operation::IndexCreation { primary_key: None };
    let created = Effect { creates_index: true, ..Effect::default() };
    assert_eq!(done(create, created), [Done::Succeeded]);
    let rename = Operation::IndexUpdate { primary_key: None, new_uid: Some("films".to_owned()) };
    assert_eq!(done(rename, plain()), [Done::OrFailed("index_not_found")]);
    assert_eq!(done(Operation::IndexDeletion, plain()), [Done::OrFailed("index_not_found")]);
}

#[test]
fn what_must_not_be_done_twice_can_be_recognised() {
    let swaps = vec![Swap { indexes: ("movies".to_owned(), "films".to_owned()), rename: false }];
    let swap = Entry { index_uid: None, ..entry(7, Operation::IndexSwap { swaps }) };
    let steps = steps(&swap, &Prepared::Apply(plain()), &owned(&SlotSet::new(), false));
    let known: Vec<_> = steps.iter().map(|step| (step.is_tagged(), step.found_as, step.done)).collect();
    assert_eq!(known, [(true, None, Done::Anyhow), (false, Some(Kind::IndexSwap), Done::Succeeded)]);
}

#[test]
fn routes_of_documents_and_no_others_are_tagged() {
    let tagged = |path: &str| json_step(Method::POST, path.to_owned(), None, None).is_tagged();
    for path in
        ["/indexes/movies/documents", "/indexes/movies/documents/edit", "/indexes/m/documents?primaryKey=x"]
    {
        assert!(tagged(path), "{path}");
    }
    for path in ["/indexes", "/indexes/documents", "/indexes/documents/settings"] {
        assert!(!tagged(path), "{path}");
    }
}

#[test]
fn a_payload_that_is_gone_changes_nothing_of_the_steps() {
    let mut operation = addition(1);
    if let Operation::DocumentAdditionOrUpdate { payload, .. } = &mut operation {
        payload.content = PayloadContent::Removed;
    }
    assert_eq!(requests(operation, plain()), ["POST /indexes/movies/documents"]);
}

#[test]
fn what_else_a_node_holds_is_left_alone() {
    let slots: SlotSet = (0..64).filter_map(Slot::new).collect();
    let body = |operation: Operation| {
        let steps = steps(&entry(7, operation), &Prepared::Apply(plain()), &owned(&slots, true));
        match &steps[0].content {
            Content::Json(Some(body)) => (steps[0].path.clone(), body["filter"].clone()),
            other => panic!("{other:?}"),
        }
    };
    let own = r#"_miroir.s IN ["!!!!"]"#;
    let deletion = |selection| Operation::DocumentDeletion { selection };
    assert_eq!(body(deletion(Selection::All)), ("/indexes/movies/documents/delete".to_owned(), json!(own)));
    let filter = json!("a = 1");
    assert_eq!(body(deletion(Selection::ByFilter { filter })).1, json!(["a = 1", own]));
    let filter = json!([["a = 1", "b = 2"]]);
    assert_eq!(body(deletion(Selection::ByFilter { filter })).1, json!([["a = 1", "b = 2"], own]));
    let edition =
        |filter| Operation::DocumentEdition { function: "doc.n += 1".to_owned(), context: None, filter };
    assert_eq!(body(edition(None)).1, json!(own));
    assert_eq!(body(edition(Some(json!("a = 1")))).1, json!(["a = 1", own]));
}
