//! The settings of chat workspaces. There are no completions: those are the gateway's.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use http::{HeaderMap, StatusCode};
use miroir_protocol::chats::{Workspace, WorkspaceChange};
use miroir_protocol::error::{Code, ResponseError};
use miroir_protocol::features::CHAT_COMPLETIONS;

use super::api::Api;
use super::body::json_body;
use super::reply::{Reply, ok};
use crate::error::EngineError;
use crate::state;
use crate::store::StoreError;

/// Where the workspaces are kept.
const KEY: &str = "chats";

type Workspaces = BTreeMap<String, Workspace>;

pub(super) async fn get(State(api): State<Arc<Api>>, Path(uid): Path<String>) -> Reply {
    check(&api)?;
    let all = api.read(load).await?;
    ok(&all.get(&uid).ok_or_else(|| not_found(&uid))?.shown())
}

pub(super) async fn update(
    State(api): State<Arc<Api>>,
    Path(uid): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let change = WorkspaceChange::from_json(&json_body(&headers, body, api.payload_limit).await?)?;
    check(&api)?;
    let changed = api.read(load).await?.remove(&uid).unwrap_or_default().changed(change)?;
    let shown = changed.shown();
    put(&api, move |all| _ = all.insert(uid, changed)).await?;
    ok(&shown)
}

pub(super) async fn reset(State(api): State<Arc<Api>>, Path(uid): Path<String>) -> Reply {
    check(&api)?;
    if !api.read(load).await?.contains_key(&uid) {
        return Err(not_found(&uid).into());
    }
    put(&api, move |all| _ = all.insert(uid, Workspace::default())).await?;
    ok(&Workspace::default())
}

pub(super) async fn delete(State(api): State<Arc<Api>>, Path(uid): Path<String>) -> Reply {
    check(&api)?;
    if !api.read(load).await?.contains_key(&uid) {
        return Err(ResponseError::new(Code::ChatNotFound, format!("chat {uid} not found")).into());
    }
    put(&api, move |all| _ = all.remove(&uid)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn check(api: &Api) -> Result<(), ResponseError> {
    let is_on = api.state().features.read().chat_completions;
    if is_on { Ok(()) } else { Err(CHAT_COMPLETIONS.needed_for("using the /chats/settings route")) }
}

fn load(state: &state::State) -> Result<Workspaces, EngineError> {
    let kept = state.store.meta(KEY).map_err(EngineError::from)?;
    let all = kept.as_deref().map(serde_json::from_str).transpose();
    Ok(all.map_err(StoreError::from)?.unwrap_or_default())
}

async fn put(
    api: &Api,
    change: impl FnOnce(&mut Workspaces) + Send + 'static,
) -> Result<(), super::reply::Failure> {
    api.read(move |state| {
        let mut all = load(state)?;
        change(&mut all);
        let text = serde_json::to_string(&all).map_err(StoreError::from)?;
        state.store.set_meta(KEY, &text).map_err(EngineError::from)
    })
    .await
}

fn not_found(uid: &str) -> ResponseError {
    ResponseError::new(Code::ChatNotFound, format!("Chat `{uid}` not found"))
}
