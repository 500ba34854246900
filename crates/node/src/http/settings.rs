//! Settings, as a whole and one by one.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use miroir_protocol::IndexUid;
use miroir_protocol::features::Features;
use miroir_protocol::settings::{SettingName, Settings, UpdateMethod};

use super::api::Api;
use super::body::json_body;
use super::reply::{Reply, accepted, ok};
use super::tasks::custom_metadata;
use crate::read;
use crate::scheduler::Operation;

pub(super) async fn get(State(api): State<Arc<Api>>, Path(uid): Path<String>) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    ok(&api.read(move |state| read::settings(state, &state.indexes.get(&uid)?)).await?)
}

pub(super) async fn get_one(State(api): State<Arc<Api>>, Path((uid, name)): Path<(String, String)>) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    let Some(name) = SettingName::from_route(&name) else { return Ok(unknown()) };
    let settings = api.read(move |state| read::settings(state, &state.indexes.get(&uid)?)).await?;
    match settings.get(name.name()) {
        Some(value) => ok(value),
        // What the engine does not have is at its default.
        None => ok(&Settings::default().view_of(name)),
    }
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
    change(&api, uid, &Settings::parse(None, &body, &features(&api))?, false, query).await
}

pub(super) async fn reset(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    RawQuery(query): RawQuery,
) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    change(&api, uid, &Settings::reset_all(), true, query).await
}

pub(super) async fn put_one(
    state: State<Arc<Api>>,
    path: Path<(String, String)>,
    query: RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    update_one(state, path, query, headers, body, UpdateMethod::Put).await
}

pub(super) async fn patch_one(
    state: State<Arc<Api>>,
    path: Path<(String, String)>,
    query: RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    update_one(state, path, query, headers, body, UpdateMethod::Patch).await
}

async fn update_one(
    State(api): State<Arc<Api>>,
    Path((uid, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
    method: UpdateMethod,
) -> Reply {
    let Some(name) = SettingName::from_route(&name) else { return Ok(unknown()) };
    if name.update_method() != method {
        return Ok(StatusCode::METHOD_NOT_ALLOWED.into_response());
    }
    let uid = IndexUid::from_path(&uid)?;
    let body = json_body(&headers, body, api.payload_limit).await?;
    change(&api, uid, &Settings::parse(Some(name), &body, &features(&api))?, false, query).await
}

pub(super) async fn reset_one(
    State(api): State<Arc<Api>>,
    Path((uid, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    let Some(name) = SettingName::from_route(&name) else { return Ok(unknown()) };
    change(&api, uid, &Settings::reset(name), true, query).await
}

async fn change(
    api: &Api,
    uid: IndexUid,
    settings: &Settings,
    is_deletion: bool,
    query: Option<String>,
) -> Reply {
    let operation = Operation::SettingsUpdate { settings: settings.to_value(), is_deletion };
    accepted(api.enqueue(Some(uid.into_inner()), operation, custom_metadata(query.as_deref())).await?)
}

/// The features of settings: those that the node can keep.
fn features(api: &Api) -> Features {
    Features { chat_completions: api.state().features.read().chat_completions, ..Features::default() }
}

fn unknown() -> Response {
    StatusCode::NOT_FOUND.into_response()
}
