//! Additions that must not create documents: the engine knows no such thing, so that new documents are left out before
//! it sees them.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use milli_core::Index;
use milli_core::heed::RoTxn;
use miroir_protocol::document::document_id;
use serde_json::value::RawValue;
use serde_json::{Deserializer, Map, Value};

use crate::error::EngineError;

/// Copies the documents of `payload` that the index has already into the new file `kept`. Documents whose id cannot be
/// told are copied too, for the engine to refuse them.
pub(crate) fn keep_existing(
    index: &Index,
    rtxn: &RoTxn<'_>,
    primary_key: Option<&str>,
    payload: &Path,
    kept: &Path,
) -> Result<(), EngineError> {
    let mut out = BufWriter::new(File::create(kept)?);
    let known = index.external_documents_ids();
    let Some(primary_key) = index.primary_key(rtxn)?.or(primary_key) else { return Ok(()) };
    let documents = Deserializer::from_reader(BufReader::new(File::open(payload)?));
    for document in documents.into_iter::<Box<RawValue>>() {
        let document = document.map_err(internal)?;
        let fields: Map<String, Value> = serde_json::from_str(document.get()).map_err(internal)?;
        let exists = match document_id(&fields, primary_key) {
            Ok(id) => known.get(rtxn, &id)?.is_some(),
            Err(_) => true,
        };
        if exists {
            writeln!(out, "{}", document.get())?;
        }
    }
    Ok(out.flush()?)
}

fn internal(error: serde_json::Error) -> EngineError {
    milli_core::Error::from(milli_core::InternalError::SerdeJson(error)).into()
}
