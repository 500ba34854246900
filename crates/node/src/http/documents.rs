//! Documents: read, added, deleted.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use http::HeaderMap;
use miroir_payload::Format;
use miroir_protocol::IndexUid;
use miroir_protocol::documents::{
    AddDocuments, BrowseQuery, ChangeDocuments, DeleteByFilter, EditDocuments, GetDocument,
    delete_batch_from_json,
};
use miroir_protocol::error::{Code, ResponseError};
use uuid::Uuid;

use super::api::Api;
use super::body::{json_body, media_type};
use super::reply::{Reply, accepted, ok};
use crate::payload;
use crate::read as reads;
use crate::scheduler::{Method, Operation};
use crate::search::parse_filter;

/// The content types documents may come in.
const ACCEPTED: [&str; 3] = ["application/json", "application/x-ndjson", "text/csv"];

pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Path((uid, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    let wanted = GetDocument::from_query_string(query.as_deref().unwrap_or_default())?;
    ok(&api.read(move |state| reads::document(&state.indexes.get(&uid)?, &id, &wanted)).await?)
}

pub(super) async fn browse(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    RawQuery(query): RawQuery,
) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    let query = BrowseQuery::from_query_string(query.as_deref().unwrap_or_default())?;
    ok(&api.read(move |state| reads::documents(state, &state.indexes.get(&uid)?, &query)).await?)
}

pub(super) async fn fetch(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    let body = json_body(&headers, body, api.payload_limit).await?;
    let query = BrowseQuery::from_json(&body)?;
    ok(&api.read(move |state| reads::documents(state, &state.indexes.get(&uid)?, &query)).await?)
}

pub(super) async fn replace(
    state: State<Arc<Api>>,
    path: Path<String>,
    query: RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    add(state, path, query, headers, body, Method::Replace).await
}

pub(super) async fn update(
    state: State<Arc<Api>>,
    path: Path<String>,
    query: RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    add(state, path, query, headers, body, Method::Update).await
}

async fn add(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
    method: Method,
) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    let parameters = AddDocuments::from_query_string(query.as_deref().unwrap_or_default())?;
    let format = format_of(&headers, parameters.csv_delimiter)?;
    let name = Uuid::new_v4().to_string();
    let path = api.state().payload(&name);
    let summary = payload::receive(body, format, path, api.payload_limit).await?;
    let operation = Operation::DocumentAddition {
        method,
        primary_key: parameters.primary_key,
        payload: name,
        documents: summary.documents,
        bytes: summary.bytes,
        skip_creation: parameters.skip_creation.unwrap_or_default(),
    };
    accepted(api.enqueue(Some(uid.into_inner()), operation, parameters.custom_metadata).await?)
}

fn format_of(headers: &HeaderMap, delimiter: Option<u8>) -> Result<Format, ResponseError> {
    match (media_type(headers), delimiter) {
        (Some("application/json"), None) => Ok(Format::Json),
        (Some("application/x-ndjson"), None) => Ok(Format::Ndjson),
        (Some("text/csv"), delimiter) => Ok(Format::Csv { delimiter: delimiter.unwrap_or(b',') }),
        (Some(other @ ("application/json" | "application/x-ndjson")), Some(_)) => {
            Err(ResponseError::csv_delimiter_with(other))
        }
        (Some(other), _) => Err(ResponseError::invalid_content_type(other, &ACCEPTED)),
        (None, _) => Err(ResponseError::missing_content_type(&ACCEPTED)),
    }
}

pub(super) async fn clear(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    RawQuery(query): RawQuery,
) -> Reply {
    change(&api, &uid, query, Operation::DocumentClear).await
}

pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Path((uid, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Reply {
    change(&api, &uid, query, Operation::DocumentDeletion { ids: vec![id] }).await
}

pub(super) async fn delete_batch(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let body = json_body(&headers, body, api.payload_limit).await?;
    let ids = delete_batch_from_json(&body)?;
    let ids = ids.iter().map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
    change(&api, &uid, query, Operation::DocumentDeletion { ids: ids.collect() }).await
}

pub(super) async fn delete_by_filter(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let body = json_body(&headers, body, api.payload_limit).await?;
    let DeleteByFilter { filter } = DeleteByFilter::from_json(&body)?;
    parse_filter(&filter, Code::InvalidDocumentFilter, &api.state().features.read())?;
    change(&api, &uid, query, Operation::DocumentDeletionByFilter { filter }).await
}

pub(super) async fn edit(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let features = *api.state().features.read();
    features.check_edition()?;
    let body = json_body(&headers, body, api.payload_limit).await?;
    let EditDocuments { filter, context, function } = EditDocuments::from_json(&body)?;
    if let Err(error) = milli_core::rhai::Engine::new().compile(&function) {
        return Err(ResponseError::new(Code::BadRequest, error.to_string()).into());
    }
    if let Some(filter) = &filter {
        parse_filter(filter, Code::InvalidDocumentFilter, &features)?;
    }
    change(&api, &uid, query, Operation::DocumentEdition { function, context, filter }).await
}

async fn change(api: &Api, uid: &str, query: Option<String>, operation: Operation) -> Reply {
    let uid = IndexUid::from_path(uid)?.into_inner();
    let parameters = ChangeDocuments::from_query_string(query.as_deref().unwrap_or_default())?;
    accepted(api.enqueue(Some(uid), operation, parameters.custom_metadata).await?)
}
