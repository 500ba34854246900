//! Writes of whole indexes.

use bytes::Bytes;
use miroir_log::Operation;
use miroir_protocol::{
    documents::ChangeDocuments,
    index_uid::IndexUid,
    indexes::{CreateIndex, UpdateIndex},
};

use super::enqueue::enqueue;
use crate::{answer::Answer, state::Gateway};

/// `POST /indexes`.
pub(crate) async fn create(gateway: &Gateway, query: &str, body: &Bytes) -> Answer {
    let metadata = ChangeDocuments::from_query_string(query)?.custom_metadata;
    let CreateIndex { uid, primary_key } = CreateIndex::from_json(body)?;
    enqueue(gateway, &uid, Operation::IndexCreation { primary_key }, metadata).await
}

/// `PATCH /indexes/{uid}`.
pub(crate) async fn update(gateway: &Gateway, uid: &str, query: &str, body: &Bytes) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let metadata = ChangeDocuments::from_query_string(query)?.custom_metadata;
    let UpdateIndex { primary_key, uid: new_uid } = UpdateIndex::from_json(body)?;
    let new_uid = new_uid.map(IndexUid::into_inner);
    enqueue(gateway, &index, Operation::IndexUpdate { primary_key, new_uid }, metadata).await
}

/// `DELETE /indexes/{uid}`.
pub(crate) async fn delete(gateway: &Gateway, uid: &str, query: &str) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let metadata = ChangeDocuments::from_query_string(query)?.custom_metadata;
    enqueue(gateway, &index, Operation::IndexDeletion, metadata).await
}
