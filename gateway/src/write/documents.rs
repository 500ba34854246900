//! Writes of documents.

use bytes::Bytes;
use http::HeaderMap;
use miroir_filters::{Body, BoxError};
use miroir_log::{Method, Operation, Selection};
use miroir_protocol::{
    document::id_text,
    documents::{AddDocuments, ChangeDocuments, DeleteByFilter},
    error::{Code, ResponseError},
    index_uid::IndexUid,
};
use miroir_shard::INTERNAL_FIELD;
use serde_json::Value;

use super::{
    enqueue::{check_backlog, enqueue},
    payload::{self, Refused},
};
use crate::{answer::Answer, read::reserved::guarded_filter, state::Gateway};

/// `POST` and `PUT /indexes/{uid}/documents`.
pub(crate) async fn add(
    gateway: &Gateway,
    uid: &str,
    query: &str,
    method: Method,
    headers: &HeaderMap,
    body: Body,
) -> Result<Answer, BoxError> {
    let checked = IndexUid::from_path(uid).and_then(|index| {
        let parameters = AddDocuments::from_query_string(query)?;
        let format = payload::format(headers, parameters.csv_delimiter)?;
        check_backlog(gateway)?;
        Ok((index, parameters, format))
    });
    let (index, parameters, format) = match checked {
        Ok(checked) => checked,
        Err(error) => return Ok(Err(error)),
    };
    let spool = gateway.log.spool();
    let payload = match payload::take(body, format, spool, gateway.write.max_payload).await {
        Ok(payload) => payload,
        Err(Refused::Payload(error)) => return Ok(Err(error)),
        Err(Refused::Body(error)) => return Err(error),
    };
    let operation = Operation::DocumentAdditionOrUpdate {
        method,
        primary_key: parameters.primary_key,
        payload,
        allow_index_creation: true,
        skip_creation: parameters.skip_creation.unwrap_or(false),
    };
    Ok(enqueue(gateway, &index, operation, parameters.custom_metadata).await)
}

/// `DELETE /indexes/{uid}/documents`.
pub(crate) async fn delete_all(gateway: &Gateway, uid: &str, query: &str) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let parameters = ChangeDocuments::from_query_string(query)?;
    delete(gateway, &index, Selection::All, parameters).await
}

/// `DELETE /indexes/{uid}/documents/{id}`.
pub(crate) async fn delete_one(gateway: &Gateway, uid: &str, id: &str, query: &str) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let parameters = ChangeDocuments::from_query_string(query)?;
    delete(gateway, &index, Selection::ByIds { ids: vec![id.to_owned()] }, parameters).await
}

/// `POST /indexes/{uid}/documents/delete-batch`.
pub(crate) async fn delete_batch(gateway: &Gateway, uid: &str, query: &str, body: &Bytes) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let parameters = ChangeDocuments::from_query_string(query)?;
    let ids: Vec<Value> = serde_json::from_slice(body)
        .map_err(|error| ResponseError::new(Code::BadRequest, format!("Json deserialize error: {error}")))?;
    let ids = ids.iter().map(|id| match id {
        Value::String(id) => Ok(id.clone()),
        id => id_text(id).map_err(ResponseError::from),
    });
    let ids = ids.collect::<Result<Vec<String>, ResponseError>>()?;
    delete(gateway, &index, Selection::ByIds { ids }, parameters).await
}

/// `POST /indexes/{uid}/documents/delete`.
pub(crate) async fn delete_by_filter(gateway: &Gateway, uid: &str, query: &str, body: &Bytes) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let parameters = ChangeDocuments::from_query_string(query)?;
    let deletion = DeleteByFilter::from_json(body)?;
    let filter = deletion.filter;
    if guarded_filter(&filter) != filter {
        return Err(ResponseError::reserved_field(INTERNAL_FIELD));
    }
    delete(gateway, &index, Selection::ByFilter { filter }, parameters).await
}

async fn delete(
    gateway: &Gateway,
    index: &IndexUid,
    selection: Selection,
    parameters: ChangeDocuments,
) -> Answer {
    enqueue(gateway, index, Operation::DocumentDeletion { selection }, parameters.custom_metadata).await
}
