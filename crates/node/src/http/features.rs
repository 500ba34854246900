//! Features that can be switched on.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::HeaderMap;

use super::api::Api;
use super::body::json_body;
use super::reply::{Reply, ok};
use crate::features::FeaturesPatch;

pub(super) async fn get(State(api): State<Arc<Api>>) -> Reply {
    let features = *api.state().features.read();
    ok(&features)
}

pub(super) async fn change(State(api): State<Arc<Api>>, headers: HeaderMap, body: Body) -> Reply {
    let body = json_body(&headers, body, api.payload_limit).await?;
    let patch = FeaturesPatch::from_json(&body)?;
    let changed = api.read(move |state| {
        let mut features = state.features.write();
        let mut changed = *features;
        changed.apply(&patch);
        changed.save(&state.store)?;
        *features = changed;
        Ok(changed)
    });
    ok(&changed.await?)
}
