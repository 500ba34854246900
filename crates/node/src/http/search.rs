//! Searches.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use http::HeaderMap;
use miroir_protocol::{IndexUid, SearchQuery};

use super::api::Api;
use super::body::json_body;
use super::reply::{Reply, ok};
use crate::search::search;

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
        search(&state.indexes.get(&uid)?, &query, &features)
    });
    ok(&answer.await?)
}
