//! The index of a spool: where its documents are and in which slots. Written once, read by every applier.
//!
//! Little-endian: a header of 16 bytes (`MSIX`, the format as `u32`, the number of records as `u64`), then 20 bytes a
//! document in order: offset (`u64`), length (`u32`), slot (`u16`), length of the id (`u16`), where it is in the document
//! (`u32`). The number is filled in last, so an index that was cut off is recognised. Nothing in it depends on how slots are
//! grouped into shards.

use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use miroir_shard::Slot;

const MAGIC: [u8; 4] = *b"MSIX";
const FORMAT: u32 = 2;
const UNFINISHED: u64 = u64::MAX;
const HEADER_LEN: u64 = 16;
const RECORD_LEN: usize = 20;

/// One document of a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Where its first byte is.
    pub offset: u64,
    /// How many bytes it has, without the newline that follows it.
    pub len: u32,
    /// Its slot.
    pub slot: Slot,
    /// Where the value that is its id begins, from its first byte on.
    pub id_at: u32,
    /// How many bytes that value has.
    pub id_len: u16,
}

/// Writes an index.
#[derive(Debug)]
pub struct IndexWriter<W: Write + Seek> {
    out: BufWriter<W>,
    count: u64,
}

/// Reads an index, record by record.
#[derive(Debug)]
pub struct IndexReader<R> {
    input: BufReader<R>,
    count: u64,
    next: u64,
}

// === impl IndexWriter ===

impl<W: Write + Seek> IndexWriter<W> {
    /// Starts an index at the beginning of `out`.
    pub fn new(out: W) -> io::Result<Self> {
        let mut out = BufWriter::new(out);
        out.seek(SeekFrom::Start(0))?;
        out.write_all(&header(UNFINISHED))?;
        Ok(Self { out, count: 0 })
    }

    /// Adds the next document.
    pub fn push(&mut self, record: Record) -> io::Result<()> {
        let mut bytes = [0; RECORD_LEN];
        bytes[..8].copy_from_slice(&record.offset.to_le_bytes());
        bytes[8..12].copy_from_slice(&record.len.to_le_bytes());
        bytes[12..14].copy_from_slice(&record.slot.index().to_le_bytes());
        bytes[14..16].copy_from_slice(&record.id_len.to_le_bytes());
        bytes[16..].copy_from_slice(&record.id_at.to_le_bytes());
        self.count += 1;
        self.out.write_all(&bytes)
    }

    /// How many documents there are so far.
    pub fn documents(&self) -> u64 {
        self.count
    }

    /// Completes the index and gives the file back.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&header(self.count))?;
        self.out.into_inner().map_err(|error| error.into_error())
    }
}

fn header(count: u64) -> [u8; HEADER_LEN as usize] {
    let mut bytes = [0; HEADER_LEN as usize];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..8].copy_from_slice(&FORMAT.to_le_bytes());
    bytes[8..].copy_from_slice(&count.to_le_bytes());
    bytes
}

// === impl IndexReader ===

impl<R: Read + Seek> IndexReader<R> {
    /// Reads the header at the beginning of `input`.
    pub fn new(mut input: R) -> io::Result<Self> {
        input.seek(SeekFrom::Start(0))?;
        let mut input = BufReader::with_capacity(64 * 1024, input);
        let mut found = [0; HEADER_LEN as usize];
        input.read_exact(&mut found)?;
        let count = u64::from_le_bytes(number(&found[8..]));
        if found != header(count) {
            return Err(damaged("the index of the payload has another format"));
        }
        if count == UNFINISHED {
            return Err(damaged("the index of the payload was not finished"));
        }
        Ok(Self { input, count, next: 0 })
    }

    /// How many documents there are in all.
    pub fn documents(&self) -> u64 {
        self.count
    }

    /// The place of the record that comes next.
    pub fn place(&self) -> u64 {
        self.next
    }

    /// Goes to a record, counted from 0.
    pub fn seek_to(&mut self, record: u64) -> io::Result<()> {
        let at = record.checked_mul(RECORD_LEN as u64).and_then(|at| at.checked_add(HEADER_LEN));
        self.input.seek(SeekFrom::Start(at.ok_or_else(|| damaged("no such record in the index"))?))?;
        self.next = record;
        Ok(())
    }
}

impl<R: Read> IndexReader<R> {
    fn read(&mut self) -> io::Result<Record> {
        let mut bytes = [0; RECORD_LEN];
        self.input.read_exact(&mut bytes)?;
        let slot = Slot::new(u16::from_le_bytes(number(&bytes[12..14])));
        Ok(Record {
            offset: u64::from_le_bytes(number(&bytes[..8])),
            len: u32::from_le_bytes(number(&bytes[8..12])),
            slot: slot.ok_or_else(|| damaged("the index of the payload names a slot that there is not"))?,
            id_at: u32::from_le_bytes(number(&bytes[16..])),
            id_len: u16::from_le_bytes(number(&bytes[14..16])),
        })
    }
}

impl<R: Read> Iterator for IndexReader<R> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.count {
            return None;
        }
        self.next += 1;
        Some(self.read().inspect_err(|_| self.next = self.count))
    }
}

/// The first bytes as an array.
fn number<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

pub(crate) fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn record(offset: u64) -> Record {
        let slot = Slot::new(0x0506).expect("a slot");
        Record { offset, len: 0x0102_0304, slot, id_at: 0x0708_090a, id_len: 0x0b0c }
    }

    fn written() -> Vec<u8> {
        let mut writer = IndexWriter::new(Cursor::new(Vec::new())).expect("a writer");
        (0..3).for_each(|offset| writer.push(record(offset)).expect("a record"));
        writer.finish().expect("an index").into_inner()
    }

    /// A change of it takes another number.
    #[test]
    fn the_format_is_as_described() {
        let bytes = written();
        assert_eq!(bytes[..16], *b"MSIX\x02\0\0\0\x03\0\0\0\0\0\0\0");
        let second = *b"\x01\0\0\0\0\0\0\0\x04\x03\x02\x01\x06\x05\x0c\x0b\x0a\x09\x08\x07";
        assert_eq!(bytes[36..56], second);
        assert_eq!(bytes.len(), 76);
    }

    #[test]
    fn what_is_written_is_read() {
        let mut reader = IndexReader::new(Cursor::new(written())).expect("a reader");
        assert_eq!(reader.by_ref().collect::<io::Result<Vec<_>>>().expect("records"), [0, 1, 2].map(record));
        reader.seek_to(2).expect("a record");
        assert_eq!(reader.next().expect("a record").expect("a record"), record(2));
        assert!(reader.next().is_none());
    }

    #[test]
    fn a_damaged_index_is_refused() {
        let unfinished =
            IndexWriter::new(Cursor::new(Vec::new())).expect("a writer").out.into_inner().expect("bytes");
        assert!(IndexReader::new(unfinished).is_err());
        let mut other = written();
        other[4] = 1;
        assert!(IndexReader::new(Cursor::new(other)).is_err());
        let mut slot = written();
        slot[29] = 0xff;
        let cut = written()[..50].to_vec();
        for damaged in [slot, cut] {
            let reader = IndexReader::new(Cursor::new(damaged)).expect("a header");
            assert!(reader.collect::<io::Result<Vec<_>>>().is_err());
        }
    }
}
