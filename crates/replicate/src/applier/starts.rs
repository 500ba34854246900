//! From where on the log is done again on copies.

use std::{collections::BTreeMap, sync::Arc};

use miroir_shard::SlotSet;

use super::errand::Span;

/// For every index and slot the first entry that is not in its copy for certain.
#[derive(Clone, Debug)]
pub(crate) struct Starts {
    slots: Arc<SlotSet>,
    /// Where an index starts of which nothing was copied: it did not exist then.
    since: u32,
    /// Nothing from it on is in any copy.
    until: u32,
    indexes: BTreeMap<String, Copied>,
}

/// What was copied of an index.
#[derive(Clone, Debug)]
struct Copied {
    /// Where slots start that are in no part: the index did not exist when theirs were copied.
    since: u32,
    /// Parts of the slots, each with where it starts.
    parts: Vec<(Arc<SlotSet>, u32)>,
}

impl Starts {
    /// Of these slots, of which nothing will be copied before `since`.
    pub(crate) fn new(slots: Arc<SlotSet>, since: u32) -> Self {
        Self { slots, since, until: 0, indexes: BTreeMap::new() }
    }

    /// All slots.
    pub(crate) fn slots(&self) -> &Arc<SlotSet> {
        &self.slots
    }

    /// A part of an index was copied, as it was somewhere in the span.
    pub(crate) fn copied(&mut self, index: &str, slots: Arc<SlotSet>, span: Span) {
        let nothing = Copied { since: self.since, parts: Vec::new() };
        self.indexes.entry(index.to_owned()).or_insert(nothing).parts.push((slots, span.first));
        self.until = self.until.max(span.last);
    }

    /// An index is copied again: nothing of it counts from before `since`.
    pub(crate) fn again(&mut self, index: &str, since: u32) {
        self.indexes.insert(index.to_owned(), Copied { since, parts: Vec::new() });
    }

    /// The first entry that counts for anything.
    pub(crate) fn first(&self) -> u32 {
        let starts = self.indexes.keys().map(|index| self.of_index(index));
        starts.min().unwrap_or(self.since).min(self.since)
    }

    /// Where a node has to be that goes on from the copies: what is in one of them that the node is yet to be sent would be
    /// done on top of it.
    pub(super) fn until(&self) -> u32 {
        self.until
    }

    /// Where an index starts.
    pub(super) fn of_index(&self, index: &str) -> u32 {
        let Some(copied) = self.indexes.get(index) else { return self.since };
        let parts = copied.parts.iter().map(|(_, start)| *start);
        let uncovered = (!self.is_whole(copied)).then_some(copied.since);
        parts.chain(uncovered).min().unwrap_or(copied.since)
    }

    /// The slots of an index that an entry concerns.
    pub(super) fn at(&self, index: &str, uid: u32) -> Arc<SlotSet> {
        let Some(copied) = self.indexes.get(index) else {
            return if uid >= self.since { self.slots.clone() } else { Arc::default() };
        };
        let uncovered = uid >= copied.since;
        if (uncovered || self.is_whole(copied)) && copied.parts.iter().all(|(_, start)| *start <= uid) {
            return self.slots.clone();
        }
        let part_of = |slot| copied.parts.iter().find(|(slots, _)| slots.contains(slot));
        let concerned = |slot| part_of(slot).map_or(uncovered, |(_, start)| *start <= uid);
        Arc::new(self.slots.iter().filter(|slot| concerned(*slot)).collect())
    }

    fn is_whole(&self, copied: &Copied) -> bool {
        let covered: usize = copied.parts.iter().map(|(slots, _)| slots.len()).sum();
        covered == self.slots.len()
    }
}

#[cfg(test)]
mod tests {
    use miroir_shard::Slot;

    use super::*;

    fn slots(range: std::ops::Range<u16>) -> Arc<SlotSet> {
        Arc::new(range.filter_map(Slot::new).collect())
    }

    fn at(first: u32) -> Span {
        Span { first, last: first + 2 }
    }

    #[test]
    fn each_part_starts_where_it_was_copied() {
        let mut starts = Starts::new(slots(0..8), 3);
        starts.copied("movies", slots(0..4), at(5));
        starts.copied("movies", slots(4..8), at(7));
        assert_eq!((starts.first(), starts.of_index("movies"), starts.of_index("books")), (3, 5, 3));
        assert!(starts.at("movies", 4).is_empty());
        assert_eq!(starts.at("movies", 6), slots(0..4));
        assert_eq!(starts.at("movies", 7), slots(0..8));
        assert_eq!(starts.at("books", 3), slots(0..8));
        assert!(starts.at("books", 2).is_empty());
        assert_eq!(starts.until(), 9);
    }

    #[test]
    fn an_index_that_came_while_shards_were_copied_starts_at_the_beginning_for_the_first_of_them() {
        let mut starts = Starts::new(slots(0..8), 3);
        starts.copied("movies", slots(4..8), at(6));
        assert_eq!((starts.first(), starts.of_index("movies")), (3, 3));
        assert_eq!(starts.at("movies", 5), slots(0..4));
        assert_eq!(starts.at("movies", 6), slots(0..8));
    }

    #[test]
    fn nothing_counts_from_before_an_index_became_another() {
        let mut starts = Starts::new(slots(0..8), 3);
        starts.copied("movies", slots(0..8), at(4));
        starts.again("movies", 9);
        assert!(starts.at("movies", 8).is_empty());
        assert_eq!(starts.at("movies", 9), slots(0..8));
        starts.copied("movies", slots(0..4), at(11));
        assert_eq!(starts.at("movies", 10), slots(4..8));
    }
}
