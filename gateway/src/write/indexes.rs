//! Writes of whole indexes. Their query strings are not looked at, as in Meilisearch.

use bytes::Bytes;
use http::StatusCode;
use miroir_log::Operation;
use miroir_protocol::{
    error::ResponseError,
    index_uid::IndexUid,
    indexes::{CreateIndex, UpdateIndex},
    swap::swaps_from_json,
};

use super::enqueue::Writing;
use crate::answer::{Answer, json};

/// `POST /indexes`.
pub(crate) async fn create(write: Writing<'_>, body: &Bytes) -> Answer {
    let CreateIndex { uid, primary_key } = CreateIndex::from_json(body)?;
    if !write.access.may_create(uid.as_str()) {
        return Err(ResponseError::invalid_api_key());
    }
    write.enqueue(&uid, Operation::IndexCreation { primary_key }, None).await
}

/// `PATCH /indexes/{uid}`.
pub(crate) async fn update(write: Writing<'_>, uid: &str, body: &Bytes) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let UpdateIndex { primary_key, uid: new_uid } = UpdateIndex::from_json(body)?;
    let new_uid = new_uid.map(IndexUid::into_inner);
    write.enqueue(&index, Operation::IndexUpdate { primary_key, new_uid }, None).await
}

/// `DELETE /indexes/{uid}`.
pub(crate) async fn delete(write: Writing<'_>, uid: &str) -> Answer {
    let index = IndexUid::from_path(uid)?;
    write.enqueue(&index, Operation::IndexDeletion, None).await
}

/// `POST /indexes/{uid}/compact`.
pub(crate) async fn compact(write: Writing<'_>, uid: &str) -> Answer {
    let index = IndexUid::from_path(uid)?;
    write.enqueue(&index, Operation::IndexCompaction, None).await
}

/// `POST /swap-indexes`.
pub(crate) async fn swap(write: Writing<'_>, body: &Bytes) -> Answer {
    let swaps = swaps_from_json(body)?;
    let mut pairs = swaps.iter().map(|swap| &swap.indexes);
    if !pairs.all(|(one, other)| write.access.allows(one) && write.access.allows(other)) {
        return Err(ResponseError::invalid_api_key());
    }
    Ok(json(StatusCode::ACCEPTED, &write.enqueue_global(Operation::IndexSwap { swaps }).await?))
}
