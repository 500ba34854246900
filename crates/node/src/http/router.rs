//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};

use super::api::Api;
use super::{auth, chats, documents, features, indexes, search, service, settings, stats, tasks};

/// The routes of a node.
pub(crate) fn router(api: Arc<Api>) -> Router {
    let closed = Router::new()
        .route("/version", get(service::version))
        .route("/stats", get(stats::all))
        .route("/experimental-features", get(features::get).patch(features::change))
        .route("/chats/{uid}", delete(chats::delete))
        .route("/chats/{uid}/settings", get(chats::get).patch(chats::update).delete(chats::reset))
        .route("/indexes", get(indexes::list).post(indexes::create))
        .route("/indexes/{uid}", get(indexes::get).patch(indexes::update).delete(indexes::delete))
        .route("/indexes/{uid}/fields", post(indexes::fields))
        .route("/indexes/{uid}/stats", get(stats::one))
        .route("/indexes/{uid}/search", get(search::by_parameters).post(search::by_body))
        .route("/indexes/{uid}/facet-search", post(search::in_facet))
        .route("/indexes/{uid}/similar", get(search::similar_by_parameters).post(search::similar_by_body))
        .route("/multi-search", post(search::multi))
        .route(
            "/indexes/{uid}/documents",
            get(documents::browse).post(documents::replace).put(documents::update).delete(documents::clear),
        )
        .route("/indexes/{uid}/documents/{id}", get(documents::get).delete(documents::delete))
        .route("/indexes/{uid}/documents/fetch", post(documents::fetch))
        .route("/indexes/{uid}/documents/edit", post(documents::edit))
        .route("/indexes/{uid}/documents/delete", post(documents::delete_by_filter))
        .route("/indexes/{uid}/documents/delete-batch", post(documents::delete_batch))
        .route("/indexes/{uid}/settings", get(settings::get).patch(settings::update).delete(settings::reset))
        .route(
            "/indexes/{uid}/settings/{name}",
            get(settings::get_one)
                .put(settings::put_one)
                .patch(settings::patch_one)
                .delete(settings::reset_one),
        )
        .route("/swap-indexes", post(indexes::swap))
        .route("/tasks", get(tasks::list).delete(tasks::delete))
        .route("/tasks/cancel", post(tasks::cancel))
        .route("/tasks/{uid}", get(tasks::get))
        .route("/batches", get(tasks::list_batches))
        .route("/batches/{uid}", get(tasks::get_batch))
        .route_layer(from_fn_with_state(api.clone(), auth::require_key));
    Router::new().route("/health", get(service::health)).merge(closed).with_state(api)
}
