//! Adding, deleting and editing documents.

use deserr::Deserr;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    error::{Code, ResponseError, marker},
    parse::{self, JsonRefusal, QueryRefusal},
    search::check_filter_form,
};

/// Parameters of adding, replacing and updating documents.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserr)]
#[deserr(error = QueryRefusal, rename_all = camelCase, deny_unknown_fields)]
pub struct AddDocuments {
    /// The field that holds ids.
    #[deserr(default, error = QueryRefusal<marker::InvalidIndexPrimaryKey>)]
    pub primary_key: Option<String>,
    /// What separates values of a line, in CSV.
    #[deserr(
        default,
        try_from(char) = ascii_delimiter -> QueryRefusal<marker::InvalidDocumentCsvDelimiter>,
        error = QueryRefusal<marker::InvalidDocumentCsvDelimiter>
    )]
    pub csv_delimiter: Option<u8>,
    /// A text that the task carries.
    #[deserr(default, error = QueryRefusal<marker::InvalidIndexCustomMetadata>)]
    pub custom_metadata: Option<String>,
    /// Whether documents that are not there yet are left out.
    #[deserr(
        default,
        try_from(String) = true_or_false -> QueryRefusal<marker::InvalidSkipCreation>,
        error = QueryRefusal<marker::InvalidSkipCreation>
    )]
    pub skip_creation: Option<bool>,
}

/// Parameters of deleting and editing documents.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserr)]
#[deserr(error = QueryRefusal, rename_all = camelCase, deny_unknown_fields)]
pub struct ChangeDocuments {
    /// A text that the task carries.
    #[deserr(default, error = QueryRefusal<marker::InvalidIndexCustomMetadata>)]
    pub custom_metadata: Option<String>,
}

/// The body of `POST /indexes/{uid}/documents/delete`.
#[derive(Debug, Clone, PartialEq, Deserr, Serialize)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
pub struct DeleteByFilter {
    /// Which documents go.
    #[deserr(
        error = JsonRefusal<marker::InvalidDocumentFilter>,
        missing_field_error = JsonRefusal::<marker::MissingDocumentFilter>::missing
    )]
    pub filter: Value,
}

/// The body of `POST /indexes/{uid}/documents/edit`.
#[derive(Debug, Clone, PartialEq, Deserr, Serialize)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
pub struct EditDocuments {
    /// Which documents are edited; all of them when `None`.
    #[deserr(default, error = JsonRefusal<marker::InvalidDocumentFilter>)]
    pub filter: Option<Value>,
    /// What the function is given besides the document.
    #[deserr(default, error = JsonRefusal<marker::InvalidDocumentEditionContext>)]
    pub context: Option<Value>,
    /// The function.
    #[deserr(
        error = JsonRefusal<marker::InvalidDocumentEditionFunctionFilter>,
        missing_field_error = JsonRefusal::<marker::MissingDocumentEditionFunction>::missing
    )]
    pub function: String,
}

impl AddDocuments {
    /// Parses the parameters.
    pub fn from_query_string(query: &str) -> Result<Self, ResponseError> {
        parse::query(query)
    }
}

impl ChangeDocuments {
    /// Parses the parameters.
    pub fn from_query_string(query: &str) -> Result<Self, ResponseError> {
        parse::query(query)
    }
}

fn ascii_delimiter(delimiter: char) -> Result<Option<u8>, QueryRefusal<marker::InvalidDocumentCsvDelimiter>> {
    match u8::try_from(delimiter) {
        Ok(byte) if byte.is_ascii() => Ok(Some(byte)),
        _ => {
            let message = format!("csv delimiter must be an ascii character. Found: `{delimiter}`");
            Err(QueryRefusal::new(Code::InvalidDocumentCsvDelimiter, message))
        }
    }
}

fn true_or_false(text: String) -> Result<Option<bool>, QueryRefusal<marker::InvalidSkipCreation>> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        _ => {
            let message = format!("skipCreation must be either `true` or `false`. Found: `{text}`");
            Err(QueryRefusal::new(Code::InvalidSkipCreation, message))
        }
    }
}

// === impl bodies ===

impl DeleteByFilter {
    /// Parses the body. An empty filter, which would delete everything, is refused.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        let deletion: Self = parse::json(body)?;
        check_filter(&deletion.filter)?;
        Ok(deletion)
    }
}

