//! One node's listing of documents, read from front to back.

use std::cmp::Ordering;

use super::sort::{Held, SortKey};
use crate::{
    MergeError,
    error::InNode,
    kway::Source,
    record::{Record, Shape},
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
    /// What the current document holds for the sort.
    held: Vec<Held<'a>>,
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
            held: Vec::new(),
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
        if self.is_read || !self.cursor.element(&mut self.is_first)? {
            self.is_read = true;
            return Ok(false);
        }
        self.record.read(&mut self.cursor, self.shape)?;
        self.held.clear();
        for key in self.sort {
            self.held.push(key.read(self.record.text())?);
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
        order.then_with(|| order_sequences(self.record.sequence(), other.record.sequence()))
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
