//! A part of a spool at a time.

use std::io::{self, Read};

use serde_json::Error;

use super::SplitError;
use crate::lookahead::is_settled;

/// How much is read at once.
const WINDOW: usize = 256 * 1024;

/// The part of the spool that is at hand.
#[derive(Debug)]
pub(super) struct Window<R> {
    spool: R,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Where in the spool the first byte at hand is.
    base: u64,
    ended: bool,
}

impl<R: Read> Window<R> {
    pub(super) fn new(spool: R) -> Self {
        Self { spool, bytes: vec![0; WINDOW], start: 0, end: 0, base: 0, ended: false }
    }

    /// What is at hand and not consumed.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Where in the spool [`Self::rest`] starts.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    pub(super) fn consume(&mut self, len: usize) {
        self.start = (self.start + len).min(self.end);
    }

    /// Goes to the first byte of the next document; `false` at the end.
    pub(super) fn next_document(&mut self) -> io::Result<bool> {
        loop {
            let blank = self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.consume(blank);
            if !self.rest().is_empty() {
                return Ok(true);
            }
            if self.ended {
                return Ok(false);
            }
            self.more()?;
        }
    }

    /// Parses what starts here, with as much at hand as that takes.
    pub(super) fn parse<T>(
        &mut self,
        mut parse: impl FnMut(&[u8]) -> Result<T, Error>,
    ) -> Result<T, SplitError> {
        loop {
            match parse(self.rest()) {
                Ok(parsed) => return Ok(parsed),
                Err(error) if is_settled(&error, self.rest(), self.ended) => {
                    return Err(SplitError::Engine(error.to_string()));
                }
                Err(_) => self.more()?,
            }
        }
    }

    /// Reads on: as much as there is room for, and at least once more what is at hand, so that a long document is not
    /// parsed over and over.
    fn more(&mut self) -> io::Result<()> {
        let held = self.end - self.start;
        self.bytes.copy_within(self.start..self.end, 0);
        self.base += self.start as u64;
        (self.start, self.end) = (0, held);
        self.bytes.resize(WINDOW.max(held * 2), 0);
        while self.end < self.bytes.len() && !self.ended {
            match self.spool.read(&mut self.bytes[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
