//! One node's listing of documents, read from front to back.

use std::{cmp::Ordering, collections::VecDeque};

use super::sort::{Held, SortKey};
use crate::{
    MergeError,
    error::InNode,
    kway::{AHEAD, Source},
    record::{Record, Shape, is_in_sequence},
    scan::{Cursor, Scan, count},
    search::order_sequences,
    whereabouts::Item,
};

/// A listing: opened before its first document, then a source of them, then closed for its total.
pub(super) struct Listing<'a, 's> {
    node: usize,
    cursor: Cursor<'a>,
    shape: &'s Shape<'s>,
    sort: &'s [SortKey],
    is_first: bool,
    is_read: bool,
    record: Record<'a>,
    held: Vec<Held<'a>>,
    /// The next documents with what they hold, and whether they are looked at: see [`AHEAD`].
    ahead: VecDeque<(Record<'a>, Vec<Held<'a>>)>,
    looks_ahead: bool,
    /// The earliest place among the current document and the next ones that are sorted the same.
    sequence: &'a [u8],
    total: Option<u64>,
}

impl<'a, 's> Listing<'a, 's> {
    /// Reads up to the documents.
    pub(super) fn open(
        node: usize,
        text: &'a [u8],
        shape: &'s Shape<'s>,
        sort: &'s [SortKey],
    ) -> Result<Self, MergeError> {
        let mut listing = Self {
            node,
            cursor: Cursor::new(text),
            shape,
            sort,
            is_first: true,
            is_read: false,
            record: Record::default(),
            held: Vec::with_capacity(sort.len()),
            ahead: VecDeque::new(),
            looks_ahead: !is_in_sequence(text),
            sequence: &[],
            total: None,
        };
        listing.read_head().in_node(node, 0)?;
        Ok(listing)
    }

    fn read_head(&mut self) -> Scan<()> {
        self.cursor.enter_object()?;
        let mut first = true;
        while let Some(key) = self.cursor.key(&mut first)? {
            if key == b"results" {
                return self.cursor.enter_array();
            }
            self.read_member(key)?;
        }
        self.cursor.fail("expected the member `results`")
    }

    fn read_member(&mut self, key: &[u8]) -> Scan<()> {
        let value = self.cursor.value()?;
        if key == b"total" {
            self.total = count(value);
        }
        Ok(())
    }

    /// Makes the next document the current one.
    fn read_document(&mut self) -> Scan<bool> {
        let most = if self.looks_ahead { AHEAD + 1 } else { 1 };
        let (mut record, mut held) = (std::mem::take(&mut self.record), std::mem::take(&mut self.held));
        while self.ahead.len() < most && self.read_record(&mut record, &mut held)? {
            self.ahead.push_back((std::mem::take(&mut record), std::mem::take(&mut held)));
        }
        let Some((record, held)) = self.ahead.pop_front() else { return Ok(false) };
        let ties = self.ahead.iter().take_while(|(_, next)| *next == held);
        self.sequence = record.earliest(ties.map(|(record, _)| record));
        (self.record, self.held) = (record, held);
        Ok(true)
    }

    fn read_record(&mut self, record: &mut Record<'a>, held: &mut Vec<Held<'a>>) -> Scan<bool> {
        if self.is_read || !self.cursor.element(&mut self.is_first)? {
            self.is_read = true;
            return Ok(false);
        }
        record.read(&mut self.cursor, self.shape)?;
        held.clear();
        for key in self.sort {
            held.push(key.read(record.text())?);
        }
        Ok(true)
    }

    /// Appends the current document.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), MergeError> {
        self.record.write(self.shape, out).in_node(self.node, self.record.base())
    }

    /// The total that follows the documents.
    pub(super) fn close(&mut self) -> Result<u64, MergeError> {
        self.read_tail().in_node(self.node, 0)
    }

    fn read_tail(&mut self) -> Scan<u64> {
        if !self.is_read {
            self.cursor.leave()?;
        }
        let mut first = false;
        while let Some(key) = self.cursor.key(&mut first)? {
            self.read_member(key)?;
        }
        self.cursor.end()?;
        self.total.map_or_else(|| self.cursor.fail("expected the member `total`"), Ok)
    }
}

impl Source for Listing<'_, '_> {
    fn advance(&mut self) -> Result<bool, MergeError> {
        self.read_document().in_node(self.node, 0)
    }

    fn order(&self, other: &Self) -> Ordering {
        let held = self.held.iter().zip(&other.held);
        let mut by_sort = self.sort.iter().zip(held).map(|(key, (left, right))| key.order(left, right));
        let order = by_sort.find(|order| order.is_ne()).unwrap_or(Ordering::Equal);
        order
            .then_with(|| order_sequences(self.sequence, other.sequence))
            .then_with(|| order_sequences(self.record.sequence(), other.record.sequence()))
    }
}

impl<'a> Item<'a> for Listing<'a, '_> {
    fn answer(&self) -> usize {
        self.node
    }

    fn item(&self) -> &Record<'a> {
        &self.record
    }
}
