//! The embedders of an index, ready for use.

use std::collections::HashMap;
use std::sync::Arc;

use milli_core::heed::RoTxn;
use milli_core::index::IndexEmbeddingConfig;
use milli_core::prompt::Prompt;
use milli_core::vector::{Embedder, EmbeddingConfig, EmbeddingConfigs};
use milli_core::{Index, UserError};

/// No query is embedded twice often enough on a development node to keep its embedding.
const CACHE_CAPACITY: usize = 0;

/// The embedders configured on the index.
pub(crate) fn embedders_of(index: &Index, rtxn: &RoTxn<'_>) -> milli_core::Result<EmbeddingConfigs> {
    let mut embedders = HashMap::new();
    for IndexEmbeddingConfig { name, config, .. } in index.embedding_configs(rtxn)? {
        let EmbeddingConfig { embedder_options, prompt, quantized } = config;
        let prompt = Prompt::try_from(prompt).map_err(UserError::from)?;
        let embedder =
            Embedder::new(embedder_options, CACHE_CAPACITY).map_err(milli_core::vector::Error::from)?;
        embedders.insert(name, (Arc::new(embedder), Arc::new(prompt), quantized.unwrap_or_default()));
    }
    Ok(EmbeddingConfigs::new(embedders))
}
