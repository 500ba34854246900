//! Vectors: `_vectors`, an object with a member for each embedder.

use std::{borrow::Cow, fmt};

use deserr::{
    DeserializeError, Deserr, ErrorKind, IntoValue, Sequence, ValueKind, ValuePointerRef, errors::JsonError,
    take_cf_content,
};
use memchr::{memchr, memchr_iter, memchr2_iter};
use miroir_protocol::error::{Code, ResponseError};
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, value::RawValue};

use super::{VECTORS, refusal};

/// What a document says of its vectors for one embedder.
#[derive(Debug, Clone, Copy)]
pub(super) enum Given<'a> {
    /// One vector, several, or with `null` none.
    Implicit(Option<&'a RawValue>),
    /// An object that says whether they are to be made anew when the document changes.
    Explicit { regenerate: bool, embeddings: Option<&'a RawValue> },
}

/// The name of an embedder and what it is given.
pub(super) type Named<'a> = (Cow<'a, str>, Given<'a>);

impl Given<'_> {
    /// Whether the embedder has to make a vector, as none is given.
    pub(super) fn must_be_made(&self) -> bool {
        matches!(self, Self::Explicit { regenerate: true, embeddings: None })
    }
}

/// What a document gives to embedders, whether the index has them or not; or the first of it that has the wrong form.
pub(super) fn named<'a>(id: &str, raw: &'a RawValue) -> Result<Vec<Named<'a>>, ResponseError> {
    // These are the engine's own words for it, its parser's and with the code of a fault of its own.
    let members = raw.deserialize_map(MembersVisitor);
    let members = members.map_err(|error| refusal(Code::Internal, error.to_string()))?;
    let given = |(name, raw): (Cow<'a, str>, &'a RawValue)| match given(raw) {
        Ok(given) => Ok((name, given)),
        Err(problem) => Err(misconfigured(id, &problem.in_words(&name))),
    };
    members.into_iter().map(given).collect()
}

/// Checks the vectors for an embedder: numbers, and as many of them as it has dimensions.
pub(super) fn check(
    id: &str,
    embedder: &str,
    dimensions: Option<usize>,
    given: &Given<'_>,
) -> Result<(), ResponseError> {
    let (raw, is_explicit) = match given {
        Given::Implicit(Some(raw)) => (raw, false),
        Given::Explicit { embeddings: Some(raw), .. } => (raw, true),
        _ => return Ok(()),
    };
    let lengths = match plain_lengths(raw.get()) {
        Some(lengths) => lengths,
        None => lengths(raw, embedder, is_explicit).map_err(|problem| misconfigured(id, &problem))?,
    };
    let Some(expected) = dimensions else { return Ok(()) };
    match lengths.iter().enumerate().find(|(_, found)| **found != expected) {
        None => Ok(()),
        Some((place, found)) => Err(refusal(
            Code::InvalidVectorDimensions,
            format!(
                "Invalid vector dimensions in document with id `{id}` in `._vectors.{embedder}`.\n  - note: embedding \
                 #{place} has dimensions {found}\n  - note: embedder `{embedder}` requires {expected}"
            ),
        )),
    }
}

fn misconfigured(id: &str, problem: &str) -> ResponseError {
    let message = format!("Bad embedder configuration in the document with id: `{id}`. {problem}");
    refusal(Code::InvalidVectorsType, message)
}

/// The lengths of vectors that are nothing but numbers, found without parsing them.
fn plain_lengths(text: &str) -> Option<Vec<usize>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?.trim();
    if !inner.starts_with('[') {
        return if inner.is_empty() { Some(Vec::new()) } else { Some(vec![numbers(inner)?]) };
    }
    let (mut rest, mut lengths) = (inner, Vec::new());
    loop {
        let vector = rest.trim_start().strip_prefix('[')?;
        let end = memchr(b']', vector.as_bytes())?;
        lengths.push(numbers(vector[..end].trim())?);
        rest = vector[end + 1..].trim_start();
        if rest.is_empty() {
            return Some(lengths);
        }
        rest = rest.strip_prefix(',')?;
    }
}

/// How many numbers a list of them holds. `None` where it holds anything else, or a number that might be too large.
fn numbers(list: &str) -> Option<usize> {
    if list.is_empty() {
        return Some(0);
    }
    let is_of_number = |byte: &u8| {
        matches!(byte, b'0'..=b'9' | b'.' | b',' | b'-' | b'+' | b'e' | b'E' | b' ' | b'\n' | b'\r' | b'\t')
    };
    let bytes = list.as_bytes();
    let only_numbers = bytes.iter().fold(true, |all, byte| all & is_of_number(byte));
    let is_long =
        |at: usize| bytes.get(at + 1..at + 4).is_some_and(|exponent| exponent.iter().all(u8::is_ascii_digit));
    let may_be_too_large = memchr2_iter(b'e', b'E', bytes)
        .any(|at| is_long(at) || (bytes.get(at + 1) == Some(&b'+') && is_long(at + 1)));
    (only_numbers && !may_be_too_large).then(|| memchr_iter(b',', bytes).count() + 1)
}

/// The lengths of vectors, or what is wrong with them in the words of the engine.
fn lengths(raw: &RawValue, embedder: &str, is_explicit: bool) -> Result<Vec<usize>, String> {
    let value: Value = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    let vectors = ValuePointerRef::Key { key: VECTORS, prev: &ValuePointerRef::Origin };
    let of_embedder = ValuePointerRef::Key { key: embedder, prev: &vectors };
    let embeddings = ValuePointerRef::Key { key: "embeddings", prev: &of_embedder };
    let location = if is_explicit { embeddings } else { of_embedder };
    let lengths: Result<Lengths, JsonError> = Lengths::deserialize_from_value(value.into_value(), location);
    lengths.map(|lengths| lengths.0).map_err(|error| error.to_string())
}

