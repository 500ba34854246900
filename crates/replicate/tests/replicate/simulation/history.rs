//! What clients were told, and what one node that has all of it would hold.

use std::{collections::BTreeMap, sync::Arc};

use miroir_log::{Method, Operation, Selection};
use miroir_protocol::tasks::Swap;
use rand::{Rng, rngs::StdRng};
use serde_json::{Map, Value, json};

use crate::fake::{Index, Op};

/// The indexes that writes are for.
pub(crate) const INDEXES: [&str; 2] = ["books", "movies"];
/// How many different documents there are.
pub(crate) const IDS: u32 = 40;

/// One write.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Documents(Op),
    DeleteIndex,
    Settings(u32),
    /// The two indexes change places.
    Swap,
    /// So many of the newest tasks are canceled, as far as no node has been sent them.
    Cancel(u32),
}

/// All indexes at one position of the log.
pub(crate) type Indexes = BTreeMap<String, Arc<Index>>;

/// A write that was accepted.
#[derive(Clone, Debug)]
struct Told {
    index: &'static str,
    write: Write,
    canceled: bool,
}

/// The accepted writes in order, and for every position what they have made of the documents that `owns` holds for.
pub(crate) struct History {
    owns: Box<dyn Fn(&str) -> bool + Send>,
    told: Vec<Told>,
    /// One more than there are writes.
    states: Vec<Indexes>,
    /// Whether each write went well.
    outcomes: Vec<bool>,
}

// === impl Write ===

impl Write {
    /// Any write; with `bad` it may hold a document that a node refuses.
    pub(crate) fn by_chance(dice: &mut StdRng, bad: bool) -> Self {
        let ids = |dice: &mut StdRng| (0..3).map(|_| dice.random_range(0..IDS).to_string()).collect();
        match dice.random_range(0..40) {
            0 => Self::DeleteIndex,
            1..3 => Self::Settings(dice.random_range(0..100)),
            3..6 => Self::Documents(Op::DeleteIds(ids(dice))),
            6..8 => Self::Documents(Op::DeleteWhere(json!(format!("a = {}", dice.random_range(0..3))))),
            8 => Self::Documents(Op::Clear),
            9..12 => Self::Documents(Op::Edit(Value::Null, None)),
            12 => Self::Swap,
            kind => {
                let documents = (0..dice.random_range(1..4)).map(|_| document(dice, bad)).collect();
                let (merge, skip) = (kind < 24, kind < 16);
                Self::Documents(Op::Put { documents, merge, skip, primary_key: None })
            }
        }
    }

    /// The entry for it. `payload` puts documents away.
    pub(crate) fn operation(
        &self,
        next: u32,
        payload: impl FnOnce(&[Value]) -> miroir_log::PayloadRef,
    ) -> Operation {
        match self {
            Self::Swap => {
                let indexes = (INDEXES[0].to_owned(), INDEXES[1].to_owned());
                Operation::IndexSwap { swaps: vec![Swap { indexes, rename: false }] }
            }
            Self::Cancel(count) => {
                let tasks = (next.saturating_sub(*count)..next).collect();
                Operation::TaskCancelation { query: String::new(), tasks }
            }
            Self::DeleteIndex => Operation::IndexDeletion,
            Self::Settings(number) => Operation::SettingsUpdate {
                settings: json!({ "stopWords": [number.to_string()] }),
                is_deletion: false,
                allow_index_creation: true,
            },
            Self::Documents(Op::DeleteIds(ids)) => {
                Operation::DocumentDeletion { selection: Selection::ByIds { ids: ids.clone() } }
            }
            Self::Documents(Op::DeleteWhere(filter)) => {
                Operation::DocumentDeletion { selection: Selection::ByFilter { filter: filter.clone() } }
            }
            Self::Documents(Op::Edit(..)) => {
                Operation::DocumentEdition { function: "doc.n += 1".to_owned(), context: None, filter: None }
            }
            Self::Documents(Op::Put { documents, merge, skip, .. }) => {
                let documents: Vec<Value> = documents.iter().cloned().map(Value::Object).collect();
                Operation::DocumentAdditionOrUpdate {
                    method: if *merge { Method::Update } else { Method::Replace },
                    primary_key: Some("id".to_owned()),
                    payload: payload(&documents),
                    allow_index_creation: true,
                    skip_creation: *skip,
                }
            }
            Self::Documents(_) => Operation::DocumentDeletion { selection: Selection::All },
        }
    }

