//! Documents as the engine sees them: their ids, and which field holds the id.

use serde_json::{Map, Value};

use crate::error::{Code, ResponseError};

/// What the name of a field ends with, in any case, for it to be taken as the primary key.
const CANDIDATE_SUFFIX: &str = "id";

/// Longest id a document can have, in bytes.
const MAX_ID_LEN: usize = 511;

/// Splits the levels of a primary key that is nested in a document.
const LEVEL_SEPARATOR: char = '.';

/// Why documents cannot be added. A task fails with it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DocumentError {
    /// The id is not one a document can have. Holds the JSON of the id.
    #[error(
        "Document identifier `{0}` is invalid. A document identifier can be of type integer or string, only \
         composed of alphanumeric characters (a-z A-Z 0-9), hyphens (-) and underscores (_), and can not be more \
         than 511 bytes."
    )]
    InvalidId(String),
    /// A document without the primary key. Holds the key and the JSON of the document.
    #[error("Document doesn't have a `{0}` attribute: `{1}`.")]
    MissingId(String, String),
    /// A document with several values at a nested primary key. Holds the key and the JSON of the document.
    #[error("Document have too many matching `{0}` attribute: `{1}`.")]
    TooManyIds(String, String),
    /// No field that could be the primary key.
    #[error(
        "The primary key inference failed as the engine did not find any field ending with `id` in its name. \
         Please specify the primary key manually using the `primaryKey` query parameter."
    )]
    NoCandidate,
    /// More than one field that could be the primary key: how many, and the first two.
    #[error(
        "The primary key inference failed as the engine found {0} fields ending with `id` in their names: '{1}' \
         and '{2}'. Please specify the primary key manually using the `primaryKey` query parameter."
    )]
    ManyCandidates(usize, String, String),
    /// The index has a primary key and documents; it cannot be changed. Holds the key it has.
    #[error("Index already has a primary key: `{0}`.")]
    PrimaryKeyExists(String),
}

impl DocumentError {
    /// The code of the failed task.
    pub fn code(&self) -> Code {
        match self {
            Self::InvalidId(_) | Self::TooManyIds(..) => Code::InvalidDocumentId,
            Self::MissingId(..) => Code::MissingDocumentId,
            Self::NoCandidate => Code::IndexPrimaryKeyNoCandidateFound,
            Self::ManyCandidates(..) => Code::IndexPrimaryKeyMultipleCandidatesFound,
            Self::PrimaryKeyExists(_) => Code::IndexPrimaryKeyAlreadyExists,
        }
    }
}

impl From<DocumentError> for ResponseError {
    fn from(error: DocumentError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// Whether a document can have this text as its id.
pub fn is_valid_id(id: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !id.is_empty() && id.len() <= MAX_ID_LEN && id.bytes().all(good)
}

/// The text of an id: that of a string, or the digits of an integer. `1` and `"1"` are the same id.
pub fn id_text(id: &Value) -> Result<String, DocumentError> {
    match id {
        Value::String(text) if is_valid_id(text) => Ok(text.clone()),
        Value::Number(number) if !number.is_f64() => Ok(number.to_string()),
        other => Err(DocumentError::InvalidId(other.to_string())),
    }
}

/// The field to take as primary key, given the names of the first document's fields.
pub fn infer_primary_key<'a>(fields: impl IntoIterator<Item = &'a str>) -> Result<&'a str, DocumentError> {
    let mut candidates: Vec<&str> = fields.into_iter().filter(|name| is_candidate(name)).collect();
    candidates.sort_unstable();
    match candidates.as_slice() {
        [] => Err(DocumentError::NoCandidate),
        [only] => Ok(only),
        [first, second, ..] => {
            Err(DocumentError::ManyCandidates(candidates.len(), (*first).to_owned(), (*second).to_owned()))
        }
    }
}

fn is_candidate(name: &str) -> bool {
    name.to_lowercase().ends_with(CANDIDATE_SUFFIX)
}

