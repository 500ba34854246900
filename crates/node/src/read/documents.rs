//! Documents: one, or a page of them.

use milli_core::heed::RoTxn;
use milli_core::{DocumentId, FieldsIdsMap, Index, all_obkv_to_json};
use miroir_protocol::document::id_text;
use miroir_protocol::documents::{BrowseQuery, GetDocument};
use miroir_protocol::error::{Code, ResponseError};
use roaring::RoaringBitmap;
use serde_json::{Map, Value, json};

use super::sort::sorted;
use crate::engine::OpenIndex;
use crate::error::EngineError;
use crate::search::{parse_filter, parse_sort, select_values, vectors_of};
use crate::state::State;

/// The field that holds a document's vectors.
const VECTORS: &str = "_vectors";

/// One document.
pub(crate) fn document(open: &OpenIndex, id: &str, wanted: &GetDocument) -> Result<Value, EngineError> {
    let rtxn = open.index.read_txn()?;
    let Some(found) = open.index.external_documents_ids().get(&rtxn, id)? else {
        return Err(ResponseError::document_not_found(id).into());
    };
    let reader = Reader::new(&open.index, &rtxn, wanted.fields.as_deref(), wanted.retrieve_vectors)?;
    reader.document(found)
}

/// A page of documents.
pub(crate) fn documents(state: &State, open: &OpenIndex, query: &BrowseQuery) -> Result<Value, EngineError> {
    let index = &open.index;
    let rtxn = index.read_txn()?;
    let mut candidates = match &query.filter {
        Some(filter) => match parse_filter(filter, Code::InvalidDocumentFilter, &state.features.read())? {
            Some(filter) => filter.evaluate(&rtxn, index).map_err(|error| {
                EngineError::from(EngineError::from(error).with_filter_code(Code::InvalidDocumentFilter))
            })?,
            None => index.documents_ids(&rtxn)?,
        },
        None => index.documents_ids(&rtxn)?,
    };
    if let Some(ids) = &query.ids {
        candidates &= with_ids(index, &rtxn, ids)?;
    }
    let total = candidates.len();
    let page: Vec<_> = match &query.sort {
        Some(sort) => {
            let criteria = parse_sort(sort, Code::InvalidDocumentSort)?;
            let sorted = sorted(index, &rtxn, &candidates, &criteria)?;
            sorted.into_iter().skip(query.offset).take(query.limit).collect()
        }
        None => candidates.into_iter().skip(query.offset).take(query.limit).collect(),
    };
    let reader = Reader::new(index, &rtxn, query.fields.as_deref(), query.retrieve_vectors)?;
    let results: Vec<_> = page.into_iter().map(|id| reader.document(id)).collect::<Result<_, _>>()?;
    Ok(json!({ "results": results, "offset": query.offset, "limit": query.limit, "total": total }))
}

fn with_ids(index: &Index, rtxn: &RoTxn<'_>, ids: &[Value]) -> Result<RoaringBitmap, EngineError> {
    let known = index.external_documents_ids();
    let mut found = RoaringBitmap::new();
    for id in ids {
        let text =
            id_text(id).map_err(|error| ResponseError::new(Code::InvalidDocumentIds, error.to_string()))?;
        if let Some(id) = known.get(rtxn, &text)? {
            found.insert(id);
        }
    }
    Ok(found)
}

struct Reader<'a> {
    index: &'a Index,
    rtxn: &'a RoTxn<'a>,
    fields: FieldsIdsMap,
    /// Paths of the fields wanted; all of them when `None`.
    wanted: Option<&'a [String]>,
    with_vectors: bool,
}

impl<'a> Reader<'a> {
    fn new(
        index: &'a Index,
        rtxn: &'a RoTxn<'a>,
        wanted: Option<&'a [String]>,
        with_vectors: bool,
    ) -> Result<Self, EngineError> {
        Ok(Self { index, rtxn, fields: index.fields_ids_map(rtxn)?, wanted, with_vectors })
    }

    /// The document as it was stored, whatever the settings display.
    fn document(&self, id: DocumentId) -> Result<Value, EngineError> {
        let mut stored = all_obkv_to_json(self.index.document(self.rtxn, id)?, &self.fields)?;
        let given = stored.shift_remove(VECTORS);
        if self.with_vectors {
            stored.insert(VECTORS.to_owned(), vectors_of(self.index, self.rtxn, id, given)?);
        }
        let document: Map<_, _> = match self.wanted {
            Some(names) => select_values(stored, names.iter().map(String::as_str)),
            None => stored,
        };
        Ok(document.into())
    }
}
