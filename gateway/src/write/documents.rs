//! Writes of documents.

use bytes::Bytes;
use http::request::Parts;
use miroir_filters::{Body, BoxError, auth::Access};
use miroir_log::{Method, Operation, Selection};
use miroir_protocol::{
    documents::{
        AddDocuments, ChangeDocuments, DeleteByFilter, EditDocuments, delete_batch_from_json, deleted_id_text,
    },
    error::{Code, ResponseError},
    index_uid::IndexUid,
};
use miroir_replicate::check_edition;
use miroir_shard::INTERNAL_FIELD;

use super::{
    enqueue::{Writing, check_backlog},
    filter::check_readable,
    once::WriteKey,
    payload::{self, Refused},
};
use crate::{answer::Answer, read::reserved::guarded_filter, state::Gateway};

/// `POST` and `PUT /indexes/{uid}/documents`. Whether the sender may create the index is only asked once it turns out
/// not to be there.
pub(crate) async fn add(
    gateway: &Gateway,
    uid: &str,
    method: Method,
    request: &Parts,
    body: Body,
) -> Result<Answer, BoxError> {
    let query = request.uri.query().unwrap_or_default();
    let checked = IndexUid::from_path(uid).and_then(|index| {
        let parameters = AddDocuments::from_query_string(query)?;
        let format = payload::format(&request.headers, parameters.csv_delimiter)?;
        check_backlog(gateway)?;
        Ok((index, parameters, format, WriteKey::of(request)?))
    });
    let (index, parameters, format, mut key) = match checked {
        Ok(checked) => checked,
        Err(error) => return Ok(Err(error)),
    };
    let spool = gateway.log.spool();
    let payload =
        match payload::take(body, format, spool, gateway.write.max_payload, gateway.room.held(), &mut key)
            .await
        {
            Ok(payload) => payload,
            Err(Refused::Payload(error)) => return Ok(Err(error)),
            Err(Refused::Body(error)) => return Err(error),
        };
    let access: Access = request.extensions.get().cloned().unwrap_or_default();
    let operation = Operation::DocumentAdditionOrUpdate {
        method,
        primary_key: parameters.primary_key,
        payload,
        allow_index_creation: access.may_create(index.as_str()),
        skip_creation: parameters.skip_creation.unwrap_or(false),
    };
    let write = Writing { gateway, query, once: key.map(WriteKey::once), access };
    Ok(write.enqueue(&index, operation, parameters.custom_metadata).await)
}

/// `POST /indexes/{uid}/documents/edit`.
pub(crate) async fn edit(write: Writing<'_>, uid: &str, body: &Bytes) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let parameters = ChangeDocuments::from_query_string(write.query)?;
    let edition = EditDocuments::from_json(body)?;
    check_function(&edition.function)?;
    edition.check().map_err(|error| named_in(&index, error))?;
    if let Some(filter) = &edition.filter {
        check_readable(write.gateway, &index, filter).await?;
    }
    let EditDocuments { filter, context, function } = edition;
    if let Some(filter) = &filter
        && guarded_filter(filter) != *filter
    {
        return Err(ResponseError::reserved_field(INTERNAL_FIELD));
    }
    let operation = Operation::DocumentEdition { function, context, filter };
    write.enqueue(&index, operation, parameters.custom_metadata).await
}

/// A refusal of a filter's form, which names the index here and nowhere else.
fn named_in(index: &IndexUid, error: ResponseError) -> ResponseError {
    if !error.message().starts_with("Invalid syntax for the filter") {
        return error;
    }
    ResponseError::new(Code::InvalidDocumentFilter, format!("Index `{index}`: {}", error.message()))
}

/// Refuses what is no function, with the words of the engine that nodes run it in.
fn check_function(function: &str) -> Result<(), ResponseError> {
    rhai::Engine::new()
        .compile(function)
        .map_err(|error| ResponseError::new(Code::BadRequest, error.to_string()))?;
    check_edition(function)
}

/// `DELETE /indexes/{uid}/documents`.
pub(crate) async fn delete_all(write: Writing<'_>, uid: &str) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let parameters = ChangeDocuments::from_query_string(write.query)?;
    delete(write, &index, Selection::All, parameters).await
}

/// `DELETE /indexes/{uid}/documents/{id}`.
pub(crate) async fn delete_one(write: Writing<'_>, uid: &str, id: &str) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let parameters = ChangeDocuments::from_query_string(write.query)?;
    delete(write, &index, Selection::ByIds { ids: vec![id.to_owned()] }, parameters).await
}

/// `POST /indexes/{uid}/documents/delete-batch`.
pub(crate) async fn delete_batch(write: Writing<'_>, uid: &str, body: &Bytes) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let parameters = ChangeDocuments::from_query_string(write.query)?;
    let ids = delete_batch_from_json(body)?.iter().map(deleted_id_text).collect();
    delete(write, &index, Selection::ByIds { ids }, parameters).await
}

/// `POST /indexes/{uid}/documents/delete`.
pub(crate) async fn delete_by_filter(write: Writing<'_>, uid: &str, body: &Bytes) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let parameters = ChangeDocuments::from_query_string(write.query)?;
    let deletion = DeleteByFilter::from_json(body)?;
    let filter = deletion.filter;
    if guarded_filter(&filter) != filter {
        return Err(ResponseError::reserved_field(INTERNAL_FIELD));
    }
    check_readable(write.gateway, &index, &filter).await?;
    delete(write, &index, Selection::ByFilter { filter }, parameters).await
}

async fn delete(
    write: Writing<'_>,
    index: &IndexUid,
    selection: Selection,
    parameters: ChangeDocuments,
) -> Answer {
    write.enqueue(index, Operation::DocumentDeletion { selection }, parameters.custom_metadata).await
}
