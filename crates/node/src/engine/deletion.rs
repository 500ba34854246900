//! Deleting documents by id, by filter, or all of them.

use bumpalo::Bump;
use milli_core::documents::PrimaryKey;
use milli_core::heed::RwTxn;
use milli_core::progress::Progress;
use milli_core::update::ClearDocuments;
use milli_core::update::new::indexer::{self, DocumentDeletion};
use milli_core::{Filter, Index, InternalError};
use roaring::RoaringBitmap;
use serde_json::Value;

use super::Limits;
use super::embedders::embedders_of;
use crate::error::EngineError;

/// Which documents one task deletes.
pub(crate) enum Deletion {
    /// Those with these ids.
    Ids(Vec<String>),
    /// Those that match.
    Filter(Value),
}

/// Deletes documents within `wtxn`. Says of each deletion how many documents it was the first to name, or why it was
/// refused.
pub(crate) fn delete_documents(
    index: &Index,
    wtxn: &mut RwTxn<'_>,
    deletions: &[Deletion],
    limits: &Limits,
) -> Result<Vec<Result<u64, milli_core::Error>>, EngineError> {
    let mut condemned = RoaringBitmap::new();
    let mut results = Vec::with_capacity(deletions.len());
    for deletion in deletions {
        let before = condemned.len();
        results.push(match selected(index, wtxn, deletion) {
            Ok(documents) => {
                condemned |= documents;
                Ok(condemned.len() - before)
            }
            Err(error) => Err(error),
        });
    }
    if !condemned.is_empty() {
        delete(index, wtxn, condemned, limits)?;
    }
    Ok(results)
}

/// Deletes every document within `wtxn`; says how many there were.
pub(crate) fn clear_documents<'i>(index: &'i Index, wtxn: &mut RwTxn<'i>) -> Result<u64, EngineError> {
    Ok(ClearDocuments::new(wtxn, index).execute()?)
}

fn selected(index: &Index, wtxn: &RwTxn<'_>, deletion: &Deletion) -> milli_core::Result<RoaringBitmap> {
    match deletion {
        Deletion::Ids(ids) => {
            let known = index.external_documents_ids();
            let mut documents = RoaringBitmap::new();
            for id in ids {
                if let Some(document) = known.get(wtxn, id)? {
                    documents.insert(document);
                }
            }
            Ok(documents)
        }
        Deletion::Filter(filter) => match Filter::from_json(filter)? {
            Some(filter) => filter.evaluate(wtxn, index),
            None => Ok(RoaringBitmap::new()),
        },
    }
}

fn delete(
    index: &Index,
    wtxn: &mut RwTxn<'_>,
    condemned: RoaringBitmap,
    limits: &Limits,
) -> Result<(), EngineError> {
    let allocator = Bump::new();
    let rtxn = index.read_txn()?;
    let known_fields = index.fields_ids_map(&rtxn)?;
    let mut fields = known_fields.clone();
    let name = index
        .primary_key(&rtxn)?
        .ok_or(InternalError::DatabaseMissingEntry { db_name: "main", key: Some("primary-key") });
    let name = name.map_err(milli_core::Error::from)?;
    let primary_key = PrimaryKey::new_or_insert(name, &mut fields).map_err(milli_core::Error::from)?;

    let mut deletion = DocumentDeletion::new();
    deletion.delete_documents_by_docids(condemned);
    let changes = deletion.into_changes(&allocator, primary_key);
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
    Ok(())
}
