//! Searches of all kinds.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use http::HeaderMap;
use miroir_protocol::search::{FacetSearchQuery, MultiSearch, SimilarQuery};
use miroir_protocol::{IndexUid, SearchQuery};
use uuid::Uuid;

use super::api::Api;
use super::body::json_body;
use super::reply::{Reply, ok};
use crate::search;

/// The header of who merges the answers of several nodes.
const FOR_MERGE: &str = "meili-proxy-search";

pub(super) async fn by_parameters(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    RawQuery(query): RawQuery,
) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    let query = SearchQuery::from_query_string(query.as_deref().unwrap_or_default())?;
    answer(&api, uid, query).await
}

pub(super) async fn by_body(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    let body = json_body(&headers, body, api.payload_limit).await?;
    let query = SearchQuery::from_json(&body)?;
    answer(&api, uid, query).await
}

async fn answer(api: &Api, uid: IndexUid, query: SearchQuery) -> Reply {
    let answer = api.read(move |state| {
        let features = *state.features.read();
        search::search(&state.indexes.get(&uid)?, &query, &features, Uuid::now_v7())
    });
    ok(&answer.await?)
}

pub(super) async fn in_facet(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    let body = json_body(&headers, body, api.payload_limit).await?;
    let query = FacetSearchQuery::from_json(&body)?;
    let answer = api.read(move |state| {
        let features = *state.features.read();
        search::facet_search(&state.indexes.get(&uid)?, query, &features)
    });
    ok(&answer.await?)
}

pub(super) async fn similar_by_parameters(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    RawQuery(query): RawQuery,
) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    let query = SimilarQuery::from_query_string(query.as_deref().unwrap_or_default())?;
    answer_similar(&api, uid, query).await
}

pub(super) async fn similar_by_body(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    let body = json_body(&headers, body, api.payload_limit).await?;
    let query = SimilarQuery::from_json(&body)?;
    answer_similar(&api, uid, query).await
}

async fn answer_similar(api: &Api, uid: IndexUid, query: SimilarQuery) -> Reply {
    let answer = api.read(move |state| {
        let features = *state.features.read();
        search::similar(&state.indexes.get(&uid)?, &query, &features)
    });
    ok(&answer.await?)
}

pub(super) async fn multi(State(api): State<Arc<Api>>, headers: HeaderMap, body: Body) -> Reply {
    let body = json_body(&headers, body, api.payload_limit).await?;
    let request = MultiSearch::from_json(&body)?;
    let for_merge = headers.contains_key(FOR_MERGE);
    ok(&api.read(move |state| search::multi_search(state, request, for_merge)).await?)
}
