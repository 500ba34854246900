//! CSV: a header, then one document a record.

use miroir_shard::is_internal;
use std::{collections::HashMap, io::Write};

use serde_json::Value;

use super::{
    IntakeError, Out,
    csv_record::{MOST_FIELDS, Next, Record, Records},
};
use crate::Format;

#[derive(Debug)]
pub(super) struct Csv {
    format: Format,
    records: Records,
    header: Option<Vec<Column>>,
    /// How many records came after the header.
    line: usize,
    row: Vec<u8>,
    values: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Column {
    kind: Kind,
    /// Where its value goes. Of columns with the same name the last one counts, at the place of the first.
    place: usize,
    /// What goes before the value, for the first column of a name: `{` or `,`, the name and a colon.
    lead: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Boolean,
    Number,
}

// === impl Csv ===

impl Csv {
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            format: Format::Csv { delimiter },
            records: Records::new(delimiter),
            header: None,
            line: 0,
            row: Vec::new(),
            values: Vec::new(),
        }
    }

    pub(super) fn push<W: Write>(&mut self, chunk: &[u8], out: &mut Out<W>) -> Result<(), IntakeError> {
        let input = self.records.input(chunk);
        self.run(&input, false, out)
    }

    pub(super) fn finish<W: Write>(&mut self, out: &mut Out<W>) -> Result<(), IntakeError> {
        let input = self.records.held_back();
        self.run(&input, false, out)?;
        self.run(&[], true, out)
    }

    pub(super) fn held(&self) -> u64 {
        // The record as it came, its values, and both together as a document.
        self.records.held() * 3
    }

    fn run<W: Write>(&mut self, mut input: &[u8], ended: bool, out: &mut Out<W>) -> Result<(), IntakeError> {
        loop {
            let format = self.format;
            match self.records.next(&mut input, ended) {
                Next::Record => {}
                Next::Nothing => return Ok(()),
                Next::TooWide => {
                    let reason = format!("a record has more than {MOST_FIELDS} fields");
                    return Err(IntakeError::csv(format, &reason));
                }
            }
            let record = self.records.take().map_err(|reason| IntakeError::csv(format, &reason))?;
            let Some(header) = &self.header else {
                let header = columns(&record)?;
                self.values.resize(header.len(), Vec::new());
                self.header = Some(header);
                continue;
            };
            self.line += 1;
            for (column, field) in header.iter().zip(record.iter()) {
                let value = &mut self.values[column.place];
                value.clear();
                column
                    .kind
                    .write(field, self.line, value)
                    .map_err(|reason| IntakeError::csv(format, &reason))?;
            }
            self.row.clear();
            for (column, value) in
                header.iter().zip(&self.values).filter(|(column, _)| !column.lead.is_empty())
            {
                self.row.extend_from_slice(&column.lead);
                self.row.extend_from_slice(value);
            }
            self.row.push(b'}');
            out.document(&self.row)?;
        }
    }
}

/// Reads the header: `name`, or `name:` and the type of the values.
fn columns(header: &Record<'_>) -> Result<Vec<Column>, IntakeError> {
    let mut places = HashMap::new();
    let mut columns = Vec::new();
    for (place, field) in header.iter().enumerate() {
        let (name, kind) = match field.rsplit_once(':') {
            Some((name, "string")) => (name, Kind::Text),
            Some((name, "boolean")) => (name, Kind::Boolean),
            Some((name, "number")) => (name, Kind::Number),
            _ => (field, Kind::Text),
        };
        if is_internal(name) {
            return Err(IntakeError::Reserved(name.to_owned()));
        }
        let mut lead = Vec::new();
        let place = *places.entry(name.to_owned()).or_insert_with(|| {
            lead.push(if place == 0 { b'{' } else { b',' });
            lead.extend_from_slice(Value::from(name).to_string().as_bytes());
            lead.push(b':');
            place
        });
        columns.push(Column { kind, place, lead });
    }
    Ok(columns)
}

// === impl Kind ===

impl Kind {
    /// Writes the value of a field as JSON.
    fn write(self, field: &str, line: usize, out: &mut Vec<u8>) -> Result<(), String> {
        let trimmed = field.trim();
        let value = match self {
            Self::Text if field.is_empty() => Value::Null,
            Self::Text => return write_json(out, field),
            Self::Boolean | Self::Number if trimmed.is_empty() => Value::Null,
            Self::Boolean => trimmed
                .parse::<bool>()
                .map(Value::from)
                .map_err(|error| format!("Error parsing boolean {field:?} at line {line}: {error}"))?,
            Self::Number => match trimmed.parse::<i64>() {
                Ok(integer) => Value::from(integer),
                Err(_) => trimmed
                    .parse::<f64>()
                    .map(Value::from)
                    .map_err(|error| format!("Error parsing number {field:?} at line {line}: {error}"))?,
            },
        };
        write_json(out, &value)
    }
}

fn write_json(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) -> Result<(), String> {
    serde_json::to_writer(out, value).map_err(|error| error.to_string())
}
