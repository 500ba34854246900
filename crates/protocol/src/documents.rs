//! Parameters of the document routes.

use deserr::Deserr;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    error::{Code, ResponseError, marker},
    parse::{self, Comma, JsonRefusal, List, Param, QueryRefusal},
    search::{json_or_text, split_sort_parameter},
};

/// How many documents a listing has when nothing is said.
const LIMIT: usize = 20;

/// Which documents to list, and what of them. Serialises to the body that asks a node for the same.
#[derive(Debug, Clone, PartialEq, Deserr, Serialize)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct BrowseQuery {
    /// How many documents to leave out first.
    #[deserr(default, error = JsonRefusal<marker::InvalidDocumentOffset>)]
    pub offset: usize,
    /// How many documents at most.
    #[deserr(default = LIMIT, error = JsonRefusal<marker::InvalidDocumentLimit>)]
    pub limit: usize,
    /// Fields to return.
    #[deserr(default, error = JsonRefusal<marker::InvalidDocumentFields>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
    /// Whether documents carry their vectors.
    #[deserr(default, error = JsonRefusal<marker::InvalidDocumentRetrieveVectors>)]
    pub retrieve_vectors: bool,
    /// Ids of documents.
    #[deserr(default, error = JsonRefusal<marker::InvalidDocumentIds>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<Value>>,
    /// Which documents count.
    #[deserr(default, error = JsonRefusal<marker::InvalidDocumentFilter>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<Value>,
    /// The order, as in `price:asc`.
    #[deserr(default, error = JsonRefusal<marker::InvalidDocumentSort>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<Vec<String>>,
    /// Whether Meilisearch's own network of remotes is asked.
    #[deserr(default, error = JsonRefusal<marker::InvalidDocumentUseNetwork>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_network: Option<bool>,
}

/// The same in a query string.
#[derive(Debug, Deserr)]
#[deserr(error = QueryRefusal, rename_all = camelCase, deny_unknown_fields)]
struct BrowseParameters {
    #[deserr(default, error = QueryRefusal<marker::InvalidDocumentOffset>)]
    offset: Param<usize>,
    #[deserr(default = Param(LIMIT), error = QueryRefusal<marker::InvalidDocumentLimit>)]
    limit: Param<usize>,
    #[deserr(default, error = QueryRefusal<marker::InvalidDocumentFields>)]
    fields: List<String>,
    #[deserr(default, error = QueryRefusal<marker::InvalidDocumentRetrieveVectors>)]
    retrieve_vectors: Param<bool>,
    #[deserr(default, error = QueryRefusal<marker::InvalidDocumentIds>)]
    ids: Option<Comma<String>>,
    #[deserr(default, error = QueryRefusal<marker::InvalidDocumentFilter>)]
    filter: Option<String>,
    #[deserr(default, error = QueryRefusal<marker::InvalidDocumentSort>)]
    sort: Option<String>,
    // Meilisearch reads no text as a boolean here, so that every use of the parameter is refused.
    #[deserr(default, error = QueryRefusal<marker::InvalidDocumentUseNetwork>)]
    use_network: Option<bool>,
}

/// Parameters of `GET /indexes/{uid}/documents/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GetDocument {
    /// Fields to return; all of them when `None`.
    pub fields: Option<Vec<String>>,
    /// Whether the document carries its vectors.
    pub retrieve_vectors: bool,
}

#[derive(Debug, Deserr)]
#[deserr(error = QueryRefusal, rename_all = camelCase, deny_unknown_fields)]
struct GetParameters {
    #[deserr(default, error = QueryRefusal<marker::InvalidDocumentFields>)]
    fields: List<String>,
    #[deserr(default, error = QueryRefusal<marker::InvalidDocumentRetrieveVectors>)]
    retrieve_vectors: Param<bool>,
    #[deserr(default, error = QueryRefusal<marker::InvalidDocumentUseNetwork>)]
    #[allow(dead_code)] // is read so that it can be refused
    use_network: Option<bool>,
}

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

// === impl BrowseQuery ===

impl BrowseQuery {
    /// Parses the body of `POST /indexes/{uid}/documents/fetch`.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        parse::json(body)
    }

    /// Parses the parameters of `GET /indexes/{uid}/documents`.
    pub fn from_query_string(query: &str) -> Result<Self, ResponseError> {
        let sent = parse::query::<BrowseParameters, marker::BadRequest>(query)?;
        Ok(Self {
            offset: sent.offset.0,
            limit: sent.limit.0,
            fields: sent.fields.values,
            retrieve_vectors: sent.retrieve_vectors.0,
            ids: sent.ids.map(|ids| ids.0.into_iter().map(Value::String).collect()),
            filter: sent.filter.map(json_or_text),
            sort: sent.sort.map(|sort| split_sort_parameter(&sort)),
            use_network: sent.use_network,
        })
    }
}

impl Default for BrowseQuery {
    fn default() -> Self {
        Self {
            offset: 0,
            limit: LIMIT,
            fields: None,
            retrieve_vectors: false,
            ids: None,
            filter: None,
            sort: None,
            use_network: None,
        }
    }
}

// === impl parameters ===

impl GetDocument {
    /// Parses the parameters.
    pub fn from_query_string(query: &str) -> Result<Self, ResponseError> {
        let sent = parse::query::<GetParameters, marker::BadRequest>(query)?;
        Ok(Self { fields: sent.fields.values, retrieve_vectors: sent.retrieve_vectors.0 })
    }
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
        if is_empty_filter(&deletion.filter) {
            return Err(ResponseError::new(
                Code::InvalidDocumentFilter,
                "Sending an empty filter is forbidden.",
            ));
        }
        Ok(deletion)
    }
}

impl EditDocuments {
    /// Parses the body. The context has to be an object.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        let edition: Self = parse::json(body)?;
        edition.context()?;
        Ok(edition)
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

/// Whether a filter says nothing at all: an empty text, or lists of nothing.
pub fn is_empty_filter(filter: &Value) -> bool {
    match filter {
        Value::String(expression) => expression.trim().is_empty(),
        Value::Array(parts) => parts.iter().all(is_empty_filter),
        _ => false,
    }
}
