//! How much there is.

use std::sync::Arc;

use axum::extract::{Path, State};
use miroir_protocol::IndexUid;

use super::api::Api;
use super::reply::{Reply, ok};
use crate::read;

pub(super) async fn all(State(api): State<Arc<Api>>) -> Reply {
    ok(&api.read(read::node_stats).await?)
}

pub(super) async fn one(State(api): State<Arc<Api>>, Path(uid): Path<String>) -> Reply {
    let uid = IndexUid::from_path(&uid)?;
    let stats = api.read(move |state| {
        let open = state.indexes.get(&uid)?;
        read::index_stats(state, &open)
    });
    ok(&stats.await?)
}
