//! What an entry is for one node: the requests it becomes.

use http::Method;
use miroir_log::{Entry, Method as Write, Operation, Selection};
use miroir_protocol::tasks::{Kind, Swap};
use miroir_shard::Slot;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::{
    applier::Owned,
    edition, physical,
    prepared::{Effect, Prepared},
    work::Work,
};

/// One request, or for documents a few, each of which makes one task on a node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) content: Content,
    pub(crate) done: Done,
    /// The type of the node's task for a step that must not be done twice and has no tag. The tagged step before it says
    /// from where on the node's tasks are looked through: nothing else is sent between the two.
    pub(crate) found_as: Option<Kind>,
    /// Whether it only matters where an earlier try may have come to a part of the entry.
    pub(crate) is_for_retries: bool,
}

/// Which failures mean that there is nothing left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// None does.
    Succeeded,
    /// The one with this code says that the step was done before.
    OrFailed(&'static str),
    /// All do: the step is there to be recognised by.
    Anyhow,
}

impl Done {
    /// Whether a failure with this code means that there is nothing left to do.
    pub(crate) fn takes(self, code: &str) -> bool {
        match self {
            Self::Succeeded => false,
            Self::OrFailed(expected) => expected == code,
            Self::Anyhow => true,
        }
    }
}

/// What a step sends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// A small body of JSON, or nothing.
    Json(Option<Value>),
    /// The documents of the entry that the node owns, as NDJSON.
    Documents,
}

impl Step {
    /// Whether the node's task says which entry it is for: the routes of documents take metadata of a task.
    pub(crate) fn is_tagged(&self) -> bool {
        self.of_index().is_some_and(|(_, route)| route.starts_with("documents"))
    }

    /// The index whose part it is for.
    pub(crate) fn index(&self) -> Option<&str> {
        self.of_index().map(|(index, _)| index)
    }

    fn of_index(&self) -> Option<(&str, &str)> {
        self.path.strip_prefix("/indexes/")?.split_once('/')
    }
}

/// The steps of an entry that change documents, for a node that is past it: it does them for slots that it was given since.
pub(crate) fn document_steps(work: &Work, owned: &Owned) -> Vec<Step> {
    let is_of_documents = matches!(
        work.entry.operation,
        Operation::DocumentAdditionOrUpdate { .. }
            | Operation::DocumentDeletion { .. }
            | Operation::DocumentEdition { .. }
    );
    let Some(effect) = work.prepared.effect().filter(|_| is_of_documents) else { return Vec::new() };
    let known = Effect { creates_index: false, sets_primary_key: None, ..effect.clone() };
    steps(&work.entry, &Prepared::Apply(known), owned)
}

