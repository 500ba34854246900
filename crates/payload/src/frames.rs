//! What one node is to get of a payload, as NDJSON with the internal field put into every document.
//!
//! A document goes from the reader's buffer to its place in the body in one copy, into chunks of 64 KiB. The other way, a
//! list of slices of what was read with the fields between them, was measured (`benches/payload.rs`): it costs 1.6 times
//! as much for documents of 400 bytes, whose slices are tiny, and a fifth less for documents of 4 KB and more. Both are
//! a small part of what checking and splitting the same bytes costs, so there is one way, the better one for most data.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use bytes::{BufMut, Bytes, BytesMut};
use miroir_shard::{Sequence, Slot, internal_field, internal_field_len};

use crate::{IndexReader, Record, index::damaged};

const CHUNK: usize = 64 * 1024;
/// Of the part before a document's own bytes, which may go over the size of a chunk.
const MAX_LEAD: usize = 256;
const SPOOL_BUFFER: usize = 256 * 1024;

/// A part of what a node is to get: one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The first document to look at, by its place in the payload.
    pub first: u64,
    /// The document after the last one to look at.
    pub end: u64,
    /// How many of these the node gets.
    pub documents: u64,
    /// How long the body is, where the node has none of the documents yet.
    pub bytes: u64,
}

/// Where a document was written first that a node has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct First {
    /// The document's place in the payload.
    pub ordinal: u32,
    /// The place of its first write.
    pub place: Sequence,
}

/// The body of a request to a node, chunk by chunk.
#[derive(Debug)]
pub struct Frames<S, I, P> {
    spool: BufReader<S>,
    /// Where the spool's reader is.
    offset: u64,
    index: IndexReader<I>,
    end: u64,
    wants: P,
    task: u32,
    shard_bits: u32,
    /// The first writes of the documents that the node has already, behind those that were met.
    firsts: std::vec::IntoIter<First>,
    chunk: BytesMut,
    /// Bytes of the current document that are still to be copied, and whether its newline is.
    pending: u64,
    newline: bool,
    failed: bool,
}

/// Divides what a node is to get, the documents whose slots it wants, into bodies of at most `max_bytes`, or of a single
/// document where that is longer. No part if it gets nothing.
pub fn parts<I: Read + Seek>(
    index: &mut IndexReader<I>,
    shard_bits: u32,
    max_bytes: u64,
    mut wants: impl FnMut(Slot) -> bool,
) -> io::Result<Vec<Part>> {
    // the field and the comma after it, and the newline after the document
    let extra = internal_field_len(shard_bits) as u64 + 2;
    let mut parts = Vec::new();
    index.seek_to(0)?;
    let mut part = Part { first: 0, end: 0, documents: 0, bytes: 0 };
    for place in 0..index.documents() {
        let Some(record) = index.next().transpose()? else { break };
        if wants(record.slot) {
            let bytes = u64::from(record.len) + extra;
            if part.documents > 0 && part.bytes + bytes > max_bytes {
                parts.push(part);
                part = Part { first: place, end: place, documents: 0, bytes: 0 };
            }
            part.documents += 1;
            part.bytes += bytes;
        }
        part.end = place + 1;
    }
    parts.extend((part.documents > 0).then_some(part));
    Ok(parts)
}

// === impl Frames ===

impl<S: Read + Seek, I: Read + Seek, P: FnMut(Slot) -> bool> Frames<S, I, P> {
    /// The body of a part. `wants` and `shard_bits` must be what the part was made with; `task` is the write's uid,
    /// which goes into the internal field together with each document's place in the payload.
    pub fn new(
        spool: S,
        mut index: IndexReader<I>,
        part: Part,
        task: u32,
        shard_bits: u32,
        wants: P,
    ) -> io::Result<Self> {
        let mut spool = BufReader::with_capacity(SPOOL_BUFFER, spool);
        index.seek_to(part.first)?;
        let offset = index.next().transpose()?.map_or(0, |record| record.offset);
        index.seek_to(part.first)?;
        spool.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            spool,
            offset,
            index,
            end: part.end,
            wants,
            task,
            shard_bits,
            firsts: Vec::new().into_iter(),
            chunk: BytesMut::new(),
            pending: 0,
            newline: false,
            failed: false,
        })
    }

    /// The same, with these documents of the part, in their order, keeping the place of their first write.
    #[must_use]
    pub fn with_firsts(self, firsts: Vec<First>) -> Self {
        Self { firsts: firsts.into_iter(), ..self }
    }

    fn fill(&mut self) -> io::Result<Option<Bytes>> {
        self.chunk.reserve(CHUNK + MAX_LEAD);
        while self.chunk.len() < CHUNK {
            if self.pending > 0 {
                self.copy()?;
            } else if self.newline {
                self.chunk.put_u8(b'\n');
                self.newline = false;
            } else if !self.open_next()? {
                break;
            }
        }
        Ok((!self.chunk.is_empty()).then(|| self.chunk.split().freeze()))
    }

    /// Starts the next document that the node gets; `false` if there is none.
    fn open_next(&mut self) -> io::Result<bool> {
        while self.index.place() < self.end {
            let place = self.index.place();
            let Some(record) = self.index.next().transpose()? else { return Ok(false) };
            if (self.wants)(record.slot) {
                self.open(record, place)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn open(&mut self, record: Record, place: u64) -> io::Result<()> {
        let ordinal = u32::try_from(place).map_err(|_| damaged("the payload has too many documents"))?;
        let ahead = record.offset.checked_sub(self.offset).and_then(|ahead| i64::try_from(ahead).ok());
        self.spool
            .seek_relative(ahead.ok_or_else(|| damaged("the index of the payload is not in order"))?)?;
        let mut first = [0];
        self.spool.read_exact(&mut first)?;
        if first != *b"{" || record.len < 2 {
            return Err(damaged("the index of the payload does not fit the payload"));
        }
        self.offset = record.offset + 1;
        self.pending = u64::from(record.len) - 1;
        self.newline = true;
        let own = Sequence { task: self.task, ordinal };
        let first = self.firsts.as_slice().first().filter(|first| first.ordinal == ordinal).copied();
        let (first, again) = match first {
            Some(First { place, .. }) => {
                self.firsts.next();
                (place, Some(self.task))
            }
            None => (own, None),
        };
        let field = internal_field(record.slot, self.shard_bits, first, again);
        self.chunk.put_u8(b'{');
        self.chunk.put_slice(field.as_bytes());
        self.chunk.put_u8(b',');
        Ok(())
    }

    /// Copies as much of the document as there is at hand and room for.
    fn copy(&mut self) -> io::Result<()> {
        let room = CHUNK.saturating_sub(self.chunk.len()).max(1);
        let available = self.spool.fill_buf()?;
        if available.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let len = available.len().min(room).min(usize::try_from(self.pending).unwrap_or(usize::MAX));
        self.chunk.put_slice(&available[..len]);
        self.spool.consume(len);
        self.offset += len as u64;
        self.pending -= len as u64;
        Ok(())
    }
}

impl<S: Read + Seek, I: Read + Seek, P: FnMut(Slot) -> bool> Iterator for Frames<S, I, P> {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let chunk = self.fill().transpose();
        self.failed = !matches!(chunk, Some(Ok(_)));
        chunk
    }
}

#[cfg(test)]
mod tests;
