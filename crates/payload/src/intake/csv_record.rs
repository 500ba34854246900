//! Records of a CSV payload that arrives in chunks, with the errors of the `csv` crate.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const FIRST_FIELDS: usize = 1024;
const FIRST_ENDS: usize = 32;

/// How many fields a record may have: more than the engine takes of an index.
pub(super) const MOST_FIELDS: usize = 1 << 16;

/// Reads records, each at once complete.
#[derive(Debug)]
pub(super) struct Records {
    core: Reader,
    /// The first bytes, until it is clear whether they are a byte order mark.
    head: Option<Vec<u8>>,
    fields: Vec<u8>,
    ends: Vec<usize>,
    fields_len: usize,
    ends_len: usize,
    /// Where the current record starts, and how far reading is.
    start: Place,
    place: Place,
    /// How many fields the first record has.
    expected: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    byte: u64,
    line: u64,
    record: u64,
}

/// One record.
#[derive(Debug)]
pub(super) struct Record<'a> {
    fields: &'a str,
    ends: &'a [usize],
}

/// What comes next.
pub(super) enum Next {
    /// A record, which [`Records::take`] gives out.
    Record,
    /// All bytes are used up.
    Nothing,
    /// A record with more than [`MOST_FIELDS`].
    TooWide,
}

// === impl Records ===

impl Records {
    pub(super) fn new(delimiter: u8) -> Self {
        let start = Place { byte: 0, line: 1, record: 0 };
        Self {
            core: ReaderBuilder::new().delimiter(delimiter).build(),
            head: Some(Vec::new()),
            fields: vec![0; FIRST_FIELDS],
            ends: vec![0; FIRST_ENDS],
            fields_len: 0,
            ends_len: 0,
            start,
            place: start,
            expected: None,
        }
    }

    /// The bytes to read now that this chunk is there: the parser knows a byte order mark only when it is whole.
    pub(super) fn input<'a>(&mut self, chunk: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        let Some(mut head) = self.head.take() else { return chunk.into() };
        head.extend_from_slice(chunk);
        if BYTE_ORDER_MARK.starts_with(&head) && head.len() < BYTE_ORDER_MARK.len() {
            self.head = Some(head);
            return [].as_slice().into();
        }
        head.into()
    }

    /// At the end of the payload: what of it was held back.
    pub(super) fn held_back(&mut self) -> Vec<u8> {
        self.head.take().unwrap_or_default()
    }

    /// How many bytes the records are held in.
    pub(super) fn held(&self) -> u64 {
        (self.fields.len() + self.ends.len() * size_of::<usize>()) as u64
    }

    /// Reads on. `input` shrinks by what was read; with `ended`, an empty input is the end of the payload.
    pub(super) fn next(&mut self, input: &mut &[u8], ended: bool) -> Next {
        while !input.is_empty() || ended {
            let (fields, ends) = (&mut self.fields[self.fields_len..], &mut self.ends[self.ends_len..]);
            let (result, read, fields_written, ends_written) = self.core.read_record(input, fields, ends);
            *input = &input[read..];
            self.place.byte += read as u64;
            self.place.line = self.core.line();
            self.fields_len += fields_written;
            self.ends_len += ends_written;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.fields.resize(self.fields.len() * 2, 0),
                ReadRecordResult::OutputEndsFull if self.ends.len() >= MOST_FIELDS => return Next::TooWide,
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => return Next::Record,
                ReadRecordResult::End => return Next::Nothing,
            }
        }
        Next::Nothing
    }

    /// The record that has just been completed, or why it is none.
    pub(super) fn take(&mut self) -> Result<Record<'_>, String> {
        let start = self.start;
        self.place.record += 1;
        self.start = self.place;
        let (fields_len, ends_len) = (self.fields_len, self.ends_len);
        (self.fields_len, self.ends_len) = (0, 0);
        let ends = &self.ends[..ends_len];
        let expected = *self.expected.get_or_insert(ends_len);
        if ends_len != expected {
            return Err(format!(
                "CSV error: record {} (line: {}, byte: {}): found record with {ends_len} fields, but the previous \
                 record has {expected} fields",
                start.record, start.line, start.byte
            ));
        }
        let fields = &self.fields[..fields_len.min(ends.last().copied().unwrap_or(0))];
        let mut from = 0;
        if !fields.is_ascii() {
            for (place, end) in ends.iter().enumerate() {
                if let Err(error) = std::str::from_utf8(&fields[from..*end]) {
                    return Err(format!(
                        "CSV parse error: record {} (line {}, field: {place}, byte: {}): invalid utf-8: invalid UTF-8 \
                         in field {place} near byte index {}",
                        start.record,
                        start.line,
                        start.byte,
                        error.valid_up_to()
                    ));
                }
                from = *end;
            }
        }
        let fields = std::str::from_utf8(fields).map_err(|error| error.to_string())?;
        Ok(Record { fields, ends })
    }
}

// === impl Record ===

impl<'a> Record<'a> {
    /// The fields in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let (fields, ends) = (self.fields, self.ends);
        let mut from = 0;
        ends.iter().map(move |end| {
            let field = fields.get(from..*end).unwrap_or_default();
            from = *end;
            field
        })
    }
}
