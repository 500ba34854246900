//! Finds the id in a document, reading every byte once and building nothing.
//!
//! The order in which the engine finds errors is kept: a second id is one, and so is the first id that is not valid,
//! whichever comes first.

use miroir_shard::is_internal;
use std::{borrow::Cow, io::Read};

use miroir_protocol::document::{self, DocumentError};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Error, Map, Value, value::RawValue};

use super::{PrimaryKey, SplitError, primary_key::below, window::Window};
use crate::rules::{GEO, Special, VECTORS};

/// What a document has instead of an id.
#[derive(Debug, PartialEq)]
pub(super) enum NoId {
    Missing,
    TooMany,
    Invalid(DocumentError),
    Reserved(String),
}

/// The id of a document.
pub(super) struct Id<'de> {
    /// The value that it is, as it is written.
    pub(super) written: &'de str,
    /// Its text.
    pub(super) text: Cow<'de, str>,
}

type FoundId<'de> = Result<Id<'de>, NoId>;

/// What is to be known of a document.
pub(super) struct Document<'de> {
    pub(super) id: FoundId<'de>,
    pub(super) special: Special<'de>,
}

/// The length of the document that `bytes` start with, and what is to be known of it.
pub(super) fn document<'de>(bytes: &'de [u8], key: &PrimaryKey) -> Result<(usize, Document<'de>), Error> {
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let document = parser.deserialize_map(DocumentVisitor(key.path()))?;
    Ok((parser.into_iter::<IgnoredAny>().byte_offset(), document))
}

/// Shows the names of each document's fields.
pub(crate) fn for_each_names(spool: impl Read, mut see: impl FnMut(&[String])) -> Result<(), SplitError> {
    let mut window = Window::new(spool);
    while window.next_document()? {
        let (len, names) = window.parse(|bytes| {
            let mut parser = serde_json::Deserializer::from_slice(bytes);
            let names = parser.deserialize_map(NamesVisitor)?;
            Ok((parser.into_iter::<IgnoredAny>().byte_offset(), names))
        })?;
        see(&names);
        window.consume(len);
    }
    Ok(())
}

/// The primary key that the engine would take for an index that has none yet: from the names of the first document's
/// fields. `None` if there is no document.
pub fn infer_primary_key(spool: impl Read) -> Result<Option<String>, SplitError> {
    let mut window = Window::new(spool);
    if !window.next_document()? {
        return Ok(None);
    }
    let mut names =
        window.parse(|bytes| serde_json::Deserializer::from_slice(bytes).deserialize_map(NamesVisitor))?;
    names.sort_unstable();
    names.dedup();
    Ok(Some(document::infer_primary_key(names.iter().map(String::as_str))?.to_owned()))
}

// === impl NoId ===

impl NoId {
    pub(super) fn into_error(self, document: &[u8], key: &PrimaryKey) -> SplitError {
        let json = || match serde_json::from_slice::<Map<String, Value>>(document) {
            Ok(document) => Value::from(document).to_string(),
            Err(_) => String::from_utf8_lossy(document).into_owned(),
        };
        match self {
            Self::Missing => DocumentError::MissingId(key.path().to_owned(), json()).into(),
            Self::TooMany => DocumentError::TooManyIds(key.path().to_owned(), json()).into(),
            Self::Invalid(error) => error.into(),
            Self::Reserved(name) => SplitError::Reserved(name),
        }
    }
}

/// The text of the id that a value is, given as it is written.
fn id_of(text: &str) -> Result<Cow<'_, str>, NoId> {
    if let Some(plain) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'))
        && document::is_valid_id(plain)
    {
        return Ok(plain.into());
    }
    // up to 18 digits are an integer, written as it would be written
    if text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.into());
    }
    let value: Value =
        serde_json::from_str(text).map_err(|_| NoId::Invalid(DocumentError::InvalidId(text.to_owned())))?;
    document::id_text(&value).map(Cow::Owned).map_err(NoId::Invalid)
}

