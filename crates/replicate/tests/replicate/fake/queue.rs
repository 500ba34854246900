//! What a node holds and how it does its tasks: in order, some together, and then all or none of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::text;

/// What a task does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op {
    Create {
        primary_key: Option<String>,
    },
    Delete,
    Update {
        primary_key: Option<String>,
        uid: Option<String>,
    },
    Settings(Value),
    ResetSettings,
    Put {
        documents: Vec<Map<String, Value>>,
        merge: bool,
        skip: bool,
        primary_key: Option<String>,
    },
    DeleteIds(Vec<String>),
    /// Those that match a filter: `field = number`, `_miroir.s IN [...]`, what does not, or a list of these.
    DeleteWhere(Value),
    Clear,
    /// Adds one to `n` of every document that matches.
    /// Those that match the filter, unless they carry the mark.
    Edit(Value, Option<String>),
    /// A function that is tried out.
    Rehearse(Value),
    /// The task's index and this one change places.
    Swap(String),
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) uid: u32,
    pub(crate) index: String,
    pub(crate) op: Op,
    pub(super) metadata: Option<String>,
    pub(crate) outcome: Option<Result<Value, Fault>>,
}

/// An error's code, type and message.
pub(crate) type Fault = (&'static str, &'static str, String);

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Index {
    pub(crate) primary_key: Option<String>,
    pub(crate) settings: Map<String, Value>,
    pub(crate) documents: BTreeMap<String, Map<String, Value>>,
    /// Whether documents came before anyone had created it.
    pub(crate) was_guessed: bool,
}

/// What it holds, and the faults it was told to make.
pub(crate) struct State {
    pub(crate) tasks: Vec<Task>,
    next: u32,
    pub(crate) indexes: BTreeMap<String, Index>,
    pub(super) hold: bool,
    pub(super) drop_before: u32,
    pub(super) drop_after: u32,
    pub(super) trouble: u32,
    /// Whether it will be stopped when the next swap or edition is there to stay, and is not yet said to have ended: it
    /// begins anew with it then.
    pub(super) stops_between: bool,
    pub(super) batch: usize,
    pub(super) takes_tags: bool,
    pub(super) refuses_key: bool,
    /// Whether tasks are done when somebody asks for them, and not by somebody who calls [`State::finish`].
    pub(crate) works_when_asked: bool,
    /// How many batches have failed that were not bound to.
    pub(crate) upsets: u32,
}

/// Tasks that are done together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    first: usize,
    count: usize,
    /// The first one's.
    uid: u32,
}

impl Default for State {
    fn default() -> Self {
        Self {
            tasks: Vec::new(),
            next: 0,
            indexes: BTreeMap::new(),
            hold: false,
            drop_before: 0,
            drop_after: 0,
            trouble: 0,
            stops_between: false,
            batch: 4,
            takes_tags: true,
            refuses_key: false,
            works_when_asked: true,
            upsets: 0,
        }
    }
}

impl State {
    pub(super) fn enqueue(&mut self, index: String, op: Op, metadata: Option<String>) -> u32 {
        let uid = self.next;
        self.next += 1;
        self.tasks.push(Task { uid, index, op, metadata, outcome: None });
        uid
    }

    /// A node on a new disk.
    pub(super) fn emptied(&self) -> Self {
        Self { works_when_asked: self.works_when_asked, upsets: self.upsets, ..Self::default() }
    }

    /// Does every task that waits.
    pub(super) fn work(&mut self) {
        while let Some(batch) = self.next_batch() {
            self.finish(batch);
        }
    }

    /// What is done next.
    pub(crate) fn next_batch(&self) -> Option<Batch> {
        let first = self.tasks.iter().position(|task| task.outcome.is_none()).filter(|_| !self.hold)?;
        let joins = |task: &&Task| is_joined(&task.op) && task.index == self.tasks[first].index;
        let together = self.tasks[first..].iter().take(self.batch.max(1)).take_while(joins);
        Some(Batch { first, count: together.count().max(1), uid: self.tasks[first].uid })
    }

