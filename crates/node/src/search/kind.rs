//! What a search goes by: words, vectors, or both.

use std::sync::Arc;

use milli_core::heed::RoTxn;
use milli_core::vector::Embedder;
use milli_core::{Index, Search, SearchResult, UserError};
use miroir_protocol::search::SearchQuery;

use crate::engine::embedders_of;
use crate::error::EngineError;

/// What a search goes by.
pub(super) enum Kind {
    Keyword,
    Semantic(Semantic),
    Hybrid(Semantic, f32),
}

/// A query for an embedder.
pub(super) struct Semantic {
    name: String,
    embedder: Arc<Embedder>,
    quantized: bool,
    vector: Option<Vec<f32>>,
}

impl Kind {
    /// What this query goes by.
    pub(super) fn of(query: &SearchQuery, index: &Index, rtxn: &RoTxn<'_>) -> Result<Self, EngineError> {
        query.check_semantic()?;
        let has_words = query.q.as_deref().is_some_and(|q| !q.trim().is_empty());
        let Some(hybrid) = &query.hybrid else { return Ok(Self::Keyword) };
        let ratio = hybrid.semantic_ratio.get();
        if ratio == 0.0 || (!has_words && query.vector.is_none()) {
            return Ok(Self::Keyword);
        }
        let embedders = embedders_of(index, rtxn)?;
        let Some((embedder, _, quantized)) = embedders.get(&hybrid.embedder) else {
            return Err(UserError::InvalidSearchEmbedder(hybrid.embedder.clone()).into());
        };
        if let Some(found) = query.vector.as_ref().map(Vec::len).filter(|len| *len != embedder.dimensions()) {
            return Err(UserError::InvalidVectorDimensions { expected: embedder.dimensions(), found }.into());
        }
        let name = hybrid.embedder.clone();
        let semantic = Semantic { name, embedder, quantized, vector: query.vector.clone() };
        match has_words && ratio < 1.0 {
            true => Ok(Self::Hybrid(semantic, ratio)),
            false => Ok(Self::Semantic(semantic)),
        }
    }

    /// The vector that the query came with, where vectors count.
    pub(super) fn vector(&self) -> Option<&[f32]> {
        match self {
            Self::Keyword => None,
            Self::Semantic(semantic) | Self::Hybrid(semantic, _) => semantic.vector.as_deref(),
        }
    }

    /// Sets what the search goes by.
    pub(super) fn prepare(&self, search: &mut Search<'_>, query: &SearchQuery) -> Result<(), EngineError> {
        let (semantic, words) = match self {
            Self::Keyword => (None, query.q.as_deref()),
            Self::Semantic(semantic) => (Some(semantic), None),
            Self::Hybrid(semantic, _) => (Some(semantic), query.q.as_deref()),
        };
        if let Some(words) = words {
            search.query(words);
        }
        let Some(Semantic { name, embedder, quantized, vector }) = semantic else { return Ok(()) };
        let vector = match (vector, words) {
            (None, None) => Some(embed(embedder, query.q.as_deref().unwrap_or_default())?),
            // A hybrid search embeds its words itself when it needs to.
            (vector, _) => vector.clone(),
        };
        search.semantic(name.clone(), embedder.clone(), *quantized, vector);
        Ok(())
    }

    /// Runs the search; says how many hits were found by meaning where meaning counts.
    pub(super) fn execute(
        &self,
        search: &Search<'_>,
    ) -> Result<(SearchResult, Option<u32>), milli_core::Error> {
        match self {
            Self::Keyword => Ok((search.execute()?, None)),
            Self::Semantic(_) => {
                let result = search.execute()?;
                let count = u32::try_from(result.document_scores.len()).ok();
                Ok((result, count))
            }
            Self::Hybrid(_, ratio) => search.execute_hybrid(*ratio),
        }
    }
}

fn embed(embedder: &Embedder, words: &str) -> Result<Vec<f32>, EngineError> {
    let vector = embedder.embed_search(words, None).map_err(milli_core::vector::Error::from);
    Ok(vector.map_err(milli_core::Error::from)?)
}
