//! Listings of documents, and single ones.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Response, StatusCode, Uri};
use miroir_filters::Body;
use miroir_log::IndexRecord;
use miroir_merge::{DocumentsSpec, SortKey, merge_documents, strip_internal};
use miroir_nodes::NodeRequest;
use miroir_protocol::{
    document::is_valid_id,
    documents::{BrowseQuery, GetDocument},
    error::{Code, ResponseError},
};
use miroir_shard::{INTERNAL_FIELD, SEQUENCE_FIELD, ShardId};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    asked::whole_member,
    deep,
    filter::narrowed,
    pins::{slots_of_filter, slots_of_ids},
    reserved::guarded_filter,
    scatter::{Terms, ask_any, scatter},
    search::mark_partial,
    targets::{Scope, Target, Targets, turn},
    unequal::{or_as_written, told_apart},
    visibility::is_within,
};
use crate::{
    answer::{Answer, json_bytes},
    state::Gateway,
};

/// Answers a listing, by `GET` or by `POST`: one order over all nodes.
pub(crate) async fn browse(
    gateway: &Gateway,
    index: &IndexRecord,
    query: &BrowseQuery,
    terms: Terms,
) -> Answer {
    let Some(filter) = told_apart(gateway, index, query.filter.as_ref(), terms).await else {
        return browse_as_asked(gateway, index, query, terms).await;
    };
    let apart = BrowseQuery { filter: Some(filter), ..query.clone() };
    let answer = Box::pin(browse_as_asked(gateway, index, &apart, terms)).await;
    or_as_written(answer, || Box::pin(browse_as_asked(gateway, index, query, terms))).await
}

async fn browse_as_asked(
    gateway: &Gateway,
    index: &IndexRecord,
    query: &BrowseQuery,
    terms: Terms,
) -> Answer {
    let path: Uri = format!("/indexes/{}/documents/fetch", index.uid).parse().map_err(|_| no_path())?;
    let (asked, spec) = asked(query);
    let filter = asked.filter.as_ref();
    let slots = match &query.ids {
        Some(ids) => slots_of_ids(ids),
        None => slots_of_filter(filter, index.primary_key.as_deref()),
    };
    let scope = Scope { indexes: vec![&index.uid], slots, turn: turn(&index.uid) };
    let of_node = |own: Option<&str>| BrowseQuery { filter: narrowed(filter, own), ..asked.clone() };
    if let Some((merged, missing)) = deep::documents(gateway, &scope, terms, &path, of_node, &spec).await? {
        return Ok(answer(merged, &missing));
    }
    let plain = body(&asked);
    let gathered = scatter(gateway, &scope, terms, |target: &Target| {
        let body = match target.filter.as_deref() {
            None => plain.clone(),
            own => body(&of_node(own)),
        };
        NodeRequest::query(path.clone(), body)
    })
    .await?;
    let merged = merge_documents(&gathered.answers, &spec).map_err(|error| merge_failed(&error))?;
    Ok(answer(merged, &gathered.missing))
}

fn answer(merged: Vec<u8>, missing: &[ShardId]) -> Response<Body> {
    let mut response = json_bytes(StatusCode::OK, merged);
    mark_partial(&mut response, missing);
    response
}

/// What the nodes are asked, and what is made of it.
fn asked(query: &BrowseQuery) -> (BrowseQuery, DocumentsSpec) {
    let sort: Vec<SortKey> = query.sort.iter().flatten().filter_map(|text| SortKey::parse(text)).collect();
    let mut asked =
        BrowseQuery { offset: 0, filter: query.filter.as_ref().map(guarded_filter), ..query.clone() };
    let mut strip = Vec::new();
    // A star is a name like any other here; where it stands for all of them, there is no list by now.
    if let Some(fields) = asked.fields.as_mut() {
        let wanted: BTreeSet<String> = fields.iter().cloned().collect();
        let needed = sort.iter().map(|key| match key {
            SortKey::Field { attribute, .. } => attribute.as_str(),
            SortKey::Geo { .. } => "_geo",
        });
        let extra: BTreeSet<String> = needed
            .filter(|name| !wanted.iter().any(|field| is_within(name, field)))
            .map(str::to_owned)
            .collect();
        fields.retain(|field| field != INTERNAL_FIELD);
        fields.extend(extra.iter().cloned());
        fields.push(SEQUENCE_FIELD.to_owned());
        strip.extend(extra.iter().filter_map(|name| whole_member(name, &wanted)));
        strip.extend(extra);
    }
    let spec = DocumentsSpec { offset: query.offset, limit: query.limit, sort, strip };
    asked.limit = spec.node_limit();
    (asked, spec)
}

fn body(query: &BrowseQuery) -> Bytes {
    serde_json::to_vec(query).expect("a query that was JSON is JSON").into()
}

/// Answers one document, from an owner that is fresh.
pub(crate) async fn get(
    gateway: &Gateway,
    index: &IndexRecord,
    id: &str,
    query: &GetDocument,
    terms: Terms,
) -> Answer {
    Ok(json_bytes(StatusCode::OK, document(gateway, index, id, query, terms).await?))
}

/// One document as clients see it, from an owner that is fresh.
pub(crate) async fn document(
    gateway: &Gateway,
    index: &IndexRecord,
    id: &str,
    query: &GetDocument,
    terms: Terms,
) -> Result<Bytes, ResponseError> {
    if !is_valid_id(id) {
        return Err(ResponseError::document_not_found(id));
    }
    let path = document_path(&index.uid, id, query)?;
    let request = NodeRequest::get(path);
    stripped(&ask_owner(gateway, index, id, terms, &request).await?)
}

/// Asks an owner of a document that is fresh, and another one where it is slow or fails.
pub(crate) async fn ask_owner(
    gateway: &Gateway,
    index: &IndexRecord,
    id: &str,
    terms: Terms,
    request: &NodeRequest,
) -> Result<Bytes, ResponseError> {
    let topology = gateway.topology.load();
    let owners = Targets::of_document(gateway, &topology, &index.uid, id);
    ask_any(owners, request, terms.deadline).await?.ok_or_else(|| {
        ResponseError::new(
            Code::MiroirShardUnavailable,
            format!("No copy of the shard of document `{id}` can be read now."),
        )
    })
}

fn document_path(index: &str, id: &str, query: &GetDocument) -> Result<Uri, ResponseError> {
    let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
    let mut path = format!("/indexes/{index}/documents/{id}?retrieveVectors={}", query.retrieve_vectors);
    if let Some(fields) = &query.fields {
        let fields = fields.join(",");
        path.push_str("&fields=");
        path.extend(utf8_percent_encode(&fields, NON_ALPHANUMERIC));
    }
    path.parse().map_err(|_| no_path())
}

fn stripped(document: &Bytes) -> Result<Bytes, ResponseError> {
    Ok(match strip_internal(document).map_err(|error| merge_failed(&error))? {
        std::borrow::Cow::Borrowed(_) => document.clone(),
        std::borrow::Cow::Owned(stripped) => stripped.into(),
    })
}

pub(super) fn merge_failed(error: &impl std::fmt::Display) -> ResponseError {
    tracing::error!(%error, "answers cannot be merged");
    ResponseError::new(Code::MiroirMergeFailed, "The nodes' answers cannot be merged.")
}

fn no_path() -> ResponseError {
    ResponseError::new(Code::Internal, "The request cannot be put into a path.")
}
