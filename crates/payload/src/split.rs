//! One look at a spool: where every document is, and in which slot.

mod error;
mod ids;
mod primary_key;
mod scan;
mod window;

use std::io::{self, Read, Seek, Write};

use miroir_shard::Slot;

use self::window::Window;
pub use self::{error::SplitError, ids::split_ids, primary_key::PrimaryKey, scan::infer_primary_key};
use crate::{IndexWriter, Record};

/// Reads the spool of a payload, and yields a [`Record`] per document, or the first error of one, with which the task
/// fails as a whole.
///
/// The spool is trusted to be what [`Intake`](crate::Intake) wrote. What a single pass holds is a window, and a
/// document where that is longer.
#[derive(Debug)]
pub struct Split<R> {
    window: Window<R>,
    primary_key: PrimaryKey,
    failed: bool,
}

/// What a whole spool came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitSummary {
    /// How many documents there are.
    pub documents: u64,
}

impl<R: Read> Split<R> {
    /// Starts at the reader's first byte. Ids are found under this primary key.
    pub fn new(spool: R, primary_key: PrimaryKey) -> Self {
        Self { window: Window::new(spool), primary_key, failed: false }
    }

    /// Reads the whole spool, and writes the index that [`Frames`](crate::Frames) need.
    pub fn write_index<W: Write + Seek>(self, out: W) -> Result<(SplitSummary, W), SplitError> {
        let mut index = IndexWriter::new(out)?;
        for record in self {
            index.push(record?)?;
        }
        let documents = index.documents();
        Ok((SplitSummary { documents }, index.finish()?))
    }

    fn step(&mut self) -> Result<Option<Record>, SplitError> {
        if !self.window.next_document()? {
            return Ok(None);
        }
        let key = &self.primary_key;
        let (len, slot) = self.window.parse(|bytes| {
            let (len, id) = scan::document_id(bytes, key)?;
            Ok((len, id.map(|id| Slot::of(&id))))
        })?;
        let slot = match slot {
            Ok(slot) => slot,
            Err(found) => return Err(found.into_error(&self.window.rest()[..len], key)),
        };
        let short = u32::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let record = Record { offset: self.window.offset(), len: short, slot };
        self.window.consume(len);
        Ok(Some(record))
    }
}

impl<R: Read> Iterator for Split<R> {
    type Item = Result<Record, SplitError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step().transpose();
        self.failed = !matches!(step, Some(Ok(_)));
        step
    }
}

#[cfg(test)]
mod tests;