/// The steps of an entry for a node, as far as it owns what the entry is about; none where the entry does not concern it.
///
/// All of an entry's steps may be done a second time, behind the first but nothing else, unless they are tagged or `found_as`.
pub(crate) fn steps(entry: &Entry, prepared: &Prepared, owned: &Owned) -> Vec<Step> {
    if let (Operation::IndexSwap { swaps }, Prepared::Apply(_)) = (&entry.operation, prepared) {
        return swap(swaps);
    }
    let Some(uid) = &entry.index_uid else { return Vec::new() };
    let effect = match prepared {
        Prepared::Apply(effect) => effect,
        Prepared::Refused { creates_index: true, .. } => return creation(uid, None),
        Prepared::Refused { .. } | Prepared::Settled => return Vec::new(),
    };
    let mut steps = preparation(uid, effect);
    match &entry.operation {
        Operation::IndexCreation { .. }
        | Operation::IndexSwap { .. }
        | Operation::DumpCreation { .. }
        | Operation::SnapshotCreation
        | Operation::Export(_)
        | Operation::RuleUpdate { .. }
        | Operation::RuleClear
        | Operation::TaskCancelation { .. }
        | Operation::TaskDeletion { .. } => {}
        Operation::IndexCompaction => {
            steps.push(json_step(Method::POST, format!("/indexes/{uid}/compact"), None, None));
        }
        Operation::IndexUpdate { new_uid: Some(new_uid), .. } => return vec![rename(uid, new_uid, effect)],
        Operation::IndexUpdate { new_uid: None, .. } => {}
        Operation::IndexDeletion => {
            steps.push(json_step(Method::DELETE, format!("/indexes/{uid}"), None, Some("index_not_found")));
        }
        Operation::DocumentAdditionOrUpdate { method, skip_creation, .. } if effect.documents > 0 => {
            let method = if *method == Write::Replace { Method::POST } else { Method::PUT };
            steps.push(Step {
                method,
                path: documents(uid, effect, *skip_creation),
                content: Content::Documents,
                done: Done::Succeeded,
                found_as: None,
                is_for_retries: false,
            });
        }
        Operation::DocumentAdditionOrUpdate { .. } => {}
        Operation::DocumentDeletion { selection } => steps.extend(deletion(uid, selection, effect, owned)),
        Operation::DocumentEdition { function, context, filter } => {
            let function = edition::guarded(function, &edition::mark(entry));
            let filter = among(effect.filter.as_ref().or(filter.as_ref()), owned.filter());
            let body = json!({ "function": function, "context": context, "filter": filter });
            steps.push(json_step(Method::POST, format!("/indexes/{uid}/documents/edit"), Some(body), None));
        }
        Operation::SettingsUpdate { settings, is_deletion, .. } => {
            steps.extend(settings_steps(uid, settings, *is_deletion, effect));
        }
    }
    steps
}

/// What comes before the entry's own request: the index, its primary key.
fn preparation(uid: &str, effect: &Effect) -> Vec<Step> {
    if effect.creates_index {
        return creation(uid, effect.primary_key.as_ref());
    }
    effect.sets_primary_key.iter().map(|key| primary_key_step(uid, key)).collect()
}

/// The index as it is to be. Its settings create it, without a primary key: where it has one, it is created before. A node
/// that fails over that may have done the rest when it is told again, and has the index then: so the key has a step of its
/// own for that case.
fn creation(uid: &str, primary_key: Option<&String>) -> Vec<Step> {
    let settings = settings_step(uid, physical::initial());
    let Some(key) = primary_key else { return vec![settings] };
    let create = json!({ "uid": uid, "primaryKey": key });
    let create = json_step(Method::POST, "/indexes".to_owned(), Some(create), Some("index_already_exists"));
    vec![create, settings, Step { is_for_retries: true, ..primary_key_step(uid, key) }]
}

fn primary_key_step(uid: &str, key: &str) -> Step {
    json_step(Method::PATCH, format!("/indexes/{uid}"), Some(json!({ "primaryKey": key })), None)
}

/// Where documents go. The entry that decides the primary key names it here too: should the step before this one fail, the
/// node must not choose one itself.
fn documents(uid: &str, effect: &Effect, skip_creation: bool) -> String {
    let decides = effect.creates_index || effect.sets_primary_key.is_some();
    let key = effect.primary_key.as_ref().filter(|_| decides);
    let key = key.map(|key| format!("primaryKey={}", utf8_percent_encode(key, NON_ALPHANUMERIC)));
    let skip = skip_creation.then(|| "skipCreation=true".to_owned());
    let query: Vec<String> = key.into_iter().chain(skip).collect();
    let separator = if query.is_empty() { "" } else { "?" };
    format!("/indexes/{uid}/documents{separator}{}", query.join("&"))
}

/// Another name, and with it the primary key where that changes too: there is no index of the old name any more once it is done.
fn rename(uid: &str, new_uid: &str, effect: &Effect) -> Step {
    let mut change = json!({ "uid": new_uid });
    if let Some(key) = &effect.sets_primary_key {
        change["primaryKey"] = key.as_str().into();
    }
    json_step(Method::PATCH, format!("/indexes/{uid}"), Some(change), Some("index_not_found"))
}

