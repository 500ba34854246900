//! Which documents to read, and what of them.

use deserr::Deserr;
use serde::Serialize;
use serde_json::Value;

use crate::{
    document::id_text,
    error::{Code, ResponseError, marker},
    features,
    parse::{self, Comma, JsonRefusal, List, Param, QueryRefusal},
    search::{filter_parameter, split_sort_parameter},
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
            filter: filter_parameter(sent.filter, Code::InvalidDocumentFilter)?,
            sort: sent.sort.map(|sort| split_sort_parameter(&sort)),
            use_network: sent.use_network,
        })
    }
}

impl BrowseQuery {
    /// Refuses parameters of features that are off, as it is done when the index is found.
    pub fn check_features(&self) -> Result<(), ResponseError> {
        match self.use_network {
            Some(_) => Err(features::NETWORK.needed_for("passing `useNetwork` in a search query")),
            None => Ok(()),
        }
    }

    /// The texts of the ids asked for; one that no document can have is refused, as it is when the index is found.
    pub fn id_texts(&self) -> Result<Option<Vec<String>>, ResponseError> {
        let Some(ids) = &self.ids else { return Ok(None) };
        let texts = ids.iter().enumerate().map(|(position, id)| {
            id_text(id).map_err(|error| {
                ResponseError::new(Code::InvalidDocumentIds, format!("In `.ids[{position}]`: {error}"))
            })
        });
        texts.collect::<Result<_, _>>().map(Some)
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

impl GetDocument {
    /// Parses the parameters.
    pub fn from_query_string(query: &str) -> Result<Self, ResponseError> {
        let sent = parse::query::<GetParameters, marker::BadRequest>(query)?;
        Ok(Self { fields: sent.fields.values, retrieve_vectors: sent.retrieve_vectors.0 })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{BrowseQuery, GetDocument};

    #[test]
    fn star_among_fields_means_all_of_them() {
        let fields = |query| BrowseQuery::from_query_string(query).expect(query).fields;
        assert_eq!(fields("fields=*"), None);
        assert_eq!(fields("fields=a,*"), None);
        assert_eq!(fields("fields=a,b"), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(fields(""), None);
    }

    #[test]
    fn filter_in_a_query_string_can_be_json() {
        let filter = |query| BrowseQuery::from_query_string(query).expect(query).filter;
        assert_eq!(filter("filter=a%20%3D%201"), Some(json!("a = 1")));
        assert_eq!(filter("filter=%5B%22a%20%3D%201%22%5D"), Some(json!(["a = 1"])));
    }

    #[test]
    fn ids_are_read_as_text() {
        let query = BrowseQuery::from_json(br#"{"ids":[1,"b"]}"#).expect("good");
        assert_eq!(query.id_texts().expect("good ids"), Some(vec!["1".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn bad_id_is_refused_by_its_place() {
        let query = BrowseQuery::from_json(br#"{"ids":[1,1.5]}"#).expect("good form");
        let error = query.id_texts().expect_err("1.5");
        assert_eq!(error.code_name(), "invalid_document_ids");
        assert!(error.message().starts_with("In `.ids[1]`: Document identifier `1.5` is invalid."));
    }

    #[test]
    fn network_parameter_cannot_be_used_in_a_query_string() {
        let error = GetDocument::from_query_string("useNetwork=true").expect_err("not a boolean");
        assert_eq!(error.code_name(), "invalid_document_use_network");
    }
}
