//! Indexes: listed, created, changed, deleted, swapped.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use http::HeaderMap;
use miroir_protocol::IndexUid;
use miroir_protocol::error::{Code, ResponseError};
use miroir_protocol::indexes::{CreateIndex, Page, UpdateIndex};
use miroir_protocol::tasks::Swap;

use super::api::Api;
use super::body::json_body;
use super::reply::{Reply, accepted, ok};
use super::tasks::custom_metadata;
use crate::read;
use crate::scheduler::Operation;

pub(super) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Reply {
    let page = Page::from_query_string(query.as_deref().unwrap_or_default())?;
    let views = api.read(move |state| {
        let page = page.of(state.indexes.all().into_iter());
        let results = page.results.iter().map(read::index_view).collect::<Result<Vec<_>, _>>()?;
        Ok(miroir_protocol::indexes::Paginated {
            results,
            offset: page.offset,
            limit: page.limit,
            total: page.total,
        })
    });
    ok(&views.await?)
}

pub(super) async fn get(State(api): State<Arc<Api>>, Path(uid): Path<String>) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    let view = api.read(move |state| read::index_view(&state.indexes.get(&uid)?));
    ok(&view.await?)
}

pub(super) async fn create(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let body = json_body(&headers, body, api.payload_limit).await?;
    let CreateIndex { uid, primary_key } = CreateIndex::from_json(&body)?;
    let operation = Operation::IndexCreation { primary_key };
    accepted(api.enqueue(Some(uid.into_inner()), operation, custom_metadata(query.as_deref())).await?)
}

pub(super) async fn update(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    let body = json_body(&headers, body, api.payload_limit).await?;
    let UpdateIndex { primary_key, uid: new_uid } = UpdateIndex::from_json(&body)?;
    let operation = Operation::IndexUpdate { primary_key, new_uid: new_uid.map(IndexUid::into_inner) };
    accepted(api.enqueue(Some(uid.into_inner()), operation, custom_metadata(query.as_deref())).await?)
}

pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    RawQuery(query): RawQuery,
) -> Reply {
    let uid = IndexUid::from_path(&uid)?.into_inner();
    accepted(api.enqueue(Some(uid), Operation::IndexDeletion, custom_metadata(query.as_deref())).await?)
}

/// One pair of indexes in the body of `POST /swap-indexes`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pair {
    indexes: Vec<IndexName>,
    #[serde(default)]
    rename: bool,
}

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct IndexName(String);

pub(super) async fn swap(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let body = json_body(&headers, body, api.payload_limit).await?;
    let pairs: Vec<Pair> = serde_json::from_slice(&body)
        .map_err(|error| ResponseError::new(Code::BadRequest, error.to_string()))?;
    let swaps = pairs.into_iter().map(swap_of).collect::<Result<_, _>>()?;
    let operation = Operation::IndexSwap { swaps };
    accepted(api.enqueue(None, operation, custom_metadata(query.as_deref())).await?)
}

fn swap_of(pair: Pair) -> Result<Swap, ResponseError> {
    let names = pair.indexes.into_iter().map(|name| IndexUid::from_path(&name.0));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    match <[IndexUid; 2]>::try_from(names) {
        Ok([left, right]) => {
            Ok(Swap { indexes: (left.into_inner(), right.into_inner()), rename: pair.rename })
        }
        Err(names) => {
            let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
            let message = format!(
                "Two indexes must be given for each swap. The list `[{}]` contains {} indexes.",
                names.join(", "),
                names.len()
            );
            Err(ResponseError::new(Code::InvalidSwapIndexes, message))
        }
    }
}
