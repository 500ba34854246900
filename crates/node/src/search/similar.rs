//! Documents that are similar to one.

use std::time::Instant;

use milli_core::heed::RoTxn;
use milli_core::{MatchingWords, Similar, UserError};
use miroir_protocol::error::{Code, ResponseError};
use miroir_protocol::search::{SearchQuery, SimilarQuery};
use serde_json::{Map, Value, json};

use super::filter::parse_filter;
use super::hits::make_hits;
use super::prepare::{Window, max_total_hits};
use super::run::{milliseconds_since, put_window};
use crate::engine::{OpenIndex, embedders_of};
use crate::error::EngineError;
use crate::features::Features;

/// Answers a search for similar documents.
pub(crate) fn similar(
    open: &OpenIndex,
    wanted: &SimilarQuery,
    features: &Features,
) -> Result<Value, EngineError> {
    let started = Instant::now();
    let index = &open.index;
    let rtxn = index.read_txn()?;
    let rtxn: &RoTxn<'_> = &rtxn;
    let embedders = embedders_of(index, rtxn)?;
    let Some((embedder, _, quantized)) = embedders.get(&wanted.embedder) else {
        return Err(UserError::InvalidSimilarEmbedder(wanted.embedder.clone()).into());
    };
    let filter =
        wanted.filter.as_ref().map(|filter| parse_filter(filter, Code::InvalidSimilarFilter, features));
    let filter = filter.transpose()?.flatten();
    let id = wanted.document_id()?;
    let Some(document) = index.external_documents_ids().get(rtxn, &id)? else {
        let message = format!("Document `{id}` not found.");
        return Err(ResponseError::new(Code::NotFoundSimilarId, message).into());
    };

    let SimilarQuery { offset, limit, .. } = *wanted;
    let name = wanted.embedder.clone();
    let mut search = Similar::new(document, offset, limit, index, rtxn, name, embedder, quantized);
    if let Some(filter) = filter {
        search.filter(filter);
    }
    if let Some(threshold) = wanted.ranking_score_threshold {
        search.ranking_score_threshold(threshold.get());
    }
    let result = search
        .execute()
        .map_err(|error| EngineError::from(error).with_filter_code(Code::InvalidSimilarFilter))?;

    let shown = SearchQuery {
        attributes_to_retrieve: wanted.attributes_to_retrieve.clone(),
        retrieve_vectors: wanted.retrieve_vectors,
        show_ranking_score: wanted.show_ranking_score,
        show_ranking_score_details: wanted.show_ranking_score_details,
        ..SearchQuery::default()
    };
    let found = result.documents_ids.into_iter().zip(result.document_scores);
    let hits = make_hits(index, rtxn, &shown, MatchingWords::default(), found)?;
    let total = usize::try_from(result.candidates.len()).unwrap_or(usize::MAX);

    let mut answer = Map::new();
    let mut put = |name: &str, value: Value| drop(answer.insert(name.to_owned(), value));
    put("hits", hits.into());
    put("id", json!(id));
    put("processingTimeMs", milliseconds_since(started));
    put_window(&mut put, &Window { offset, limit }, total.min(max_total_hits(open, rtxn)?));
    Ok(answer.into())
}
