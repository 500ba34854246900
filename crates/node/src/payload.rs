//! Payloads of documents: checked, and kept in a file until their task's turn.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use miroir_protocol::error::ResponseError;
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use crate::error::EngineError;

/// How documents are written in a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Ndjson,
    Csv { delimiter: u8 },
}

impl Format {
    /// The name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv { .. } => "csv",
        }
    }
}

/// What a payload came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
}

/// Checks a payload and writes its documents to a new file, one after another.
pub(crate) fn store(payload: &[u8], format: Format, path: &Path) -> Result<Summary, EngineError> {
    if payload.is_empty() {
        return Err(ResponseError::missing_payload(format.name()).into());
    }
    let mut sink =
        Sink { out: BufWriter::new(File::create(path)?), summary: Summary { documents: 0, bytes: 0 } };
    let written = match format {
        Format::Json => sink.json(payload),
        Format::Ndjson => sink.ndjson(payload),
        Format::Csv { delimiter } => sink.csv(payload, delimiter),
    };
    match written.and_then(|()| Ok(sink.out.flush()?)) {
        Ok(()) => Ok(sink.summary),
        Err(error) => {
            // The refusal matters more than a file that a later start sweeps away.
            let _ = std::fs::remove_file(path);
            Err(error)
        }
    }
}

struct Sink<W> {
    out: W,
    summary: Summary,
}

fn malformed(format: &str, reason: impl std::fmt::Display) -> EngineError {
    ResponseError::malformed_payload(format, reason).into()
}

impl<W: Write> Sink<W> {
    fn document(&mut self, document: &[u8]) -> io::Result<()> {
        self.out.write_all(document)?;
        self.out.write_all(b"\n")?;
        self.summary.documents += 1;
        self.summary.bytes += document.len() as u64 + 1;
        Ok(())
    }

    fn object(&mut self, format: &str, document: &RawValue) -> Result<(), EngineError> {
        if !document.get().starts_with('{') {
            return Err(malformed(format, "data are neither an object nor a list of objects"));
        }
        Ok(self.document(document.get().as_bytes())?)
    }

    fn json(&mut self, payload: &[u8]) -> Result<(), EngineError> {
        let value: &RawValue = serde_json::from_slice(payload).map_err(|error| malformed("json", error))?;
        if !value.get().starts_with('[') {
            return self.object("json", value);
        }
        let documents: Vec<&RawValue> =
            serde_json::from_slice(payload).map_err(|error| malformed("json", error))?;
        documents.into_iter().try_for_each(|document| self.object("json", document))
    }

    fn ndjson(&mut self, payload: &[u8]) -> Result<(), EngineError> {
        let documents = serde_json::Deserializer::from_slice(payload).into_iter::<&RawValue>();
        for document in documents {
            self.object("ndjson", document.map_err(|error| malformed("ndjson", error))?)?;
        }
        Ok(())
    }

    fn csv(&mut self, payload: &[u8], delimiter: u8) -> Result<(), EngineError> {
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(payload);
        let header = reader.headers().map_err(|error| malformed("csv", error))?.clone();
        let columns: Vec<_> = header.iter().map(column).collect();
        for (line, record) in reader.records().enumerate() {
            let record = record.map_err(|error| malformed("csv", error))?;
            let mut document = Map::new();
            for ((name, kind), text) in columns.iter().zip(record.iter()) {
                document.insert((*name).to_owned(), value_of(*kind, text, line + 1)?);
            }
            let document = Value::Object(document).to_string();
            self.document(document.as_bytes())?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Column {
    Text,
    Number,
    Boolean,
}

fn column(header: &str) -> (&str, Column) {
    match header.rsplit_once(':') {
        Some((name, "string")) => (name, Column::Text),
        Some((name, "number")) => (name, Column::Number),
        Some((name, "boolean")) => (name, Column::Boolean),
        _ => (header, Column::Text),
    }
}

fn value_of(kind: Column, text: &str, line: usize) -> Result<Value, EngineError> {
    let trimmed = text.trim();
    let refuse = |what: &str, reason: String| {
        malformed("csv", format!("Error parsing {what} \"{text}\" at line {line}: {reason}"))
    };
    match kind {
        _ if text.is_empty() => Ok(Value::Null),
        Column::Text => Ok(Value::from(text)),
        Column::Number => match trimmed.parse::<i64>() {
            Ok(integer) => Ok(Value::from(integer)),
            Err(_) => {
                let float: f64 = trimmed
                    .parse()
                    .map_err(|error: std::num::ParseFloatError| refuse("number", error.to_string()))?;
                Ok(Number::from_f64(float).map_or(Value::Null, Value::Number))
            }
        },
        Column::Boolean => {
            let boolean: bool = trimmed
                .parse()
                .map_err(|error: std::str::ParseBoolError| refuse("boolean", error.to_string()))?;
            Ok(Value::from(boolean))
        }
    }
}
