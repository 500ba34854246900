//! Adding documents, many tasks in one pass over the index.

use std::path::PathBuf;

use bumpalo::Bump;
use milli_core::heed::RwTxn;
use milli_core::progress::Progress;
use milli_core::update::new::indexer::{self, DocumentOperation};
use milli_core::{Index, UserError};

use super::embedders::embedders_of;
use super::{Limits, payload_map};
use crate::error::EngineError;
use crate::scheduler::Method;

/// The documents of one task.
pub(crate) struct Addition {
    pub(crate) method: Method,
    /// The file that holds them, one JSON object after another.
    pub(crate) payload: PathBuf,
}

/// Adds documents in order within `wtxn`. Says of each addition how many documents it concerned, or why it was refused;
/// a refused one leaves no trace and the others take effect.
pub(crate) fn add_documents(
    index: &Index,
    wtxn: &mut RwTxn<'_>,
    additions: &[Addition],
    primary_key: Option<&str>,
    limits: &Limits,
) -> Result<Vec<Result<u64, UserError>>, EngineError> {
    let allocator = Bump::new();
    let maps = additions
        .iter()
        .map(|addition| payload_map::load(&addition.payload))
        .collect::<Result<Vec<_>, _>>()?;
    let mut operations = DocumentOperation::new();
    for (addition, map) in additions.iter().zip(&maps) {
        match (map, addition.method) {
            // An empty payload must have its place among the others.
            (None, _) => operations.delete_documents(&[]),
            (Some(map), Method::Replace) => operations.replace_documents(map)?,
            (Some(map), Method::Update) => operations.update_documents(map)?,
        }
    }

    let rtxn = index.read_txn()?;
    let known_fields = index.fields_ids_map(&rtxn)?;
    let mut fields = known_fields.clone();
    let must_stop = || false;
    let progress = Progress::default();
    let (changes, stats, primary_key) = operations.into_changes(
        &allocator,
        index,
        &rtxn,
        primary_key,
        &mut fields,
        &must_stop,
        progress.clone(),
    )?;
    let results: Vec<_> =
        stats.into_iter().map(|stats| stats.error.map_or(Ok(stats.document_count), Err)).collect();
    if results.iter().any(Result::is_ok) {
        let embedders = embedders_of(index, wtxn)?;
        indexer::index(
            wtxn,
            index,
            limits.pool(),
            limits.config().grenad_parameters(),
            &known_fields,
            fields,
            primary_key,
            &changes,
            embedders,
            &must_stop,
            &progress,
        )?;
    }
    Ok(results)
}
