//! One look at a spool: where every document is, and in which slot.

mod distinct;
mod document;
mod error;
mod held;
mod ids;
mod primary_key;
mod scan;
mod window;

use std::{
    io::{self, Read, Seek, Write},
    sync::Arc,
};

use miroir_shard::Slot;

use self::distinct::Distinct;
pub use self::{
    distinct::id_hash, error::SplitError, held::held_places, ids::split_ids, primary_key::PrimaryKey,
    scan::infer_primary_key,
};
pub(crate) use self::{
    document::DocumentReader,
    scan::{for_each_names, id_text},
};
use crate::{
    IndexWriter, Record,
    rules::{Rules, Special, Verdict},
};

/// Reads the spool of a payload, and yields a [`Record`] per document, or the first error of one, with which the task
/// fails as a whole.
///
/// The spool is trusted to be what [`Intake`](crate::Intake) wrote. What a single pass holds is a window, and a
/// document where that is longer, and a few bytes for each id.
#[derive(Debug)]
pub struct Split<R> {
    documents: DocumentReader<R>,
    primary_key: PrimaryKey,
    rules: Arc<Rules>,
    ids: Distinct,
    doubtful: bool,
    failed: bool,
}

/// What a whole spool came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitSummary {
    /// How many documents there are, those with the same id counted once.
    pub documents: u64,
    /// Whether a node may refuse one of them: it takes another [look](crate::Inspection).
    pub doubtful: bool,
}

impl<R: Read> Split<R> {
    /// Starts at the reader's first byte. Ids are found under this primary key.
    pub fn new(spool: R, primary_key: PrimaryKey) -> Self {
        let (documents, ids) = (DocumentReader::new(spool), Distinct::default());
        Self { documents, primary_key, rules: Arc::default(), ids, doubtful: false, failed: false }
    }

    /// Looks at the documents by these rules, not only by those of every index.
    #[must_use]
    pub fn with_rules(mut self, rules: Arc<Rules>) -> Self {
        self.rules = rules;
        self
    }

    /// Reads the whole spool, and writes the index that [`Frames`](crate::Frames) need.
    pub fn write_index<W: Write + Seek>(mut self, out: W) -> Result<(SplitSummary, W), SplitError> {
        let mut index = IndexWriter::new(out)?;
        for record in self.by_ref() {
            index.push(record?)?;
        }
        let documents = self.ids.count();
        Ok((SplitSummary { documents, doubtful: self.doubtful }, index.finish()?))
    }

    fn step(&mut self) -> Result<Option<Record>, SplitError> {
        let look = |id: &str, special: Special<'_>| {
            let fine = self.rules.inspect(id, special) == Verdict::Fine;
            (Slot::of(id), id_hash(id), fine)
        };
        let Some((place, (slot, hash, fine))) = self.documents.next(&self.primary_key, look)? else {
            return Ok(None);
        };
        self.ids.note(hash);
        self.doubtful |= !fine;
        let too_large = || io::Error::from(io::ErrorKind::FileTooLarge);
        let len = u32::try_from(place.len).map_err(|_| too_large())?;
        let id_at = u32::try_from(place.id.0).map_err(|_| too_large())?;
        let id_len = u16::try_from(place.id.1).map_err(|_| too_large())?;
        Ok(Some(Record { offset: place.offset, len, slot, id_at, id_len }))
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
