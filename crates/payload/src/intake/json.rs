//! JSON: an array of objects, or one object.

use miroir_shard::is_internal;
use std::io::Write;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::{
    IntakeError, Out,
    buffer::{Buffer, Element},
    fields::deduplicated,
};
use crate::Format;

/// What a value takes that has been read, beside its text.
const VALUE: u64 = 64;

#[derive(Debug, Default)]
pub(super) struct Json {
    buffer: Buffer,
    state: State,
    /// How many values a payload has that is judged as a whole.
    values: u64,
}

#[derive(Debug, Default)]
enum State {
    /// Before the first byte that counts.
    #[default]
    Start,
    /// No array: judged as a whole, as soon as there is enough of it.
    Whole,
    /// After `[`.
    First,
    /// After a document.
    After,
    /// After a comma.
    Next,
    /// After an element that is no document. What follows decides which error comes first.
    Bad(IntakeError),
    /// After such an element and a comma.
    BadNext,
    /// After the array. Meilisearch does not look at what follows.
    Done,
}

impl Json {
    pub(super) fn push<W: Write>(&mut self, chunk: &[u8], out: &mut Out<W>) -> Result<(), IntakeError> {
        self.buffer.push(chunk);
        if matches!(self.state, State::Start | State::Whole) {
            self.values +=
                chunk.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count() as u64;
        }
        self.run(false, out)
    }

    pub(super) fn finish<W: Write>(&mut self, out: &mut Out<W>) -> Result<(), IntakeError> {
        self.run(true, out)
    }

    pub(super) fn held(&self) -> u64 {
        let values = if matches!(self.state, State::Whole) { self.values * VALUE } else { 0 };
        self.buffer.held() + values
    }

    fn run<W: Write>(&mut self, ended: bool, out: &mut Out<W>) -> Result<(), IntakeError> {
        loop {
            if matches!(self.state, State::Done) {
                self.buffer.clear();
                return Ok(());
            }
            let Some(byte) = self.buffer.skip_whitespace() else {
                return if ended { Err(self.cut_off()) } else { Ok(()) };
            };
            match (&self.state, byte) {
                (State::Start, b'[') => self.step(State::First),
                (State::Start, _) => self.state = State::Whole,
                (State::Whole, first) => return self.whole(first, ended, out),
                (State::First, b']') => self.step(State::Done),
                (State::Next, b']') => return Err(self.here("trailing comma")),
                (State::First | State::Next, _) => {
                    if !self.element(ended, out)? {
                        return Ok(());
                    }
                }
                (State::After, b']') => self.step(State::Done),
                (State::After, b',') => self.step(State::Next),
                (State::After, _) => return Err(self.here("expected `,` or `]`")),
                (State::Bad(_), b',') => self.step(State::BadNext),
                (State::Bad(_), b']') => return Err(self.bad_element()),
                (State::BadNext, b']') => return Err(self.here("trailing comma")),
                (State::Bad(_) | State::BadNext, _) => return Err(self.here("trailing characters")),
                (State::Done, _) => {}
            }
        }
    }

    fn step(&mut self, state: State) {
        self.buffer.consume(1);
        self.state = state;
    }

    /// Takes an element; `false` if it is not all there.
    fn element<W: Write>(&mut self, ended: bool, out: &mut Out<W>) -> Result<bool, IntakeError> {
        match self.buffer.element(ended) {
            Element::Incomplete => return Ok(false),
            Element::Document(len) => {
                out.check_reserved(self.buffer.fields.reserved.take())?;
                let document = &self.buffer.rest()[..len];
                if self.buffer.fields.repeated {
                    out.document(&deduplicated(document).map_err(|error| malformed(&error.to_string()))?)?;
                } else {
                    out.document(document)?;
                }
                self.buffer.consume(len);
                self.state = State::After;
            }
            Element::Malformed(reason) => return Err(malformed(&reason)),
            Element::NotADocument(len, error) => {
                let reason = error.to_string();
                self.buffer.consume(len);
                self.state = State::Bad(match error.is_data() {
                    true => IntakeError::NotAnObject(reason),
                    false => malformed(&reason),
                });
            }
        }
        Ok(true)
    }

    /// Judges a payload that is no array, if there is enough of it.
    fn whole<W: Write>(&mut self, first: u8, ended: bool, out: &mut Out<W>) -> Result<(), IntakeError> {
        if !self.buffer.is_worth_a_look(ended) {
            return Ok(());
        }
        let bytes = self.buffer.rest();
        let no_list = (first != b'{')
            .then(|| Vec::<IgnoredAny>::deserialize(&mut serde_json::Deserializer::from_slice(bytes)).err())
            .flatten()
            .filter(|error| !error.is_data());
        let read = match no_list {
            Some(error) => Err(error),
            None => serde_json::from_slice::<Map<String, Value>>(bytes),
        };
        match read {
            Ok(document) if ended => {
                out.check_reserved(document.keys().find(|name| is_internal(name)).cloned())?;
                out.document(&serde_json::to_vec(&document).map_err(|error| malformed(&error.to_string()))?)
            }
            Err(error) if self.buffer.is_settled(&error, ended) => Err(match error.is_data() {
                true => malformed("data are neither an object nor a list of objects"),
                false => malformed(&self.buffer.position().shift(&error)),
            }),
            _ => {
                self.buffer.wait();
                Ok(())
            }
        }
    }

    /// The error of an end where something is missing.
    fn cut_off(&self) -> IntakeError {
        let reason = match self.state {
            State::Start | State::Whole | State::Next => "EOF while parsing a value",
            State::First | State::After | State::Bad(_) => "EOF while parsing a list",
            State::BadNext | State::Done => "trailing characters",
        };
        malformed(&self.buffer.position().place(reason, true))
    }

    /// An error at the next byte.
    fn here(&self, reason: &str) -> IntakeError {
        malformed(&self.buffer.position().place(reason, false))
    }

    fn bad_element(&mut self) -> IntakeError {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Bad(error) => error,
            _ => self.here("trailing characters"),
        }
    }
}

fn malformed(reason: &str) -> IntakeError {
    IntakeError::json(Format::Json, reason)
}