    /// Whether it is for no single index.
    pub(crate) fn is_of_all(&self) -> bool {
        matches!(self, Self::Swap | Self::Cancel(_))
    }
}

fn document(dice: &mut StdRng, bad: bool) -> Map<String, Value> {
    let mut document = json!({ "id": dice.random_range(0..IDS), "n": 0 });
    let field = ["a", "b", "c"][dice.random_range(0..3)];
    document[field] = dice.random_range(0..3).into();
    if bad && dice.random_ratio(1, 20) {
        document["bad"] = true.into();
    }
    document.as_object().cloned().unwrap_or_default()
}

// === impl History ===

impl History {
    /// Of the documents with these ids.
    pub(crate) fn of(owns: impl Fn(&str) -> bool + Send + 'static) -> Self {
        Self { owns: Box::new(owns), told: Vec::new(), states: vec![Indexes::new()], outcomes: Vec::new() }
    }

    /// How many writes were accepted.
    pub(crate) fn len(&self) -> u32 {
        self.told.len() as u32
    }

    /// A write was accepted.
    pub(crate) fn push(&mut self, index: &'static str, write: &Write) {
        self.told.push(Told { index, write: write.clone(), canceled: false });
        self.go_on();
    }

    /// These tasks were canceled.
    pub(crate) fn cancel(&mut self, is_canceled: impl Fn(u32) -> bool) {
        let mut first = None;
        for (uid, told) in self.told.iter_mut().enumerate() {
            if is_canceled(uid as u32) && !told.canceled {
                told.canceled = true;
                first = first.or(Some(uid));
            }
        }
        if let Some(first) = first {
            self.states.truncate(first + 1);
            self.outcomes.truncate(first);
            self.go_on();
        }
    }

    /// What there was after so many writes.
    pub(crate) fn at(&self, position: u32) -> &Indexes {
        &self.states[position as usize]
    }

    /// Whether a write went well as far as this history goes.
    pub(crate) fn went_well(&self, uid: u32) -> bool {
        self.outcomes[uid as usize]
    }

    /// A write in words.
    pub(crate) fn describe(&self, uid: u32) -> String {
        format!("{:?}", self.told[uid as usize])
    }

    fn go_on(&mut self) {
        while self.outcomes.len() < self.told.len() {
            let told = &self.told[self.outcomes.len()];
            let mut indexes = self.states[self.outcomes.len()].clone();
            self.outcomes.push(told.canceled || apply(&mut indexes, told, &self.owns));
            self.states.push(indexes);
        }
    }
}

/// Does a write; false, and nothing is changed, where it fails.
fn apply(indexes: &mut Indexes, told: &Told, owns: &dyn Fn(&str) -> bool) -> bool {
    let op = match &told.write {
        Write::Cancel(_) => return true,
        Write::DeleteIndex => return indexes.remove(told.index).is_some(),
        Write::Swap => {
            let both = INDEXES.map(|uid| indexes.get(uid).cloned());
            let [Some(left), Some(right)] = both else { return false };
            indexes.extend([(INDEXES[0].to_owned(), right), (INDEXES[1].to_owned(), left)]);
            return true;
        }
        Write::Settings(number) => {
            let index = Arc::make_mut(indexes.entry(told.index.to_owned()).or_default());
            index.settings.insert("stopWords".to_owned(), json!([number.to_string()]));
            return true;
        }
        Write::Documents(Op::Put { documents, merge, skip, .. }) => {
            indexes.entry(told.index.to_owned()).or_default();
            let owned = documents.iter().filter(|document| owns(&document["id"].to_string()));
            let documents = owned.cloned().collect();
            Op::Put { documents, merge: *merge, skip: *skip, primary_key: Some("id".to_owned()) }
        }
        Write::Documents(op) => op.clone(),
    };
    let Some(index) = indexes.get_mut(told.index) else { return false };
    let mut changed = Index::clone(index);
    changed.primary_key.get_or_insert_with(|| "id".to_owned());
    let went_well = changed.change(&op).is_ok();
    if went_well {
        *index = Arc::new(changed);
    }
    went_well
}
