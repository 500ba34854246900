//! The innermost service: every request the filters let through, to its handler. One file for each resource.

mod call;
mod chats;
mod documents;
mod features;
mod fleet;
mod indexes;
mod instance;
mod keys;
mod network;
mod operators;
mod rules;
mod search;
mod settings;
mod tasks;
mod webhooks;

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Method, Request, Response, StatusCode};
use miroir_filters::{Body, BoxError};
use miroir_protocol::operation::{Matched, NoOperation, Operation, Resource};
use tower::Service;

use self::call::{Call, Served};
use crate::{
    answer::{empty, json_bytes},
    state::Gateway,
};

/// Answers requests.
#[derive(Clone)]
pub(crate) struct RoutesService {
    gateway: Gateway,
}

impl RoutesService {
    /// Answers from this state.
    pub(crate) fn new(gateway: Gateway) -> Self {
        Self { gateway }
    }
}

impl Service<Request<Body>> for RoutesService {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let gateway = self.gateway.clone();
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            if let Some(rest) = path.strip_prefix("/_miroir/") {
                return operators::serve(gateway, rest, request).await;
            }
            match Operation::of(request.method(), &path) {
                Ok(operation) => serve(operation, Call::new(gateway, request)).await,
                // What a browser is told that comes to see whether the server runs.
                Err(NoOperation::NotFound) if path == "/" && request.method() == Method::GET => {
                    Ok(json_bytes(StatusCode::OK, r#"{"status":"Meilisearch is running"}"#))
                }
                Err(NoOperation::NotFound) if path == "/" => Ok(empty(StatusCode::METHOD_NOT_ALLOWED)),
                Err(NoOperation::NotFound) => Ok(empty(StatusCode::NOT_FOUND)),
                Err(NoOperation::MethodNotAllowed) => Ok(empty(StatusCode::METHOD_NOT_ALLOWED)),
            }
        })
    }
}

async fn serve(operation: Matched<'_>, call: Call) -> Served {
    match operation.row().resource {
        Resource::Search => search::serve(operation, call).await,
        Resource::Documents => documents::serve(operation, call).await,
        Resource::Indexes => indexes::serve(operation, call).await,
        Resource::Settings => settings::serve(operation, call).await,
        Resource::Tasks => tasks::serve(operation, call).await,
        Resource::Keys => keys::serve(operation, call).await,
        Resource::Webhooks => webhooks::serve(operation, call).await,
        Resource::Instance => instance::serve(operation, call).await,
        Resource::Features => features::serve(operation, call).await,
        Resource::Network => network::serve(operation, call).await,
        Resource::Rules => rules::serve(operation, call).await,
        Resource::Chats => chats::serve(operation, call).await,
    }
}
