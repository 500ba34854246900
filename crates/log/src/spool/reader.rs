//! Reading a payload, wherever it is.

use std::{
    fs::File,
    io::{self, Cursor, Read, Result, Seek, SeekFrom},
};

use bytes::Bytes;

use super::{SpoolError, checksum::Checksum};
use crate::payload_ref::PayloadRef;

/// A payload, opened. Reads are not buffered: read in big pieces.
#[derive(Debug)]
pub struct PayloadReader {
    source: Source,
    len: u64,
    checksum: Option<u64>,
}

#[derive(Debug)]
enum Source {
    Inline(Cursor<Bytes>),
    File(File, String),
}

/// A payload that is read once, from its beginning on, and compared with what was written.
#[derive(Debug)]
pub struct CheckedReader {
    reader: PayloadReader,
    /// Of what was read.
    checksum: Checksum,
}

// === impl PayloadReader ===

impl PayloadReader {
    pub(super) fn inline(bytes: Bytes, checksum: Option<u64>) -> Self {
        Self { len: bytes.len() as u64, source: Source::Inline(Cursor::new(bytes)), checksum }
    }

    pub(super) fn file(file: File, name: String, payload: &PayloadRef) -> Self {
        Self { source: Source::File(file, name), len: payload.bytes, checksum: payload.checksum }
    }

    /// The payload's length.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The whole payload, if it is in memory anyway. Reading such a payload never blocks.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match &self.source {
            Source::Inline(cursor) => Some(cursor.get_ref()),
            Source::File(..) => None,
        }
    }

    /// The same, of which nothing was read yet, to be compared with what was written.
    pub fn checked(self) -> CheckedReader {
        CheckedReader { reader: self, checksum: Checksum::default() }
    }
}

impl Read for PayloadReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match &mut self.source {
            Source::Inline(cursor) => cursor.read(buffer),
            Source::File(file, _) => file.read(buffer),
        }
    }
}

impl Seek for PayloadReader {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        match &mut self.source {
            Source::Inline(cursor) => cursor.seek(to),
            Source::File(file, _) => file.seek(to),
        }
    }
}

// === impl CheckedReader ===

impl CheckedReader {
    /// Reads what is left, and fails where all of it is not what was written.
    pub fn finish(mut self) -> std::result::Result<(), SpoolError> {
        io::copy(&mut self, &mut io::sink())?;
        if self.reader.checksum.is_none_or(|written| written == self.checksum.get()) {
            return Ok(());
        }
        Err(SpoolError::Damaged(match self.reader.source {
            Source::Inline(_) => "of a small write".to_owned(),
            Source::File(_, name) => name,
        }))
    }
}

impl Read for CheckedReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.reader.read(buffer)?;
        self.checksum.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}