/// The id of a document, under a primary key that may reach into nested objects (`meta.id`).
pub fn document_id(document: &Map<String, Value>, primary_key: &str) -> Result<String, DocumentError> {
    let mut found = Vec::new();
    if primary_key.contains(LEVEL_SEPARATOR) {
        collect_nested(document, primary_key, &mut found);
    } else {
        found.extend(document.get(primary_key));
    }
    let json = || serde_json::to_string(document).unwrap_or_default();
    let mut id = None;
    for value in found {
        if id.replace(id_text(value)?).is_some() {
            return Err(DocumentError::TooManyIds(primary_key.to_owned(), json()));
        }
    }
    id.ok_or_else(|| DocumentError::MissingId(primary_key.to_owned(), json()))
}

/// Every value at `path`, whose levels may be nested objects, dots in a name, or both.
fn collect_nested<'a>(object: &'a Map<String, Value>, path: &str, found: &mut Vec<&'a Value>) {
    for (name, value) in object {
        let Some(rest) = path.strip_prefix(name.as_str()) else { continue };
        match (rest.strip_prefix(LEVEL_SEPARATOR), value) {
            (Some(rest), Value::Object(inner)) => collect_nested(inner, rest, found),
            (None, value) if rest.is_empty() => found.push(value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{document_id, id_text, infer_primary_key};

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    fn code(document: Value, primary_key: &str) -> &'static str {
        document_id(&object(document), primary_key).expect_err("no id").code().name()
    }

    #[test]
    fn numbers_and_strings_are_the_same_id() {
        assert_eq!(id_text(&json!(1)).as_deref(), Ok("1"));
        assert_eq!(id_text(&json!("1")).as_deref(), Ok("1"));
        assert_eq!(id_text(&json!(-7)).as_deref(), Ok("-7"));
    }

    #[test]
    fn ids_have_a_form_and_a_length() {
        assert!(id_text(&json!("a-Z_9")).is_ok() && id_text(&json!("x".repeat(511))).is_ok());
        for id in
            [json!(""), json!("a b"), json!("é"), json!("x".repeat(512)), json!(1.5), json!(null), json!([1])]
        {
            assert!(id_text(&id).is_err(), "{id}");
        }
    }

    #[test]
    fn one_field_ending_in_id_is_the_primary_key() {
        assert_eq!(infer_primary_key(["title", "movieID", "year"]), Ok("movieID"));
        assert_eq!(infer_primary_key(["title", "id"]), Ok("id"));
    }

    #[test]
    fn none_or_several_are_refused() {
        let error = infer_primary_key(["title"]).expect_err("none");
        assert_eq!(error.code().name(), "index_primary_key_no_candidate_found");
        let error = infer_primary_key(["b_id", "x", "a_id", "c_id"]).expect_err("three");
        assert_eq!(error.code().name(), "index_primary_key_multiple_candidates_found");
        assert!(
            error.to_string().contains("found 3 fields ending with `id` in their names: 'a_id' and 'b_id'.")
        );
    }

    #[test]
    fn nested_primary_key_is_found_in_objects_and_in_dotted_names() {
        for document in [json!({"a": {"b": {"id": 5}}}), json!({"a.b": {"id": 5}}), json!({"a.b.id": 5})] {
            assert_eq!(document_id(&object(document), "a.b.id").as_deref(), Ok("5"));
        }
    }

    #[test]
    fn missing_and_repeated_ids_have_their_own_errors() {
        assert_eq!(code(json!({"title": "x"}), "id"), "missing_document_id");
        assert_eq!(code(json!({"a": 1, "b": {"id": 2}}), "a.id"), "missing_document_id");
        assert_eq!(code(json!({"a": {"id": 1}, "a.id": 2}), "a.id"), "invalid_document_id");
        assert_eq!(code(json!({"id": 1.5}), "id"), "invalid_document_id");
    }

    #[test]
    fn the_document_is_shown_as_it_was_written() {
        let error = document_id(&object(json!({"z": 1, "a": "b"})), "id").expect_err("no id");
        assert_eq!(error.to_string(), r#"Document doesn't have a `id` attribute: `{"z":1,"a":"b"}`."#);
    }
}
