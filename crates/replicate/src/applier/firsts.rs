//! Where documents were written first: the place that they keep.
//!
//! One node lists documents that rank the same in the order in which it first saw them, whatever becomes of them later. So
//! must several nodes together, and every document says where it was written first. Before a node is sent documents, it
//! is asked which of them it has, and where these were written first. What it has not done yet is known here: of everything
//! under way it is kept which documents it writes, and which it deletes. What deletes documents in a way that only the node can
//! tell is waited for.
//!
//! A write that is sent a second time finds its own documents, and gives them the same place again.

use std::{collections::HashMap, sync::Arc, time::Duration};

use http::{StatusCode, Uri};
use miroir_log::{Entry, Operation, Selection};
use miroir_nodes::{Node, NodeRequest};
use miroir_payload::{PrimaryKey, held_places, id_hash};
use miroir_shard::{SEQUENCE_FIELD, Sequence, SlotSet};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{dispatch::Report, error::ApplyError, node_tasks::NodeTasks};
use crate::payloads::{Document, Piece};

/// How many documents a node is asked for at once.
const ASKED: usize = 5_000;
/// How long it may take over that.
const LOOK: Duration = Duration::from_secs(30);
/// How long what is unclear is waited for, and how often it is looked at.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// How many documents under way are kept. Where there are more, what comes next waits until they are done.
const MOST: usize = 1 << 17;

/// What is under way to a node, as far as it matters for what comes behind it.
#[derive(Debug, Default)]
pub(crate) struct Firsts {
    /// In the order of the log.
    flights: Vec<Flight>,
    /// Whether more is under way than is kept.
    is_blind: bool,
    /// Whether the node's version does not know what it is asked.
    is_deaf: bool,
}

/// A request that is under way.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Flight {
    /// The last entry that is in it.
    entry: u32,
    /// The node's task.
    task: u32,
    index: String,
    /// The slots that it is about.
    slots: Arc<SlotSet>,
    /// Whether it deletes all documents of these.
    deletes_all: bool,
    /// Whether it writes only what is there already.
    creates_none: bool,
    /// Whether only the node can tell what it deletes.
    is_unclear: bool,
    /// By hash of the id, where documents are written first; `None` for those that it deletes.
    documents: HashMap<u64, Option<Sequence>>,
}

// === impl Firsts ===

impl Firsts {
    /// Finds out which of a request's documents are there, and lets these keep their places. What is under way is known
    /// of it from then on, to be noted once the node [has it](Self::has_sent).
    pub(crate) async fn learn(
        &mut self,
        node: &Node,
        tasks: &NodeTasks,
        flight: &mut Flight,
        piece: &mut Piece,
    ) -> Result<(), ApplyError> {
        if self.is_deaf {
            return Ok(());
        }
        self.settle(tasks, flight).await?;
        let index = &flight.index;
        let ids = piece.ids().await?;
        let is_unknown = |document: &Document| self.under_way(index, document).is_none();
        let unknown = ids.iter().filter(|(document, _)| is_unknown(document)).map(|(_, id)| id).collect();
        let held = self.held(node, index, &piece.primary_key(), unknown).await?;
        for document in ids.documents() {
            let known = flight.documents.get(&document.hash).copied();
            let known = known.or_else(|| self.under_way(&flight.index, document));
            let place = known.unwrap_or_else(|| held.get(&document.hash).copied());
            // Nothing was written first later than now: such a place is that of a copy, and is put right before it is read.
            let first = place.filter(|place| *place < document.place);
            if let Some(first) = first {
                piece.keep(document, first);
            }
            if place.is_some() || !flight.creates_none {
                flight.documents.insert(document.hash, Some(first.unwrap_or(document.place)));
            }
        }
        Ok(())
    }

    /// Waits until the node is done with all that only it can tell what it deletes.
    async fn settle(&mut self, tasks: &NodeTasks, next: &Flight) -> Result<(), ApplyError> {
        let unclear = self.flights.iter().filter(|flight| flight.is_unclear && flight.index == next.index);
        let Some(task) = unclear.map(|flight| flight.task).max() else { return Ok(()) };
        let began = Instant::now();
        while *tasks.look(&[task]).await?.get(&task).ok_or(ApplyError::Forgotten(next.entry))? == Report::Open
        {
            if began.elapsed() > LONGEST_WAIT {
                return Err(ApplyError::Trouble(format!("it does not get on with task {task}")));
            }
            sleep(POLL).await;
        }
        self.has_ended(task);
        Ok(())
    }

