//! NDJSON: objects one after another, with or without white space between them.

use std::io::Write;

use super::{
    IntakeError, Out,
    buffer::{Buffer, Element},
};
use crate::Format;

#[derive(Debug, Default)]
pub(super) struct Ndjson {
    buffer: Buffer,
}

impl Ndjson {
    pub(super) fn push<W: Write>(&mut self, chunk: &[u8], out: &mut Out<W>) -> Result<(), IntakeError> {
        self.buffer.push(chunk);
        self.run(false, out)
    }

    pub(super) fn finish<W: Write>(&mut self, out: &mut Out<W>) -> Result<(), IntakeError> {
        self.run(true, out)
    }

    pub(super) fn held(&self) -> u64 {
        self.buffer.held()
    }

    fn run<W: Write>(&mut self, ended: bool, out: &mut Out<W>) -> Result<(), IntakeError> {
        while self.buffer.skip_whitespace().is_some() {
            match self.buffer.element(ended) {
                Element::Incomplete => return Ok(()),
                Element::Document(len) => {
                    out.check_reserved(self.buffer.fields.reserved.take())?;
                    out.document(&self.buffer.rest()[..len])?;
                    self.buffer.consume(len);
                }
                Element::Malformed(reason) => return Err(IntakeError::json(Format::Ndjson, &reason)),
                Element::NotADocument(len, error) => return Err(self.not_a_document(len, &error)),
            }
        }
        Ok(())
    }

    fn not_a_document(&self, len: usize, error: &serde_json::Error) -> IntakeError {
        let rest = self.buffer.rest();
        // a number or a word must be followed by something that ends it
        let delimited = matches!(rest.first(), Some(b'[' | b'"' | b'{'));
        let ends_word = |byte: &u8| {
            matches!(byte, b' ' | b'\n' | b'\t' | b'\r' | b'"' | b'[' | b']' | b'{' | b'}' | b',' | b':')
        };
        if !delimited && rest.get(len).is_some_and(|byte| !ends_word(byte)) {
            let mut position = *self.buffer.position();
            position.advance(&rest[..len]);
            return IntakeError::json(Format::Ndjson, &position.place("trailing characters", false));
        }
        if error.is_data() {
            return IntakeError::NotAnObject(error.to_string());
        }
        IntakeError::json(Format::Ndjson, &error.to_string())
    }
}
