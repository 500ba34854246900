//! Gives every request an id: the client's, if it is safe, or a new one (a UUID of version 7, which sorts by time).
//!
//! The id is handed on as the extension [`RequestId`] and as the request's own header, and is echoed on the answer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, HeaderName, Request, Response, header};
use pin_project_lite::pin_project;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Deps, Filter, FilterLayer, Phase, erase, extensions::RequestId, params::HeaderField};

/// Headers that mean something else to whoever reads the request or the answer, or that nobody else is to see.
const TAKEN: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::HOST,
    header::PROXY_AUTHORIZATION,
    header::TRANSFER_ENCODING,
];

/// Parameters of the filter `request_id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestIdConfig {
    /// The header that carries the id, both ways.
    pub header: HeaderField,
    /// Whether an id sent by the client is kept, if it is safe. An unsafe one is always replaced.
    pub accept: bool,
}

/// Gives every request an id.
#[derive(Clone, Debug)]
pub struct RequestIdLayer {
    header: HeaderName,
    accept: bool,
}

/// See [`RequestIdLayer`].
#[derive(Clone, Debug)]
pub struct RequestIdService<S> {
    inner: S,
    layer: RequestIdLayer,
}

pin_project! {
    /// Puts the id on the answer.
    #[derive(Debug)]
    pub struct RequestIdFuture<F> {
        #[pin]
        inner: F,
        header: HeaderName,
        id: RequestId,
    }
}

// === impl RequestIdConfig ===

impl Default for RequestIdConfig {
    fn default() -> Self {
        Self { header: HeaderField::from_static("x-request-id"), accept: true }
    }
}

impl Filter for RequestIdConfig {
    const NAME: &'static str = "request_id";
    const PHASE: Phase = Phase::Edge;

    fn validate(&self) -> Vec<String> {
        let taken = TAKEN.contains(&self.header.0);
        let text = || {
            format!("`header`: `{}` says something else, and would be overwritten or shown", self.header.0)
        };
        taken.then(text).into_iter().collect()
    }

    fn layer(&self, _: &Deps) -> FilterLayer {
        erase::plain(RequestIdLayer::new(self))
    }
}

// === impl RequestIdLayer ===

impl RequestIdLayer {
    /// A layer with these parameters.
    pub fn new(config: &RequestIdConfig) -> Self {
        Self { header: config.header.0.clone(), accept: config.accept }
    }

    /// The id of a request with these headers.
    fn choose(&self, headers: &HeaderMap) -> RequestId {
        let sent = headers.get(&self.header).filter(|_| self.accept);
        sent.and_then(RequestId::from_client).unwrap_or_else(RequestId::random)
    }
}

impl<S> Layer<S> for RequestIdLayer {
    type Service = RequestIdService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestIdService { inner, layer: self.clone() }
    }
}

// === impl RequestIdService ===

impl<S, B, R> Service<Request<B>> for RequestIdService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RequestIdFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let id = self.layer.choose(request.headers());
        request.headers_mut().insert(self.layer.header.clone(), id.header_value().clone());
        request.extensions_mut().insert(id.clone());
        RequestIdFuture { inner: self.inner.call(request), header: self.layer.header.clone(), id }
    }
}

// === impl RequestIdFuture ===

impl<F, R, E> Future for RequestIdFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        response.headers_mut().insert(this.header.clone(), this.id.header_value().clone());
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::BoxError;

    async fn id_for(config: RequestIdConfig, sent: Option<&[u8]>) -> (String, String, String) {
        let service = RequestIdLayer::new(&config).layer(service_fn(async |request: Request<()>| {
            let id = request.extensions().get::<RequestId>().map(|id| id.as_str().to_owned());
            let header = request.headers().get("x-request-id").cloned();
            Ok::<_, BoxError>(Response::new((id.unwrap_or_default(), header)))
        }));
        let mut request = Request::new(());
        if let Some(sent) = sent {
            request.headers_mut().insert("x-request-id", HeaderValue::from_bytes(sent).expect("a header"));
        }
        let response = service.oneshot(request).await.expect("an answer");
        let echoed = response.headers()["x-request-id"].to_str().expect("text").to_owned();
        let (id, header) = response.into_body();
        (id, header.expect("a header").to_str().expect("text").to_owned(), echoed)
    }

    #[tokio::test]
    async fn a_new_id_is_a_uuid_that_all_see() {
        let (id, header, echoed) = id_for(RequestIdConfig::default(), None).await;
        assert_eq!(uuid::Uuid::parse_str(&id).expect("a UUID").get_version_num(), 7);
        assert_eq!((&header, &echoed), (&id, &id));
    }

    #[tokio::test]
    async fn a_safe_id_of_the_client_is_kept() {
        let (id, header, echoed) = id_for(RequestIdConfig::default(), Some(b"trace/01:ab_c-d.e")).await;
        assert_eq!([id, header, echoed], ["trace/01:ab_c-d.e"; 3]);
    }

    #[tokio::test]
    async fn hostile_ids_are_replaced() {
        let long = [b'a'; RequestId::MAX_LENGTH + 1];
        let hostile: [&[u8]; 6] = [b"", b"a b", b"<script>", b"a\tb", "é".as_bytes(), &long];
        for sent in hostile {
            let (id, _, echoed) = id_for(RequestIdConfig::default(), Some(sent)).await;
            assert!(uuid::Uuid::parse_str(&id).is_ok(), "{sent:?} became {id}");
            assert_eq!(echoed, id);
        }
    }

    #[test]
    fn the_id_has_a_header_of_its_own() {
        assert!(RequestIdConfig::default().validate().is_empty());
        for name in ["authorization", "content-length", "host"] {
            let config = RequestIdConfig { header: HeaderField::from_static(name), accept: true };
            assert_eq!(config.validate().len(), 1, "{name}");
        }
    }

    #[tokio::test]
    async fn ids_of_clients_can_be_ignored() {
        let config = RequestIdConfig { accept: false, ..RequestIdConfig::default() };
        let (id, _, _) = id_for(config, Some(b"mine")).await;
        assert_ne!(id, "mine");
    }
}
