//! The queries of a federated search, run one by one.

use milli_core::heed::{RoTxn, WithoutTls};
use milli_core::score_details::ScoringStrategy;
use milli_core::{DocumentId, MatchingWords, all_obkv_to_json, normalize_facet};
use miroir_protocol::error::ResponseError;
use miroir_protocol::features::NETWORK;
use miroir_protocol::search::{Federation, FederationOptions, IndexQuery, SearchQuery};
use roaring::RoaringBitmap;
use serde_json::Value;

use super::merge::Scored;
use crate::engine::OpenIndex;
use crate::error::EngineError;
use crate::features::Features;
use crate::search::kind::Kind;
use crate::search::pointer::map_leaves;
use crate::search::prepare::{Prepared, max_total_hits, prepare};

/// A query of a federated search.
pub(super) struct Query {
    pub(super) index_uid: String,
    pub(super) query: SearchQuery,
    pub(super) weight: f64,
}

/// What a query found.
pub(super) struct Found {
    pub(super) hits: Vec<Scored>,
    pub(super) words: MatchingWords,
    /// The query's vector, where it is to be shown.
    pub(super) vector: Option<Vec<f32>>,
    pub(super) is_semantic: bool,
}

/// An index that is searched in: by one transaction, so that all queries see the same documents.
pub(super) struct Target {
    pub(super) open: OpenIndex,
    pub(super) rtxn: RoTxn<'static, WithoutTls>,
    /// The documents that its queries match.
    pub(super) candidates: RoaringBitmap,
    /// How many more hits it may have.
    pub(super) room: usize,
    /// The first query that searches in it, which errors about the index name.
    pub(super) first_query: usize,
}

/// A value by which documents count as the same.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum FacetValue {
    Text(String),
    Number(String),
}

impl Query {
    /// The query as part of a federation that needs `wanted` hits.
    pub(super) fn new(
        query: IndexQuery,
        federation: &Federation,
        wanted: usize,
    ) -> Result<Self, ResponseError> {
        let (index_uid, mut query, options) = query.into_search();
        let FederationOptions { weight, remote, query_position } = options.unwrap_or_default();
        if remote.is_some() {
            return Err(NETWORK.needed_for("Performing a remote federated search"));
        }
        if query_position.is_some() {
            return Err(NETWORK.needed_for("Using `federationOptions.queryPosition`"));
        }
        query.limit = wanted;
        if federation.page.is_some() || federation.hits_per_page.is_some() {
            query.hits_per_page = Some(wanted);
        }
        if federation.distinct.is_some() {
            query.distinct.clone_from(&federation.distinct);
        }
        Ok(Self { index_uid: index_uid.into_inner(), query, weight: weight.get() })
    }
}

impl Target {
    /// The index, before anything is searched for.
    pub(super) fn new(open: OpenIndex, first_query: usize, wanted: usize) -> Result<Self, EngineError> {
        let rtxn = open.index.static_read_txn()?;
        let room = max_total_hits(&open, &rtxn)?.min(wanted);
        Ok(Self { open, rtxn, candidates: RoaringBitmap::new(), room, first_query })
    }

    /// Runs the query at this position.
    pub(super) fn run(
        &mut self,
        position: usize,
        query: &Query,
        features: &Features,
    ) -> Result<Found, EngineError> {
        let Query { query, weight, .. } = query;
        let rtxn: &RoTxn<'_> = &self.rtxn;
        let Prepared { mut search, kind, .. } = prepare(&self.open, rtxn, query, features)?;
        search.scoring_strategy(ScoringStrategy::Detailed);
        let (result, _) = kind.execute(&search).map_err(EngineError::about(&self.open.uid))?;
        self.candidates |= result.candidates;
        let hits = result.documents_ids.into_iter().zip(result.document_scores);
        let hits = hits.map(|(document, scores)| Scored { position, document, scores, weight: *weight });
        Ok(Found {
            hits: hits.collect(),
            words: result.matching_words,
            vector: kind.vector().filter(|_| query.retrieve_vectors).map(<[f32]>::to_vec),
            is_semantic: !matches!(kind, Kind::Keyword),
        })
    }

    /// The values that a document has in a field.
    pub(super) fn values_of(
        &self,
        document: DocumentId,
        field: &str,
    ) -> Result<Vec<FacetValue>, EngineError> {
        let index = &self.open.index;
        let fields = index.fields_ids_map(&self.rtxn)?;
        let mut document = all_obkv_to_json(index.document(&self.rtxn, document)?, &fields)?;
        let mut values = Vec::new();
        map_leaves(&mut document, &[field], &mut |path, _, value| match value {
            _ if path != field => {}
            Value::Bool(value) => values.push(FacetValue::Text(value.to_string())),
            Value::String(text) => values.push(FacetValue::Text(normalize_facet(text))),
            Value::Number(number) => values.push(FacetValue::Number(number.to_string())),
            _ => {}
        });
        Ok(values)
    }
}