impl EditDocuments {
    /// Parses the body.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        parse::json(body)
    }

    /// Checks what is checked once the feature is known to be on: the filter's form, and that the context is an object.
    pub fn check(&self) -> Result<(), ResponseError> {
        self.filter.as_ref().map_or(Ok(()), check_filter)?;
        self.context().map(drop)
    }

    /// The context as an object; `null` is none.
    pub fn context(&self) -> Result<Option<Map<String, Value>>, ResponseError> {
        match &self.context {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(context)) => Ok(Some(context.clone())),
            Some(_) => {
                let message = "The context must be an object";
                Err(ResponseError::new(Code::InvalidDocumentEditionContext, message))
            }
        }
    }
}

/// Parses the body of `POST /indexes/{uid}/documents/delete-batch`: ids of documents.
pub fn delete_batch_from_json(body: &[u8]) -> Result<Vec<Value>, ResponseError> {
    serde_json::from_slice(body).map_err(|error| parse::syntax_error(&error))
}

/// The texts of ids of documents, whatever they are: an id that no document can have deletes nothing.
pub fn deleted_id_text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), ToOwned::to_owned)
}

/// Refuses a filter of the wrong form and one that says nothing.
fn check_filter(filter: &Value) -> Result<(), ResponseError> {
    check_filter_form(filter, Code::InvalidDocumentFilter)?;
    if is_empty_filter(filter) {
        return Err(ResponseError::new(Code::InvalidDocumentFilter, "Sending an empty filter is forbidden."));
    }
    Ok(())
}

/// Whether a filter says nothing at all: an empty text, or lists of nothing.
pub fn is_empty_filter(filter: &Value) -> bool {
    match filter {
        Value::String(expression) => expression.trim().is_empty(),
        Value::Array(parts) => parts.iter().all(is_empty_filter),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{AddDocuments, DeleteByFilter, EditDocuments, delete_batch_from_json, deleted_id_text};

    #[test]
    fn delimiter_is_one_ascii_character() {
        let parse = AddDocuments::from_query_string;
        assert_eq!(parse("csvDelimiter=%3B").expect("good").csv_delimiter, Some(b';'));
        let error = parse("csvDelimiter=%C3%A9").expect_err("not ASCII");
        assert_eq!(error.message(), "csv delimiter must be an ascii character. Found: `é`");
    }

    #[test]
    fn skip_creation_is_read_in_any_case() {
        let parse = AddDocuments::from_query_string;
        assert_eq!(parse("skipCreation=TRUE").expect("good").skip_creation, Some(true));
        let error = parse("skipCreation=1").expect_err("neither");
        assert_eq!(error.message(), "skipCreation must be either `true` or `false`. Found: `1`");
    }

    #[test]
    fn filters_that_say_nothing_are_refused() {
        for filter in [json!(""), json!(" "), json!([]), json!([[], [""]])] {
            let body = json!({ "filter": filter }).to_string();
            let error = DeleteByFilter::from_json(body.as_bytes()).expect_err("empty");
            assert_eq!(error.message(), "Sending an empty filter is forbidden.", "{body}");
        }
    }

    #[test]
    fn filter_of_the_wrong_form_is_refused() {
        let error = DeleteByFilter::from_json(br#"{"filter":12}"#).expect_err("a number");
        let expected = "Invalid syntax for the filter parameter: `expected String, Array, found: 12`.";
        assert_eq!((error.code_name(), error.message()), ("invalid_document_filter", expected));
    }

    #[test]
    fn context_has_to_be_an_object() {
        let parse = |context: &str| {
            let body = format!(r#"{{"function":"f","context":{context}}}"#);
            EditDocuments::from_json(body.as_bytes()).and_then(|edition| edition.check())
        };
        assert!(parse("{}").is_ok() && parse("null").is_ok());
        assert_eq!(parse("1").expect_err("a number").code_name(), "invalid_document_edition_context");
    }

    #[test]
    fn ids_to_delete_are_texts_of_anything() {
        let ids = delete_batch_from_json(br#"[1,"b",[2]]"#).expect("a list");
        assert_eq!(ids.iter().map(deleted_id_text).collect::<Vec<_>>(), ["1", "b", "[2]"]);
    }
}
