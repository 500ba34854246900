//! Indexes as they are shown.

use milli_core::heed::RoTxn;
use miroir_protocol::indexes::IndexView;
use miroir_protocol::tasks::{TaskFilter, TaskStatus};
use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;

use crate::engine::{OpenIndex, settings_view};
use crate::error::EngineError;
use crate::state::State;
use crate::store::Page;

/// An index as it is shown.
pub(crate) fn index_view(open: &OpenIndex) -> Result<IndexView, EngineError> {
    let rtxn = open.index.read_txn()?;
    Ok(IndexView {
        uid: open.uid.clone(),
        created_at: open.index.created_at(&rtxn)?,
        updated_at: open.index.updated_at(&rtxn)?,
        primary_key: open.index.primary_key(&rtxn)?.map(str::to_owned),
    })
}

/// Every setting of an index.
pub(crate) fn settings(state: &State, open: &OpenIndex) -> Result<Map<String, Value>, EngineError> {
    let record = state.store.index(&open.uid)?;
    let extras = record.map(|record| record.extras).unwrap_or_default();
    let rtxn = open.index.read_txn()?;
    settings_view(&open.index, &rtxn, &extras)
}

/// How much an index holds.
pub(crate) fn index_stats(state: &State, open: &OpenIndex) -> Result<Value, EngineError> {
    let rtxn = open.index.read_txn()?;
    stats_of(open, &rtxn, is_indexing(state, &open.uid)?)
}

/// How much all indexes hold.
pub(crate) fn node_stats(state: &State) -> Result<Value, EngineError> {
    let (mut size, mut used, mut last_update) = (0, 0, None);
    let mut indexes = Map::new();
    for open in state.indexes.all() {
        let rtxn = open.index.read_txn()?;
        size += open.index.on_disk_size()?;
        used += open.index.used_size()?;
        last_update = last_update.max(Some(open.index.updated_at(&rtxn)?));
        let stats = stats_of(&open, &rtxn, is_indexing(state, &open.uid)?)?;
        indexes.insert(open.uid.clone(), stats);
    }
    Ok(json!({
        "databaseSize": size,
        "usedDatabaseSize": used,
        "lastUpdate": last_update.and_then(|moment| moment.format(&Rfc3339).ok()),
        "indexes": indexes,
    }))
}

fn stats_of(open: &OpenIndex, rtxn: &RoTxn<'_>, is_indexing: bool) -> Result<Value, EngineError> {
    let documents = open.index.number_of_documents(rtxn)?;
    let sizes = open.index.database_sizes(rtxn)?;
    let size = sizes.get("documents").copied().unwrap_or_default() as u64;
    let vectors = open.index.arroy_stats(rtxn)?;
    Ok(json!({
        "numberOfDocuments": documents,
        "rawDocumentDbSize": size,
        "avgDocumentSize": size.checked_div(documents).unwrap_or_default(),
        "isIndexing": is_indexing,
        "numberOfEmbeddings": vectors.number_of_embeddings,
        "numberOfEmbeddedDocuments": vectors.documents.len(),
        "fieldDistribution": open.index.field_distribution(rtxn)?,
    }))
}

/// Whether a task of the index is at work.
fn is_indexing(state: &State, uid: &str) -> Result<bool, EngineError> {
    let filter = TaskFilter {
        statuses: Some(vec![TaskStatus::Processing]),
        index_uids: uid.parse().ok().map(|uid| vec![uid]),
        ..TaskFilter::default()
    };
    let (_, total) = state.store.find_tasks(&filter, Page { limit: 0, from: None, reverse: false })?;
    Ok(total > 0)
}
