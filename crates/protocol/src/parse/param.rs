//! Query parameters: strings that stand for numbers, lists and the star that means "all".

use std::{convert::Infallible, fmt, ops::ControlFlow, str::FromStr};

use deserr::{
    DeserializeError, Deserr, ErrorKind, IntoValue, MergeWithError, Value, ValueKind, ValuePointerRef,
    take_cf_content,
};

use super::{Refusal, refusal::ValueError};
use crate::error::CodeMarker;

/// A type that is read from the text of a query parameter.
pub trait FromParam: Sized {
    /// Why the text stands for no such value.
    type Err;
    /// Reads the text.
    fn from_param(text: &str) -> Result<Self, Self::Err>;
}

/// One value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Param<T>(pub T);

/// One value, or `*`, which is the same as none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Star<T>(pub Option<T>);

/// Values with commas between them; a `*` among them is the same as none at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T> {
    /// `None` when the parameter is absent or has a star.
    pub values: Option<Vec<T>>,
    /// Whether the parameter was sent.
    pub sent: bool,
}

/// Values with commas between them, all of which have to be good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comma<T>(pub Vec<T>);

/// The text is not a number from 0.
#[derive(Debug)]
pub struct NotAnInteger(String);

/// The text is neither `true` nor `false`.
#[derive(Debug)]
pub struct NotABoolean(String);

// === impl errors ===

impl fmt::Display for NotAnInteger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not parse `{}` as a positive integer", self.0)
    }
}

impl fmt::Display for NotABoolean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not parse `{}` as a boolean, expected either `true` or `false`", self.0)
    }
}

impl ValueError for NotAnInteger {}
impl ValueError for NotABoolean {}

/// Text always stands for itself.
impl<Part, C: CodeMarker> MergeWithError<Infallible> for Refusal<Part, C> {
    fn merge(_: Option<Self>, other: Infallible, _: ValuePointerRef<'_>) -> ControlFlow<Self, Self> {
        match other {}
    }
}

// === impl FromParam ===

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl FromParam for $integer {
            type Err = NotAnInteger;
            fn from_param(text: &str) -> Result<Self, NotAnInteger> {
                text.parse().map_err(|_| NotAnInteger(text.to_owned()))
            }
        }
    )*};
}

integers!(usize, u32);

impl FromParam for bool {
    type Err = NotABoolean;
    fn from_param(text: &str) -> Result<Self, NotABoolean> {
        text.parse().map_err(|_| NotABoolean(text.to_owned()))
    }
}

impl FromParam for String {
    type Err = Infallible;
    fn from_param(text: &str) -> Result<Self, Infallible> {
        Ok(text.to_owned())
    }
}

// === impl Deserr ===

/// The text of a parameter, or the refusal of what is none.
fn text<V: IntoValue, E: DeserializeError>(
    value: Value<V>,
    location: ValuePointerRef<'_>,
) -> Result<String, E> {
    match value {
        Value::String(text) => Ok(text),
        actual => {
            let kind = ErrorKind::IncorrectValueKind { actual, accepted: &[ValueKind::String] };
            Err(take_cf_content(E::error::<V>(None, kind, location)))
        }
    }
}

/// What stands between the commas; empty parts do not count.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|part| !part.is_empty())
}

impl<T, E> Deserr<E> for Param<T>
where
    T: FromParam,
    E: DeserializeError + MergeWithError<T::Err>,
{
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        let parsed = T::from_param(&text(value, location)?);
        parsed.map(Self).map_err(|error| take_cf_content(E::merge(None, error, location)))
    }
}

impl<T> Default for Star<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T, E> Deserr<E> for Star<T>
where
    T: FromParam,
    E: DeserializeError + MergeWithError<T::Err>,
{
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        match text(value, location)?.as_str() {
            "*" => Ok(Self(None)),
            text => match T::from_param(text) {
                Ok(parsed) => Ok(Self(Some(parsed))),
                Err(error) => Err(take_cf_content(E::merge(None, error, location))),
            },
        }
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { values: None, sent: false }
    }
}

impl<T, E> Deserr<E> for List<T>
where
    T: FromParam,
    E: DeserializeError + MergeWithError<T::Err>,
{
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        let text = text(value, location)?;
        let parts: Vec<&str> = parts(&text).collect();
        let mut star = false;
        let mut values = Vec::new();
        for (index, part) in parts.iter().copied().enumerate() {
            if part == "*" {
                star = true;
                continue;
            }
            let location = if parts.len() > 1 { location.push_index(index) } else { location };
            match T::from_param(part) {
                Ok(parsed) => values.push(parsed),
                Err(error) => return Err(take_cf_content(E::merge(None, error, location))),
            }
        }
        Ok(Self { values: (!star).then_some(values), sent: true })
    }
}

impl<T, E> Deserr<E> for Comma<T>
where
    T: FromStr<Err: fmt::Display>,
    E: DeserializeError,
{
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        let values = parts(&text(value, location)?).map(T::from_str).collect::<Result<_, _>>();
        values.map(Self).map_err(|error: T::Err| {
            let kind = ErrorKind::Unexpected { msg: error.to_string() };
            take_cf_content(E::error::<V>(None, kind, location))
        })
    }
}
