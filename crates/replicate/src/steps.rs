//! What an entry is for one node: the requests it becomes.

use http::Method;
use miroir_log::{Entry, Method as Write, Operation, Selection};
use miroir_shard::{Slot, SlotSet};
use serde_json::{Value, json};

use crate::{
    physical,
    prepared::{Effect, Prepared},
};

/// One request that makes one task on a node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// A request with a small body of JSON.
    Json {
        method: Method,
        path: String,
        body: Option<Value>,
        /// The code of the failure that says the step was done before.
        done: Option<&'static str>,
    },
    /// The documents of the entry that the node owns, as NDJSON.
    Documents { method: Method, path: String },
}

/// The steps of an entry for the node that owns `slots`; none where the entry does not concern it.
pub(crate) fn steps(entry: &Entry, prepared: &Prepared, slots: &SlotSet) -> Vec<Step> {
    let (Some(uid), Some(effect)) = (&entry.index_uid, prepared.effect()) else { return Vec::new() };
    let mut steps = preparation(uid, effect);
    match &entry.operation {
        Operation::IndexCreation { .. } | Operation::IndexSwap { .. } => {}
        Operation::IndexUpdate { new_uid, .. } => steps.extend(update_index(uid, new_uid.as_deref())),
        Operation::IndexDeletion => {
            steps.push(json_step(Method::DELETE, format!("/indexes/{uid}"), None, Some("index_not_found")));
        }
        Operation::DocumentAdditionOrUpdate { method, skip_creation, .. } if effect.documents > 0 => {
            let method = if *method == Write::Replace { Method::POST } else { Method::PUT };
            let query = if *skip_creation { "?skipCreation=true" } else { "" };
            steps.push(Step::Documents { method, path: format!("/indexes/{uid}/documents{query}") });
        }
        Operation::DocumentAdditionOrUpdate { .. } => {}
        Operation::DocumentDeletion { selection } => steps.extend(deletion(uid, selection, slots)),
        Operation::DocumentEdition { function, context, filter } => {
            let body = json!({ "function": function, "context": context, "filter": filter });
            steps.push(json_step(Method::POST, format!("/indexes/{uid}/documents/edit"), Some(body), None));
        }
        Operation::SettingsUpdate { settings, is_deletion, .. } => {
            steps.extend(settings_steps(uid, settings, *is_deletion));
        }
    }
    steps
}

/// What comes before the entry's own request: the index, its primary key.
fn preparation(uid: &str, effect: &Effect) -> Vec<Step> {
    if effect.creates_index {
        let create = json!({ "uid": uid, "primaryKey": effect.primary_key });
        return vec![
            json_step(Method::POST, "/indexes".to_owned(), Some(create), Some("index_already_exists")),
            settings_step(uid, physical::initial()),
        ];
    }
    let path = format!("/indexes/{uid}");
    let key = effect.sets_primary_key.as_ref().map(|key| json!({ "primaryKey": key }));
    key.map(|key| json_step(Method::PATCH, path, Some(key), None)).into_iter().collect()
}

fn update_index(uid: &str, new_uid: Option<&str>) -> Option<Step> {
    let rename = json!({ "uid": new_uid? });
    Some(json_step(Method::PATCH, format!("/indexes/{uid}"), Some(rename), Some("index_not_found")))
}

fn deletion(uid: &str, selection: &Selection, slots: &SlotSet) -> Option<Step> {
    let documents = format!("/indexes/{uid}/documents");
    match selection {
        Selection::ByIds { ids } => {
            let own: Vec<&str> =
                ids.iter().map(String::as_str).filter(|id| slots.contains(Slot::of(id))).collect();
            let path = format!("{documents}/delete-batch");
            (!own.is_empty()).then(|| json_step(Method::POST, path, Some(json!(own)), None))
        }
        Selection::ByFilter { filter } => {
            let body = json!({ "filter": filter });
            Some(json_step(Method::POST, format!("{documents}/delete"), Some(body), None))
        }
        Selection::All => Some(json_step(Method::DELETE, documents, None, None)),
    }
}

/// A reset of everything is a `DELETE`, which every version of a node takes whatever settings it knows.
fn settings_steps(uid: &str, settings: &Value, is_deletion: bool) -> Vec<Step> {
    let names = settings.as_object().map_or(0, serde_json::Map::len);
    if is_deletion && names > 1 {
        let path = format!("/indexes/{uid}/settings");
        return vec![json_step(Method::DELETE, path, None, None), settings_step(uid, physical::initial())];
    }
    vec![settings_step(uid, physical::patch(settings))]
}

fn settings_step(uid: &str, physical: Value) -> Step {
    json_step(Method::PATCH, format!("/indexes/{uid}/settings"), Some(physical), None)
}

fn json_step(method: Method, path: String, body: Option<Value>, done: Option<&'static str>) -> Step {
    Step::Json { method, path, body, done }
}