    /// Does these tasks, all or none, unless they have been forgotten meanwhile.
    pub(crate) fn finish(&mut self, batch: Batch) {
        let there = self.tasks.get(batch.first..batch.first + batch.count);
        if there.is_none_or(|tasks| tasks[0].uid != batch.uid) {
            return;
        }
        let outcomes = self.do_together(batch.first, batch.count);
        if self.stops_between && matches!(self.tasks[batch.first].op, Op::Swap(_) | Op::Edit(..)) {
            self.stops_between = false;
            return;
        }
        for (task, outcome) in self.tasks[batch.first..].iter_mut().zip(outcomes) {
            task.outcome = Some(outcome);
        }
    }

    fn do_together(&mut self, first: usize, count: usize) -> Vec<Result<Value, Fault>> {
        let before = self.indexes.clone();
        let failed = if self.trouble > 0 {
            self.trouble -= 1;
            Err(("no_space_left_on_device", "system", "No space left on device".to_owned()))
        } else {
            let tasks: Vec<Task> = self.tasks[first..first + count].to_vec();
            tasks.iter().map(|task| self.apply(task)).collect()
        };
        match failed {
            Ok(outcomes) => Vec::into_iter(outcomes).map(Ok).collect(),
            Err(fault) => {
                if matches!(fault.0, "no_space_left_on_device" | "invalid_document_geo_field") {
                    self.upsets += 1;
                }
                self.indexes = before;
                vec![Err(fault); count]
            }
        }
    }

    fn apply(&mut self, task: &Task) -> Result<Value, Fault> {
        let uid = &task.index;
        let guessed = Index { was_guessed: true, ..Index::default() };
        match &task.op {
            Op::Create { primary_key } => {
                if self.indexes.contains_key(uid) {
                    return Err(invalid("index_already_exists", uid));
                }
                let index = Index { primary_key: primary_key.clone(), ..Index::default() };
                self.indexes.insert(uid.clone(), index);
            }
            Op::Delete => {
                let index = self.indexes.remove(uid).ok_or_else(|| invalid("index_not_found", uid))?;
                return Ok(json!({ "deletedDocuments": index.documents.len() }));
            }
            Op::Update { primary_key, uid: new_uid } => {
                let index = self.indexes.get_mut(uid).ok_or_else(|| invalid("index_not_found", uid))?;
                if let Some(key) = primary_key {
                    if !index.documents.is_empty() && index.primary_key.as_ref() != Some(key) {
                        return Err(invalid("index_primary_key_already_exists", uid));
                    }
                    index.primary_key = Some(key.clone());
                }
                if let Some(new_uid) = new_uid
                    && let Some(index) = self.indexes.remove(uid)
                {
                    self.indexes.insert(new_uid.clone(), index);
                }
            }
            Op::Settings(settings) => {
                let index = self.indexes.entry(uid.clone()).or_default();
                for (name, value) in settings.as_object().into_iter().flatten() {
                    if value == "bad" {
                        return Err(invalid("invalid_settings_synonyms", name));
                    }
                    match value {
                        // A setting that is reset is the node's own again.
                        Value::Null => index.settings.remove(name),
                        value => index.settings.insert(name.clone(), value.clone()),
                    };
                }
            }
            Op::ResetSettings => self.indexes.entry(uid.clone()).or_default().settings.clear(),
            Op::Swap(other) => {
                let both = (self.indexes.remove(uid), self.indexes.remove(other));
                let (Some(left), Some(right)) = both else { return Err(invalid("index_not_found", uid)) };
                self.indexes.insert(uid.clone(), right);
                self.indexes.insert(other.clone(), left);
                for earlier in self.tasks.iter_mut().filter(|earlier| earlier.uid < task.uid) {
                    if earlier.index == *uid {
                        earlier.index.clone_from(other);
                    } else if earlier.index == *other {
                        earlier.index.clone_from(uid);
                    }
                }
            }
            Op::Put { .. } => return self.indexes.entry(uid.clone()).or_insert(guessed).change(&task.op),
            _ => {
                let index = self.indexes.get_mut(uid).ok_or_else(|| invalid("index_not_found", uid))?;
                return index.change(&task.op);
            }
        }
        Ok(json!({}))
    }
}