/// The text of the id that a value is, given as it is written; `None` where it is none.
pub(crate) fn id_text(written: &str) -> Option<Cow<'_, str>> {
    id_of(written).ok()
}

/// Looks at the value of a field that the path goes through, and sets `found`.
pub(super) fn look_into<'de, E: serde::de::Error>(
    value: &'de RawValue,
    rest: &str,
    found: &mut Option<Id<'de>>,
) -> Result<Result<(), NoId>, E> {
    let id = if rest.is_empty() {
        match id_of(value.get()) {
            Ok(text) => Id { written: value.get(), text },
            Err(none) => return Ok(Err(none)),
        }
    } else {
        match value.deserialize_map(NestedVisitor(rest)) {
            Ok(Ok(Some(id))) => id,
            Ok(Ok(None)) => return Ok(Ok(())),
            Ok(Err(none)) => return Ok(Err(none)),
            Err(error) if error.is_data() => return Ok(Ok(())),
            Err(error) => return Err(E::custom(error)),
        }
    };
    Ok(if found.replace(id).is_some() { Err(NoId::TooMany) } else { Ok(()) })
}

/// A whole document. Every field is read, even after the id is found.
struct DocumentVisitor<'a>(&'a str);

impl<'de> Visitor<'de> for DocumentVisitor<'_> {
    type Value = Document<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document<'de>, A::Error> {
        let (mut found, mut none) = (None, None);
        let mut special = Special::default();
        while let Some(field) = map.next_key_seed(FieldSeed(self.0))? {
            match field {
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
                Field::Vectors => special.vectors = Some(map.next_value()?),
                Field::Geo => special.geo = Some(map.next_value()?),
                Field::Reserved(name) => {
                    map.next_value::<IgnoredAny>()?;
                    none.get_or_insert(NoId::Reserved(name));
                }
                Field::OnPath(rest) => {
                    let value = map.next_value()?;
                    if none.is_none() {
                        none = look_into::<A::Error>(value, rest, &mut found)?.err();
                    }
                }
            }
        }
        let id = match none {
            Some(none) => Err(none),
            None => found.ok_or(NoId::Missing),
        };
        Ok(Document { id, special })
    }
}

/// An object below the document. As in the engine, reading stops at the first error, and fields that follow it make that
/// an error of the parser.
struct NestedVisitor<'a>(&'a str);

impl<'de> Visitor<'de> for NestedVisitor<'_> {
    type Value = Result<Option<Id<'de>>, NoId>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(field) = map.next_key_seed(FieldSeed(self.0))? {
            let value = map.next_value()?;
            if let Field::OnPath(rest) = field
                && let Err(none) = look_into::<A::Error>(value, rest, &mut found)?
            {
                return Ok(Err(none));
            }
        }
        Ok(Ok(found))
    }
}

/// What a field is to the path of the id, or to the engine.
pub(super) enum Field<'a> {
    Other,
    Vectors,
    Geo,
    Reserved(String),
    OnPath(&'a str),
}

pub(super) struct FieldSeed<'a>(pub(super) &'a str);

impl<'de, 'a> DeserializeSeed<'de> for FieldSeed<'a> {
    type Value = Field<'a>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Field<'a>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for FieldSeed<'a> {
    type Value = Field<'a>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("expecting a string")
    }

    fn visit_str<E>(self, name: &str) -> Result<Field<'a>, E> {
        Ok(match below(self.0, name) {
            _ if is_internal(name) => Field::Reserved(name.to_owned()),
            Some(rest) => Field::OnPath(rest),
            None if name == VECTORS => Field::Vectors,
            None if name == GEO => Field::Geo,
            None => Field::Other,
        })
    }
}

/// The names of a document's fields.
struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
        let mut names = Vec::new();
        while let Some((name, IgnoredAny)) = map.next_entry()? {
            names.push(name);
        }
        Ok(names)
    }
}