/// A filter within what the node owns, where it holds more than that.
pub(crate) fn among(filter: Option<&Value>, own: Option<String>) -> Option<Value> {
    match (filter, own) {
        (filter, None) => filter.cloned(),
        (None, Some(own)) => Some(Value::from(own)),
        (Some(Value::Array(terms)), Some(own)) => {
            Some(Value::Array(terms.iter().cloned().chain([Value::from(own)]).collect()))
        }
        (Some(filter), Some(own)) => Some(json!([filter, own])),
    }
}

fn deletion(uid: &str, selection: &Selection, effect: &Effect, owned: &Owned) -> Option<Step> {
    let documents = format!("/indexes/{uid}/documents");
    match selection {
        Selection::ByIds { ids } => {
            let own: Vec<&str> =
                ids.iter().map(String::as_str).filter(|id| owned.slots.contains(Slot::of(id))).collect();
            let path = format!("{documents}/delete-batch");
            (!own.is_empty()).then(|| json_step(Method::POST, path, Some(json!(own)), None))
        }
        Selection::ByFilter { filter } => {
            let filter = effect.filter.as_ref().unwrap_or(filter);
            let body = json!({ "filter": among(Some(filter), owned.filter()) });
            Some(json_step(Method::POST, format!("{documents}/delete"), Some(body), None))
        }
        Selection::All => Some(match owned.filter() {
            None => json_step(Method::DELETE, documents, None, None),
            Some(own) => {
                let body = json!({ "filter": own });
                json_step(Method::POST, format!("{documents}/delete"), Some(body), None)
            }
        }),
    }
}

/// A reset of everything is a `DELETE`, which every version of a node takes whatever settings it knows.
fn settings_steps(uid: &str, settings: &Value, is_deletion: bool, effect: &Effect) -> Vec<Step> {
    let names = settings.as_object().map_or(0, serde_json::Map::len);
    if is_deletion && names > 1 {
        let path = format!("/indexes/{uid}/settings");
        return vec![json_step(Method::DELETE, path, None, None), settings_step(uid, physical::initial())];
    }
    vec![settings_step(uid, physical::patch(settings, effect.embedders.as_ref()))]
}

fn settings_step(uid: &str, physical: Value) -> Step {
    json_step(Method::PATCH, format!("/indexes/{uid}/settings"), Some(physical), None)
}

/// Changes nothing, and is tagged. Should it fail, what comes behind it does not.
fn marker(uid: &str) -> Step {
    let path = format!("/indexes/{uid}/documents/delete-batch");
    Step { done: Done::Anyhow, ..json_step(Method::POST, path, Some(json!([])), None) }
}

/// A swap done twice is none. Its route takes no tag, so one that changes nothing goes before it.
fn swap(swaps: &[Swap]) -> Vec<Step> {
    let Some(first) = swaps.first() else { return Vec::new() };
    let pair = |swap: &Swap| match swap {
        Swap { indexes, rename: false } => json!({ "indexes": indexes }),
        Swap { indexes, rename: true } => json!({ "indexes": indexes, "rename": true }),
    };
    let body = Value::Array(swaps.iter().map(pair).collect());
    let swap = json_step(Method::POST, "/swap-indexes".to_owned(), Some(body), None);
    vec![marker(&first.indexes.0), Step { found_as: Some(Kind::IndexSwap), ..swap }]
}

pub(crate) fn json_step(
    method: Method,
    path: String,
    body: Option<Value>,
    // The code of the failure that says it was done before.
    done: Option<&'static str>,
) -> Step {
    let done = done.map_or(Done::Succeeded, Done::OrFailed);
    Step { method, path, content: Content::Json(body), done, found_as: None, is_for_retries: false }
}

#[cfg(test)]
mod tests;
