//! What clients know of the documents.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Instant,
};

use serde_json::{Value, json};

/// Words that no other word is near to, one for each shelf.
pub(super) const SHELVES: [&str; 8] =
    ["cardinal", "lanternfish", "monsoon", "quixotic", "sphinx", "tundra", "vermilion", "zeppelin"];
/// How many documents change over and over.
const CHANGING: usize = 48;
/// Every so many versions of a changing document is its deletion.
const DELETED: u64 = 5;

/// What has been sent, and what has succeeded.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) fixed: u64,
    added: Marks,
    changing: Vec<Marks>,
    /// Tasks that have not been seen to end.
    open: Mutex<BTreeMap<u64, (Instant, Write)>>,
}

/// How many have been sent, and how many have succeeded.
#[derive(Debug, Default)]
struct Marks {
    sent: AtomicU64,
    done: AtomicU64,
}

/// A write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Write {
    /// So many added documents from a number on.
    Added { from: u64, count: u64 },
    /// Versions of changing documents.
    Changed(Vec<(usize, u64)>),
}

impl Ledger {
    pub(super) fn new(fixed: u64) -> Self {
        Self {
            fixed,
            added: Marks::default(),
            changing: (0..CHANGING).map(|_| Marks::default()).collect(),
            open: Mutex::default(),
        }
    }

    pub(super) fn fixed_documents(&self) -> Vec<Value> {
        (0..self.fixed).map(fixed).collect()
    }

    /// The numbers of the fixed documents of a shelf, in order.
    pub(super) fn on_shelf(&self, shelf: usize) -> impl Iterator<Item = u64> + '_ {
        (shelf as u64..self.fixed).step_by(SHELVES.len())
    }

    /// The next documents to be added.
    pub(super) fn add(&self, count: u64) -> Write {
        Write::Added { from: self.added.sent.fetch_add(count, SeqCst), count }
    }

    /// The next versions of so many changing documents, `turn` after `turn` of others. They are the same kind of version:
    /// one request can bring them.
    pub(super) fn change(&self, turn: usize, count: usize) -> Write {
        let items = (turn * count..(turn + 1) * count).map(|item| item % CHANGING);
        Write::Changed(items.map(|item| (item, self.changing[item].sent.fetch_add(1, SeqCst) + 1)).collect())
    }

    /// How many added documents have succeeded, and how many were sent.
    pub(super) fn added(&self) -> (u64, u64) {
        (self.added.done.load(SeqCst), self.added.sent.load(SeqCst))
    }

    /// The version of a changing document that has succeeded, and the one that was sent.
    pub(super) fn version(&self, item: usize) -> (u64, u64) {
        (self.changing[item].done.load(SeqCst), self.changing[item].sent.load(SeqCst))
    }

    pub(super) fn items(&self) -> usize {
        self.changing.len()
    }

    /// A write has been accepted, now.
    pub(super) fn accepted(&self, task: u64, write: Write) {
        let earlier = self.tasks().insert(task, (Instant::now(), write));
        assert!(earlier.is_none(), "task {task} was given twice");
    }

    /// Tasks that may have ended, the oldest.
    pub(super) fn open(&self, most: usize) -> Vec<u64> {
        self.tasks().keys().take(most).copied().collect()
    }

    /// A task has succeeded. When it was accepted, unless that is not known.
    pub(super) fn succeeded(&self, task: u64) -> Option<Instant> {
        let (accepted, write) = self.tasks().remove(&task)?;
        match write {
            Write::Added { count, .. } => {
                self.added.done.fetch_add(count, SeqCst);
            }
            Write::Changed(versions) => {
                for (item, version) in versions {
                    self.changing[item].done.fetch_max(version, SeqCst);
                }
            }
        }
        Some(accepted)
    }

    /// All documents as they are once everything has succeeded.
    pub(super) fn documents(&self) -> BTreeMap<String, Value> {
        let added = (0..self.added().1).map(added);
        let changing = (0..self.items()).filter_map(|item| changing(item, self.version(item).1));
        let all = self.fixed_documents().into_iter().chain(added).chain(changing);
        all.map(|document| (document["id"].as_str().unwrap_or_default().to_owned(), document)).collect()
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, (Instant, Write)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write {
    /// The documents that it writes; none for a deletion.
    pub(super) fn documents(&self) -> Vec<Value> {
        match self {
            Self::Added { from, count } => (*from..from + count).map(added).collect(),
            Self::Changed(versions) => {
                versions.iter().filter_map(|(item, version)| changing(*item, *version)).collect()
            }
        }
    }

    /// The ids of the documents that it deletes, where that is what it does.
    pub(super) fn deleted(&self) -> Option<Vec<String>> {
        match self {
            Self::Changed(versions) if versions.iter().all(|(_, version)| is_deletion(*version)) => {
                Some(versions.iter().map(|(item, _)| changing_id(*item)).collect())
            }
            _ => None,
        }
    }
}

/// Whether a document is not there in a version: before the first, and where that is its deletion.
pub(super) fn is_deletion(version: u64) -> bool {
    version.is_multiple_of(DELETED)
}

pub(super) fn fixed_id(number: u64) -> String {
    format!("f-{number}")
}

pub(super) fn added_id(number: u64) -> String {
    format!("a-{number}")
}

pub(super) fn changing_id(item: usize) -> String {
    format!("c-{item}")
}

fn fixed(number: u64) -> Value {
    let shelf = number as usize % SHELVES.len();
    json!({
        "id": fixed_id(number), "kind": "fixed", "shelf": SHELVES[shelf], "rank": number,
        "text": format!("item number {number} of the {} kind", SHELVES[shelf]),
    })
}

fn added(number: u64) -> Value {
    json!({ "id": added_id(number), "kind": "added", "rank": number, "text": format!("item number {number} of many") })
}

fn changing(item: usize, version: u64) -> Option<Value> {
    (!is_deletion(version)).then(|| {
        json!({
            "id": changing_id(item), "kind": "changing", "rank": item, "version": version,
            "text": format!("item in version {version}"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_expected_and_what_has_succeeded_is_known() {
        let ledger = Ledger::new(20);
        let added = ledger.add(3);
        ledger.accepted(7, added);
        assert_eq!(ledger.added(), (0, 3));
        ledger.succeeded(7);
        assert_eq!(ledger.added(), (3, 3));
        let changed = ledger.change(0, 2);
        assert_eq!(changed, Write::Changed(vec![(0, 1), (1, 1)]));
        assert_eq!(ledger.documents().len(), 25);
    }

    #[test]
    fn every_fifth_version_is_a_deletion() {
        let ledger = Ledger::new(0);
        let writes: Vec<Write> = (0..5).map(|_| ledger.change(0, 2)).collect();
        assert!(writes[..4].iter().all(|write| write.deleted().is_none() && write.documents().len() == 2));
        assert_eq!(writes[4].deleted(), Some(vec!["c-0".to_owned(), "c-1".to_owned()]));
        assert!(ledger.documents().is_empty());
    }
}
