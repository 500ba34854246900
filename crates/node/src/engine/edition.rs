//! Editing documents by a function.

use milli_core::documents::PrimaryKey;
use milli_core::heed::RwTxn;
use milli_core::progress::Progress;
use milli_core::update::new::indexer::{self, UpdateByFunction};
use milli_core::{Filter, Index};
use serde_json::Value;

use super::Limits;
use super::embedders::embedders_of;
use crate::error::EngineError;

/// Which documents are edited, and how.
pub(crate) struct Edition<'a> {
    pub(crate) function: &'a str,
    pub(crate) context: Option<&'a Value>,
    /// All documents when absent.
    pub(crate) filter: Option<&'a Value>,
}

/// Edits documents within `wtxn`; says how many were given to the function.
pub(crate) fn edit_documents(
    index: &Index,
    wtxn: &mut RwTxn<'_>,
    edition: &Edition<'_>,
    limits: &Limits,
) -> Result<u64, EngineError> {
    let candidates = match edition.filter.map(Filter::from_json).transpose()?.flatten() {
        Some(filter) => filter.evaluate(wtxn, index)?,
        None => index.documents_ids(wtxn)?,
    };
    let rtxn = index.read_txn()?;
    let Some(name) = index.primary_key(&rtxn)?.filter(|_| !candidates.is_empty()) else { return Ok(0) };
    let known_fields = index.fields_ids_map(&rtxn)?;
    let mut fields = known_fields.clone();
    let primary_key = PrimaryKey::new_or_insert(name, &mut fields).map_err(milli_core::Error::from)?;
    let count = candidates.len();
    let context = edition.context.and_then(Value::as_object).cloned();
    let editing = UpdateByFunction::new(candidates, context, edition.function.to_owned());
    let changes = editing.into_changes(&primary_key)?;
    let embedders = embedders_of(index, wtxn)?;
    indexer::index(
        wtxn,
        index,
        limits.pool(),
        limits.config().grenad_parameters(),
        &known_fields,
        fields,
        None,
        &changes,
        embedders,
        &|| false,
        &Progress::default(),
    )?;
    Ok(count)
}