impl Index {
    /// Changes documents as one node, or one part of a model, does.
    pub(crate) fn change(&mut self, op: &Op) -> Result<Value, Fault> {
        let before = self.documents.len();
        match op {
            Op::Put { documents, merge, skip, primary_key } => {
                if primary_key.is_some() && self.primary_key.is_some() && *primary_key != self.primary_key {
                    return Err(invalid("index_primary_key_already_exists", "another one"));
                }
                self.primary_key = self.primary_key.take().or_else(|| primary_key.clone());
                let key = self.primary_key.clone().unwrap_or_else(|| "guessed_id".to_owned());
                for document in documents {
                    let id =
                        document.get(&key).map(text).ok_or_else(|| invalid("missing_document_id", "?"))?;
                    if document.contains_key("bad") {
                        return Err(invalid("invalid_document_geo_field", &id));
                    }
                    self.put(id, document, *merge, *skip);
                }
                return Ok(json!({ "receivedDocuments": documents.len() }));
            }
            Op::DeleteIds(ids) => self.documents.retain(|id, _| !ids.contains(id)),
            Op::DeleteWhere(filter) => self.documents.retain(|_, document| !matches(filter, document)),
            Op::Clear => self.documents.clear(),
            Op::Rehearse(filter) | Op::Edit(filter, _) if self.fails_on(filter) => {
                return Err(invalid("invalid_document", "cannot be edited"));
            }
            Op::Edit(filter, mark) => {
                let mut edited = 0;
                for document in self.documents.values_mut().filter(|document| matches(filter, document)) {
                    if mark.is_some() && document["_miroir"]["e"].as_str() == mark.as_deref() {
                        continue;
                    }
                    if let Some(mark) = mark {
                        document["_miroir"]["e"] = mark.as_str().into();
                    }
                    edited += 1;
                    let n = document.get("n").and_then(Value::as_i64).unwrap_or(0);
                    document.insert("n".to_owned(), Value::from(n + 1));
                }
                return Ok(json!({ "deletedDocuments": 0, "editedDocuments": edited }));
            }
            _ => {}
        }
        Ok(json!({ "deletedDocuments": before - self.documents.len() }))
    }

    /// Whether the function does, on a document that it is for.
    fn fails_on(&self, filter: &Value) -> bool {
        self.documents.values().any(|document| document.contains_key("stubborn") && matches(filter, document))
    }

    fn put(&mut self, id: String, document: &Map<String, Value>, merge: bool, skip: bool) {
        if skip && !self.documents.contains_key(&id) {
            return;
        }
        let stored = self.documents.entry(id).or_default();
        if !merge {
            stored.clear();
        }
        stored.extend(document.clone());
    }
}

/// Whether a document matches a filter, or there is none.
pub(super) fn matches(filter: &Value, document: &Map<String, Value>) -> bool {
    let Some(text) = filter.as_str() else {
        return filter.as_array().is_none_or(|all| all.iter().all(|one| matches(one, document)));
    };
    if let Some(others) = text.strip_prefix("NOT ") {
        return !matches(&Value::from(others), document);
    }
    if let Some(codes) = text.strip_prefix("_miroir.s IN ") {
        let codes: Vec<Value> = serde_json::from_str(codes).expect("codes");
        let own = document["_miroir"]["s"].as_array().expect("codes");
        return own.iter().any(|code| codes.contains(code));
    }
    let (field, equals) = text.split_once(" = ").expect("a comparison");
    document.get(field).and_then(Value::as_i64) == Some(equals.parse().expect("a number"))
}

fn is_joined(op: &Op) -> bool {
    matches!(op, Op::Put { .. } | Op::DeleteIds(_))
}

fn invalid(code: &'static str, what: &str) -> Fault {
    (code, "invalid_request", format!("`{what}`: {code}."))
}