    /// What will have become of a document: its place, or that it is gone; `None` where nothing under way is about it.
    fn under_way(&self, index: &str, document: &Document) -> Option<Option<Sequence>> {
        let is_about = |flight: &&Flight| flight.index == index && flight.slots.contains(document.slot);
        self.flights.iter().rev().filter(is_about).find_map(|flight| {
            let known = flight.documents.get(&document.hash).copied();
            known.or_else(|| flight.deletes_all.then_some(None))
        })
    }

    /// Which of these documents the node has, and their places.
    async fn held(
        &mut self,
        node: &Node,
        index: &str,
        key: &PrimaryKey,
        ids: Vec<&str>,
    ) -> Result<HashMap<u64, Sequence>, ApplyError> {
        let mut held = HashMap::new();
        let path: Uri = format!("/indexes/{index}/documents/fetch")
            .parse()
            .map_err(|_| ApplyError::Trouble(format!("`{index}` is no name of an index")))?;
        for ids in ids.chunks(ASKED) {
            let body = json!({ "ids": ids, "fields": [key.path(), SEQUENCE_FIELD], "limit": ids.len() });
            let answer = node.ask(&NodeRequest::query(path.clone(), body.to_string()), LOOK).await?;
            match answer.status {
                StatusCode::OK => {
                    let see = |id: &str, place| {
                        held.insert(id_hash(id), place);
                    };
                    held_places(&answer.body, key, see)
                        .map_err(|error| ApplyError::unreadable(answer.status, "documents", error))?;
                }
                StatusCode::NOT_FOUND => break,
                StatusCode::BAD_REQUEST => {
                    let node = node.name();
                    tracing::info!(
                        node,
                        "node does not say which documents it has, the last write of each counts"
                    );
                    self.is_deaf = true;
                    break;
                }
                _ => return Err(ApplyError::unwilling(answer.status, &answer.body)),
            }
        }
        Ok(held)
    }

    /// The node has accepted a request, as this task.
    pub(crate) fn has_sent(&mut self, flight: Flight, task: u32) {
        let mut flight = Flight { task, ..flight };
        let kept: usize = self.flights.iter().map(|flight| flight.documents.len()).sum();
        if kept + flight.documents.len() > MOST {
            flight.documents = HashMap::new();
            self.is_blind = true;
        }
        if flight.deletes_all || flight.is_unclear || !flight.documents.is_empty() {
            let place = self.flights.partition_point(|other| other.entry <= flight.entry);
            self.flights.insert(place, flight);
        }
    }

    /// The node is done with everything for an index up to this task.
    pub(crate) fn has_ended(&mut self, task: u32) {
        let ended = self.flights.iter().find(|flight| flight.task == task);
        let Some(index) = ended.map(|flight| flight.index.clone()) else { return };
        self.flights.retain(|flight| flight.index != index || flight.task > task);
    }

    /// The index of this name becomes another one, or none.
    pub(crate) fn forget_index(&mut self, index: &str) {
        self.flights.retain(|flight| flight.index != index);
    }

    /// Whether nothing may be sent before what is under way is done.
    pub(crate) fn must_wait(&mut self, is_idle: bool) -> bool {
        self.is_blind &= !is_idle;
        self.is_blind
    }

    /// Nothing is known to be under way any more.
    pub(crate) fn forget(&mut self) {
        self.flights.clear();
        self.is_blind = false;
    }
}

// === impl Flight ===

impl Flight {
    /// A request for an entry, or several of which this is the last one, as far as these slots are concerned; with what it
    /// deletes.
    pub(crate) fn new(entry: &Entry, slots: &Arc<SlotSet>) -> Self {
        let index = entry.index_uid.clone().unwrap_or_default();
        let mut flight = Self { entry: entry.uid, index, slots: slots.clone(), ..Self::default() };
        match &entry.operation {
            Operation::DocumentDeletion { selection: Selection::All } => flight.deletes_all = true,
            Operation::DocumentDeletion { selection: Selection::ByIds { ids } } => {
                flight.documents = ids.iter().map(|id| (id_hash(id), None)).collect();
            }
            Operation::DocumentDeletion { selection: Selection::ByFilter { .. } }
            | Operation::DocumentEdition { .. } => flight.is_unclear = true,
            Operation::DocumentAdditionOrUpdate { skip_creation, .. } => flight.creates_none = *skip_creation,
            _ => {}
        }
        flight
    }
}

