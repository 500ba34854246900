//! A spool, document by document.

use std::io::Read;

use super::{
    PrimaryKey, SplitError,
    scan::{self, Id},
    window::Window,
};
use crate::rules::Special;

/// Reads documents one after another.
#[derive(Debug)]
pub(crate) struct DocumentReader<R> {
    window: Window<R>,
}

/// Where a document is in the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) len: usize,
    /// The value that is its id: where it begins in the document, and its length.
    pub(crate) id: (usize, usize),
}

impl<R: Read> DocumentReader<R> {
    pub(crate) fn new(spool: R) -> Self {
        Self { window: Window::new(spool) }
    }

    /// What `look` makes of the next document, given its id and the fields that mean something to the engine; `None` at
    /// the end.
    pub(crate) fn next<T>(
        &mut self,
        key: &PrimaryKey,
        mut look: impl FnMut(&str, Special<'_>) -> T,
    ) -> Result<Option<(Place, T)>, SplitError> {
        if !self.window.next_document()? {
            return Ok(None);
        }
        let (len, seen) = self.window.parse(|bytes| {
            let (len, document) = scan::document(bytes, key)?;
            // The id is a part of the bytes.
            let place = |id: &Id<'_>| (id.written.as_ptr().addr() - bytes.as_ptr().addr(), id.written.len());
            Ok((len, document.id.map(|id| (place(&id), look(&id.text, document.special)))))
        })?;
        let (id, seen) = match seen {
            Ok(seen) => seen,
            Err(found) => return Err(found.into_error(&self.window.rest()[..len], key)),
        };
        let place = Place { offset: self.window.offset(), len, id };
        self.window.consume(len);
        Ok(Some((place, seen)))
    }
}
