//! What has arrived and is not done with.

use serde::{Deserialize, de::Deserializer};
use serde_json::{Error, value::RawValue};

use super::{fields::Fields, position::Position};
use crate::lookahead::{self, LOOK_AHEAD};

/// Bytes of the payload, and where in it they are.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// Bytes before this one are done with.
    start: usize,
    position: Position,
    /// An element that was found incomplete is looked at again when there is so much of it. It doubles, so that a long
    /// one in small chunks is not read over and over.
    retry_at: usize,
    pub(super) fields: Fields,
}

/// What a payload goes on with.
#[derive(Debug)]
pub(super) enum Element {
    /// An object of this length. What is to be known of it is in [`Buffer::fields`].
    Document(usize),
    /// What is there does not tell yet.
    Incomplete,
    /// Not well-formed.
    Malformed(String),
    /// Well-formed, of this length, but no document.
    NotADocument(usize, Error),
}

impl Buffer {
    pub(super) fn push(&mut self, chunk: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(chunk);
    }

    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// How many bytes are not done with.
    pub(super) fn held(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(super) fn position(&self) -> &Position {
        &self.position
    }

    /// The next bytes are done with.
    pub(super) fn consume(&mut self, len: usize) {
        self.position.advance(&self.bytes[self.start..self.start + len]);
        self.start += len;
        self.retry_at = 0;
    }

    /// Forgets everything, when nothing matters any more.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
    }

    /// Goes over white space to the next byte that counts.
    pub(super) fn skip_whitespace(&mut self) -> Option<u8> {
        let rest = self.rest();
        let blank = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\t' | b'\r');
        let len = rest.iter().position(|byte| !blank(byte)).unwrap_or(rest.len());
        if len > 0 {
            self.consume(len);
        }
        self.rest().first().copied()
    }

    /// Whether enough has come since the last look.
    pub(super) fn is_worth_a_look(&self, ended: bool) -> bool {
        ended || self.rest().len() >= self.retry_at
    }

    /// Puts the next look off until there is twice as much.
    pub(super) fn wait(&mut self) {
        self.retry_at = self.rest().len() * 2;
    }

    /// Whether an error found in what is there would be found in the whole payload too.
    pub(super) fn is_settled(&self, error: &Error, ended: bool) -> bool {
        lookahead::is_settled(error, self.rest(), ended)
    }

    /// Looks at the element that starts here.
    pub(super) fn element(&mut self, ended: bool) -> Element {
        if !self.is_worth_a_look(ended) {
            return Element::Incomplete;
        }
        let bytes = &self.bytes[self.start..];
        let element = match self.fields.read(bytes) {
            Ok(len) if std::str::from_utf8(&bytes[..len]).is_ok() => return Element::Document(len),
            Err(error) if error.is_eof() && !ended => Element::Incomplete,
            _ => self.explain(ended),
        };
        if matches!(element, Element::Incomplete) {
            self.wait();
        }
        element
    }

    /// What Meilisearch makes of an element that is no document, in the same two steps: first a value of any kind, then
    /// the fields of an object.
    fn explain(&self, ended: bool) -> Element {
        let bytes = self.rest();
        let value = match <&RawValue>::deserialize(&mut serde_json::Deserializer::from_slice(bytes)) {
            Ok(value) => value,
            Err(error) if self.is_settled(&error, ended) => {
                return Element::Malformed(self.position.shift(&error));
            }
            Err(_) => return Element::Incomplete,
        };
        let len = value.get().len();
        if !ended && len + LOOK_AHEAD > bytes.len() {
            return Element::Incomplete;
        }
        match value.deserialize_map(RawFields) {
            Ok(()) => Element::Document(len),
            Err(error) => Element::NotADocument(len, error),
        }
    }
}

/// Reads an object's fields as Meilisearch does, for the error.
struct RawFields;

impl<'de> serde::de::Visitor<'de> for RawFields {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<String, &RawValue>()?.is_some() {}
        Ok(())
    }
}
