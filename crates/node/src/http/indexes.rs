//! Indexes: listed, created, changed, deleted, swapped.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use deserr::Deserr;
use http::HeaderMap;
use miroir_protocol::IndexUid;
use miroir_protocol::error::{Code, ResponseError, marker};
use miroir_protocol::indexes::{CreateIndex, Page, UpdateIndex};
use miroir_protocol::parse::{self, JsonRefusal};
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

pub(super) async fn fields(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    let body = json_body(&headers, body, api.payload_limit).await?;
    let query = read::FieldsQuery::from_json(&body)?;
    ok(&api.read(move |state| read::fields(&state.indexes.get(&uid)?, &query)).await?)
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
#[derive(Deserr)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
struct Pair {
    #[deserr(
        error = JsonRefusal<marker::InvalidSwapIndexes>,
        missing_field_error = JsonRefusal::<marker::MissingSwapIndexes>::missing
    )]
    indexes: Vec<IndexUid>,
    #[deserr(default, error = JsonRefusal<marker::InvalidSwapRename>)]
    rename: bool,
}

pub(super) async fn swap(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let body = json_body(&headers, body, api.payload_limit).await?;
    let pairs = parse::json::<Vec<Pair>, marker::BadRequest>(&body)?;
    check_distinct(&pairs)?;
    let swaps = pairs.into_iter().map(swap_of).collect::<Result<_, _>>()?;
    let operation = Operation::IndexSwap { swaps };
    accepted(api.enqueue(None, operation, custom_metadata(query.as_deref())).await?)
}

fn check_distinct(pairs: &[Pair]) -> Result<(), ResponseError> {
    let (mut seen, mut repeated) = (BTreeSet::new(), BTreeSet::new());
    for name in pairs.iter().flat_map(|pair| &pair.indexes) {
        if !seen.insert(name) {
            repeated.insert(format!("`{name}`"));
        }
    }
    let names = repeated.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let verb = match repeated.len() {
        0 => return Ok(()),
        1 => "was",
        _ => "were",
    };
    let message =
        format!("Indexes must be declared only once during a swap. {names} {verb} specified several times.");
    Err(ResponseError::new(Code::InvalidSwapDuplicateIndexFound, message))
}

fn swap_of(pair: Pair) -> Result<Swap, ResponseError> {
    match <[IndexUid; 2]>::try_from(pair.indexes) {
        Ok([left, right]) => {
            Ok(Swap { indexes: (left.into_inner(), right.into_inner()), rename: pair.rename })
        }
        Err(names) => {
            let listed: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
            let message = format!(
                "Two indexes must be given for each swap. The list `[{}]` contains {} indexes.",
                listed.join(", "),
                names.len()
            );
            Err(ResponseError::new(Code::InvalidSwapIndexes, message))
        }
    }
}
