//! Looking for documents that are similar to one.

use std::collections::BTreeSet;

use deserr::Deserr;
use serde::Serialize;
use serde_json::Value;

use super::{RankingScoreThreshold, query::defaults, url::filter_parameter};
use crate::{
    document::id_text,
    error::{Code, ResponseError, marker},
    parse::{self, Comma, JsonRefusal, Param, QueryRefusal},
};

/// The parameters of `/indexes/{uid}/similar`. Serialises to the body that asks a node for the same.
#[derive(Debug, Clone, PartialEq, Deserr, Serialize)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct SimilarQuery {
    /// The document's id.
    #[deserr(error = JsonRefusal<marker::InvalidSimilarId>)]
    pub id: Value,
    /// How many hits to leave out first.
    #[deserr(default = defaults::OFFSET, error = JsonRefusal<marker::InvalidSimilarOffset>)]
    pub offset: usize,
    /// How many hits at most.
    #[deserr(default = defaults::LIMIT, error = JsonRefusal<marker::InvalidSimilarLimit>)]
    pub limit: usize,
    /// Which documents count.
    #[deserr(default, error = JsonRefusal<marker::InvalidSimilarFilter>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<Value>,
    /// Whose vectors are compared.
    #[deserr(error = JsonRefusal<marker::InvalidSimilarEmbedder>)]
    pub embedder: String,
    /// Fields of the hits to return.
    #[deserr(default, error = JsonRefusal<marker::InvalidSimilarAttributesToRetrieve>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes_to_retrieve: Option<BTreeSet<String>>,
    /// Whether hits carry their vectors.
    #[deserr(default, error = JsonRefusal<marker::InvalidSimilarRetrieveVectors>)]
    pub retrieve_vectors: bool,
    /// Whether hits carry their score.
    #[deserr(default, error = JsonRefusal<marker::InvalidSimilarShowRankingScore>)]
    pub show_ranking_score: bool,
    /// Whether hits carry their score rule by rule.
    #[deserr(default, error = JsonRefusal<marker::InvalidSimilarShowRankingScoreDetails>)]
    pub show_ranking_score_details: bool,
    /// Whether the answer says where the time went.
    #[deserr(default, error = JsonRefusal<marker::InvalidSimilarShowPerformanceDetails>)]
    pub show_performance_details: bool,
    /// The least score of a hit.
    #[deserr(default, error = JsonRefusal<marker::InvalidSimilarRankingScoreThreshold>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranking_score_threshold: Option<RankingScoreThreshold>,
}

/// The same in a query string.
#[derive(Debug, Deserr)]
#[deserr(error = QueryRefusal, rename_all = camelCase, deny_unknown_fields)]
struct SimilarParameters {
    #[deserr(error = QueryRefusal<marker::InvalidSimilarId>)]
    id: String,
    #[deserr(error = QueryRefusal<marker::InvalidSimilarEmbedder>)]
    embedder: String,
    #[deserr(default = Param(defaults::OFFSET), error = QueryRefusal<marker::InvalidSimilarOffset>)]
    offset: Param<usize>,
    #[deserr(default = Param(defaults::LIMIT), error = QueryRefusal<marker::InvalidSimilarLimit>)]
    limit: Param<usize>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSimilarAttributesToRetrieve>)]
    attributes_to_retrieve: Option<Comma<String>>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSimilarRetrieveVectors>)]
    retrieve_vectors: Param<bool>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSimilarFilter>)]
    filter: Option<String>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSimilarShowRankingScore>)]
    show_ranking_score: Param<bool>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSimilarShowRankingScoreDetails>)]
    show_ranking_score_details: Param<bool>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSimilarShowPerformanceDetails>)]
    show_performance_details: Param<bool>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSimilarRankingScoreThreshold>)]
    ranking_score_threshold: Option<Param<RankingScoreThreshold>>,
}

impl SimilarQuery {
    /// Parses the body of `POST`.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        parse::json(body)
    }

    /// Parses the parameters of `GET`.
    pub fn from_query_string(query: &str) -> Result<Self, ResponseError> {
        let sent = parse::query::<SimilarParameters, marker::BadRequest>(query)?;
        Ok(Self {
            id: Value::String(sent.id),
            offset: sent.offset.0,
            limit: sent.limit.0,
            filter: filter_parameter(sent.filter, Code::InvalidSimilarFilter)?,
            embedder: sent.embedder,
            attributes_to_retrieve: sent.attributes_to_retrieve.map(|list| list.0.into_iter().collect()),
            retrieve_vectors: sent.retrieve_vectors.0,
            show_ranking_score: sent.show_ranking_score.0,
            show_ranking_score_details: sent.show_ranking_score_details.0,
            show_performance_details: sent.show_performance_details.0,
            ranking_score_threshold: sent.ranking_score_threshold.map(|score| score.0),
        })
    }

    /// The text of the document's id; an id that no document can have is refused, as it is when the index is found.
    pub fn document_id(&self) -> Result<String, ResponseError> {
        id_text(&self.id).map_err(|error| {
            ResponseError::new(Code::InvalidSimilarId, format!("Invalid value at `.id`: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::SimilarQuery;

    #[test]
    fn both_forms_ask_for_the_same() {
        let from_body = SimilarQuery::from_json(br#"{"id":"3","embedder":"e","limit":2}"#).expect("good");
        let from_query = SimilarQuery::from_query_string("id=3&embedder=e&limit=2").expect("good");
        assert_eq!(from_body, from_query);
        assert_eq!(from_body.document_id().as_deref(), Ok("3"));
    }

    #[test]
    fn id_that_no_document_can_have_is_refused() {
        let query = SimilarQuery::from_json(br#"{"id":[1],"embedder":"e"}"#).expect("good form");
        let error = query.document_id().expect_err("a list");
        assert_eq!(error.code_name(), "invalid_similar_id");
        assert!(error.message().starts_with("Invalid value at `.id`: Document identifier `[1]` is invalid."));
    }
}
