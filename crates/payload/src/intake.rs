//! The check of a payload while it streams in.
//!
//! What passes is exactly what Meilisearch takes, and what does not gets Meilisearch's message, because the parser is the
//! same: `serde_json` looks at every document once. Memory stays flat: at any time only the document that is still
//! incomplete is held.

mod buffer;
mod csv;
mod csv_record;
mod error;
mod fields;
mod json;
mod ndjson;
mod position;

use std::io::{BufWriter, Write};

pub use self::error::IntakeError;
use self::{csv::Csv, json::Json, ndjson::Ndjson};
use crate::Format;

const SINK_BUFFER: usize = 128 * 1024;

/// Takes a payload in chunks, checks it and writes its documents to the spool: their own bytes, one after another, each
/// followed by a newline. A document may hold newlines itself.
#[derive(Debug)]
pub struct Intake<W: Write> {
    format: Format,
    reader: Reader,
    received: bool,
    out: Out<W>,
}

/// What a whole payload came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// How many documents there were.
    pub documents: u64,
    /// How many bytes went to the spool.
    pub bytes: u64,
}

#[derive(Debug)]
enum Reader {
    Json(Json),
    Ndjson(Ndjson),
    Csv(Box<Csv>),
}

/// The spool's end.
#[derive(Debug)]
struct Out<W: Write> {
    sink: BufWriter<W>,
    summary: Summary,
    /// Whether documents may carry the internal field.
    internal_allowed: bool,
    /// How many bytes may go to the spool.
    limit: u64,
}

// === impl Intake ===

impl<W: Write> Intake<W> {
    /// Starts a payload of this format.
    pub fn new(format: Format, sink: W) -> Self {
        let reader = match format {
            Format::Json => Reader::Json(Json::default()),
            Format::Ndjson => Reader::Ndjson(Ndjson::default()),
            Format::Csv { delimiter } => Reader::Csv(Box::new(Csv::new(delimiter))),
        };
        let out = Out {
            sink: BufWriter::with_capacity(SINK_BUFFER, sink),
            summary: Summary { documents: 0, bytes: 0 },
            internal_allowed: false,
            limit: u64::MAX,
        };
        Self { format, reader, received: false, out }
    }

    /// Takes JSON documents that carry the internal field, as a node does: they come from Miroir, not from clients.
    #[must_use]
    pub fn allow_internal_field(mut self) -> Self {
        self.out.internal_allowed = true;
        self
    }

    /// Refuses a payload whose documents are more than so many bytes. Those of a CSV payload are more than the payload: each
    /// repeats the names of the columns.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Self {
        self.out.limit = bytes;
        self
    }

    /// How much memory is taken now, roughly: by the document that is still incomplete, or by the widest so far.
    pub fn held(&self) -> u64 {
        match &self.reader {
            Reader::Json(reader) => reader.held(),
            Reader::Ndjson(reader) => reader.held(),
            Reader::Csv(reader) => reader.held(),
        }
    }

    /// Takes the next bytes, of any number. After an error the payload is lost: what the sink holds is to be thrown away.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), IntakeError> {
        self.received |= !chunk.is_empty();
        match &mut self.reader {
            Reader::Json(reader) => reader.push(chunk, &mut self.out),
            Reader::Ndjson(reader) => reader.push(chunk, &mut self.out),
            Reader::Csv(reader) => reader.push(chunk, &mut self.out),
        }
    }

    /// Ends the payload, and gives the sink back.
    pub fn finish(mut self) -> Result<(Summary, W), IntakeError> {
        if !self.received {
            return Err(IntakeError::Missing(self.format));
        }
        match &mut self.reader {
            Reader::Json(reader) => reader.finish(&mut self.out)?,
            Reader::Ndjson(reader) => reader.finish(&mut self.out)?,
            Reader::Csv(reader) => reader.finish(&mut self.out)?,
        }
        let sink = self.out.sink.into_inner().map_err(|error| error.into_error())?;
        Ok((self.out.summary, sink))
    }
}

// === impl Out ===

impl<W: Write> Out<W> {
    /// Refuses a document with a reserved field, unless documents may have one.
    fn check_reserved(&self, name: Option<String>) -> Result<(), IntakeError> {
        match name {
            Some(name) if !self.internal_allowed => Err(IntakeError::Reserved(name)),
            _ => Ok(()),
        }
    }

    fn document(&mut self, document: &[u8]) -> Result<(), IntakeError> {
        let bytes = self.summary.bytes + document.len() as u64 + 1;
        if bytes > self.limit {
            return Err(IntakeError::TooLong(self.limit));
        }
        self.sink.write_all(document)?;
        self.sink.write_all(b"\n")?;
        self.summary = Summary { documents: self.summary.documents + 1, bytes };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