/// The lengths of one vector or several: the first element tells which.
struct Lengths(Vec<usize>);

impl<E: DeserializeError> Deserr<E> for Lengths {
    fn deserialize_from_value<V: IntoValue>(
        value: deserr::Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        let wrong = |actual, accepted, location| {
            Err(take_cf_content(E::error(None, ErrorKind::IncorrectValueKind { actual, accepted }, location)))
        };
        let elements = match value {
            deserr::Value::Null => return Ok(Self(Vec::new())),
            deserr::Value::Sequence(elements) => elements.into_iter().map(V::into_value),
            actual => return wrong(actual, &[ValueKind::Sequence, ValueKind::Null], location),
        };
        let (mut lengths, mut numbers) = (Vec::new(), 0);
        for (place, element) in elements.enumerate() {
            let location = location.push_index(place);
            match &element {
                _ if numbers > 0 => _ = f32::deserialize_from_value(element, location)?,
                _ if !lengths.is_empty() => {
                    lengths.push(<Vec<f32>>::deserialize_from_value(element, location)?.len());
                    continue;
                }
                deserr::Value::Sequence(_) => {
                    lengths.push(<Vec<f32>>::deserialize_from_value(element, location)?.len());
                    continue;
                }
                deserr::Value::Integer(_) | deserr::Value::NegativeInteger(_) | deserr::Value::Float(_) => {}
                _ => return wrong(element, &[ValueKind::Sequence, ValueKind::Float], location),
            }
            numbers += 1;
        }
        if numbers > 0 {
            lengths.push(numbers);
        }
        Ok(Self(lengths))
    }
}

/// What is wrong with what an embedder is given.
#[derive(Debug)]
enum Problem {
    Regenerate(String),
    Embeddings(String),
    Member(String),
    Unknown(String),
    NoRegenerate,
    Kind(&'static str, String),
    Parser(serde_json::Error),
}

impl Problem {
    fn in_words(self, embedder: &str) -> String {
        let at = format!("._vectors.{embedder}");
        match self {
            Self::Regenerate(error) => format!("Could not parse `{at}.regenerate`: {error}"),
            Self::Embeddings(error) => format!("Could not parse `{at}.embeddings`: {error}"),
            Self::Member(error) => format!("Could not parse a field at `{at}`: {error}"),
            Self::Unknown(name) => format!(
                "Unexpected field `{at}.{name}`\n  - note: the allowed fields are `regenerate` and `embeddings`"
            ),
            Self::NoRegenerate => format!(
                "Missing field `{at}.regenerate`\n  - note: `{at}` must be an array of floats, an array of arrays of \
                 floats, or an object with field `regenerate`"
            ),
            Self::Kind(kind, value) => format!(
                "Expected `{at}` to be an array of floats, an array of arrays of floats, or an object with at least the \
                 field `regenerate`, but got the {kind} `{value}`"
            ),
            Self::Parser(error) => format!("Could not parse `{at}`: {error}"),
        }
    }
}

fn given(raw: &RawValue) -> Result<Given<'_>, Problem> {
    match raw.get().as_bytes().first() {
        Some(b'[') => Ok(Given::Implicit(Some(raw))),
        Some(b'n') => Ok(Given::Implicit(None)),
        _ => raw.deserialize_any(GivenVisitor).map_err(Problem::Parser)?,
    }
}

/// Reads an object as the engine does: it stops at the first thing that is wrong, and what follows that makes the error
/// one of the parser.
struct GivenVisitor;

impl<'de> Visitor<'de> for GivenVisitor {
    type Value = Result<Given<'de>, Problem>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what an embedder is given")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut regenerate, mut embeddings) = (None, None);
        loop {
            match map.next_key::<&str>() {
                Ok(Some("regenerate")) => match map.next_value() {
                    Ok(value) => regenerate = Some(value),
                    Err(error) => return Ok(Err(Problem::Regenerate(error.to_string()))),
                },
                Ok(Some("embeddings")) => match map.next_value::<&RawValue>() {
                    Ok(value) if value.get() == "null" => {}
                    Ok(value) => embeddings = Some(value),
                    Err(error) => return Ok(Err(Problem::Embeddings(error.to_string()))),
                },
                Ok(Some(other)) => return Ok(Err(Problem::Unknown(other.to_owned()))),
                Ok(None) => break,
                Err(error) => return Ok(Err(Problem::Member(error.to_string()))),
            }
        }
        Ok(match regenerate {
            Some(regenerate) => Ok(Given::Explicit { regenerate, embeddings }),
            None => Err(Problem::NoRegenerate),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Ok(Given::Implicit(None)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Err(Problem::Kind("boolean", value.to_string())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Err(Problem::Kind("integer", value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Err(Problem::Kind("integer", value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Err(Problem::Kind("number", value.to_string())))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Err(Problem::Kind("string", value.to_owned())))
    }
}

/// The members of an object. Of those with the same name the last one counts.
struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Self::Value = Vec::new();
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &RawValue>()? {
            match members.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => members.push((name, value)),
            }
        }
        Ok(members)
    }
}

/// A name, borrowed where it is written without escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
