//! Reading a payload, wherever it is.

use std::{
    fs::File,
    io::{Cursor, Read, Result, Seek, SeekFrom},
};

use bytes::Bytes;

/// A payload, opened. Reads are not buffered: read in big pieces.
#[derive(Debug)]
pub struct PayloadReader {
    source: Source,
    len: u64,
}

#[derive(Debug)]
enum Source {
    Inline(Cursor<Bytes>),
    File(File),
}

impl PayloadReader {
    pub(super) fn inline(bytes: Bytes) -> Self {
        Self { len: bytes.len() as u64, source: Source::Inline(Cursor::new(bytes)) }
    }

    pub(super) fn file(file: File, len: u64) -> Self {
        Self { source: Source::File(file), len }
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
            Source::File(_) => None,
        }
    }
}

impl Read for PayloadReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match &mut self.source {
            Source::Inline(cursor) => cursor.read(buffer),
            Source::File(file) => file.read(buffer),
        }
    }
}

impl Seek for PayloadReader {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        match &mut self.source {
            Source::Inline(cursor) => cursor.seek(to),
            Source::File(file) => file.seek(to),
        }
    }
}