#[cfg(test)]
mod tests {
    use miroir_shard::Slot;

    use super::*;
    use crate::testing::{addition, entry};

    fn slots(ids: &[&str]) -> Arc<SlotSet> {
        Arc::new(ids.iter().map(|id| Slot::of(id)).collect())
    }

    fn puts(uid: u32, ids: &[&str]) -> Flight {
        let place = Some(Sequence { task: uid, ordinal: 0 });
        let documents = ids.iter().map(|id| (id_hash(id), place)).collect();
        Flight { documents, ..Flight::new(&entry(uid, addition(1)), &slots(ids)) }
    }

    fn deletes(uid: u32, ids: &[&str]) -> Flight {
        let texts = ids.iter().map(ToString::to_string).collect();
        let operation = Operation::DocumentDeletion { selection: Selection::ByIds { ids: texts } };
        Flight::new(&entry(uid, operation), &slots(ids))
    }

    fn clears(uid: u32, ids: &[&str]) -> Flight {
        let operation = Operation::DocumentDeletion { selection: Selection::All };
        Flight::new(&entry(uid, operation), &slots(ids))
    }

    fn under_way<const N: usize>(firsts: &Firsts, ids: [&str; N]) -> [Option<Option<u32>>; N] {
        ids.map(|id| {
            let known = firsts.under_way("movies", &Document::of(id));
            known.map(|place| place.map(|place| place.task))
        })
    }

    #[test]
    fn the_last_entry_about_a_document_counts() {
        let mut firsts = Firsts::default();
        let all = ["a", "b", "c", "d"];
        let flights = [clears(2, &all), puts(3, &["b", "c"]), puts(5, &["a", "b"]), deletes(7, &["b"])];
        for (task, flight) in flights.into_iter().enumerate() {
            firsts.has_sent(flight, task as u32);
        }
        assert_eq!(under_way(&firsts, all), [Some(Some(5)), Some(None), Some(Some(3)), Some(None)]);
        assert_eq!(firsts.under_way("others", &Document::of("a")), None);
        firsts.has_ended(9);
        firsts.has_ended(2);
        assert_eq!(under_way(&firsts, all), [None, Some(None), None, None]);
        firsts.forget();
        assert_eq!(under_way(&firsts, all), [None; 4]);
    }

    #[test]
    fn an_index_does_not_wait_for_another_one() {
        let mut firsts = Firsts::default();
        let others = Flight { index: "others".to_owned(), ..puts(2, &["a"]) };
        for (task, flight) in [puts(1, &["a"]), others, puts(3, &["b"])].into_iter().enumerate() {
            firsts.has_sent(flight, task as u32);
        }
        firsts.has_ended(2);
        assert_eq!(under_way(&firsts, ["a", "b"]), [None; 2]);
        assert!(firsts.under_way("others", &Document::of("a")).is_some());
    }

    #[test]
    fn what_is_sent_late_for_other_slots_does_not_count() {
        let mut firsts = Firsts::default();
        firsts.has_sent(puts(5, &["a"]), 1);
        firsts.has_sent(clears(6, &["b"]), 2);
        firsts.has_sent(puts(4, &["b"]), 3);
        assert_eq!(under_way(&firsts, ["a", "b"]), [Some(Some(5)), Some(None)]);
    }

    #[test]
    fn what_is_too_much_to_keep_is_waited_for() {
        let mut firsts = Firsts::default();
        let ids: Vec<String> = (0..MOST).map(|id| id.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        firsts.has_sent(puts(1, &ids[1..]), 1);
        assert!(!firsts.must_wait(false));
        firsts.has_sent(puts(2, &["x", "y"]), 2);
        assert!(firsts.must_wait(false));
        assert_eq!(firsts.flights.len(), 1);
        assert!(!firsts.must_wait(true) && !firsts.must_wait(false));
    }
}
