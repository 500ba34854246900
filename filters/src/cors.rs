//! Lets web pages of any origin use the API, as Meilisearch does: every origin, method and header.
//!
//! A preflight is answered here: it carries no key, and nothing behind has to see it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use pin_project_lite::pin_project;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Deps, Filter, FilterLayer, Phase, erase, params::HumanDuration};

const ANY: HeaderValue = HeaderValue::from_static("*");
const METHODS: HeaderValue =
    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, CONNECT, TRACE");
const VARY: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");

/// Parameters of the filter `cors`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CorsConfig {
    /// How long browsers may keep the answer to a preflight.
    pub max_age: HumanDuration,
}

/// Lets web pages of any origin in.
#[derive(Clone, Debug)]
pub struct CorsLayer {
    max_age: HeaderValue,
}

/// See [`CorsLayer`].
#[derive(Clone, Debug)]
pub struct CorsService<S> {
    inner: S,
    max_age: HeaderValue,
}

pin_project! {
    /// Answers a preflight, or puts the headers on an answer.
    #[derive(Debug)]
    pub struct CorsFuture<F> {
        // The headers of the answer to a preflight, until they are taken.
        preflight: Option<HeaderMap>,
        #[pin]
        inner: Option<F>,
        has_origin: bool,
    }
}

// === impl CorsConfig ===

impl Default for CorsConfig {
    fn default() -> Self {
        Self { max_age: HumanDuration::from_secs(86_400) }
    }
}

impl Filter for CorsConfig {
    const NAME: &'static str = "cors";
    const PHASE: Phase = Phase::Edge;

    fn after(&self) -> &'static [&'static str] {
        &["request_id", "trace", "access_log", "metrics"]
    }

    fn layer(&self, _: &Deps) -> FilterLayer {
        erase::plain(CorsLayer::new(self))
    }
}

// === impl CorsLayer ===

impl CorsLayer {
    /// A layer with these parameters.
    pub fn new(config: &CorsConfig) -> Self {
        Self { max_age: HeaderValue::from(std::time::Duration::from(config.max_age).as_secs()) }
    }
}

impl<S> Layer<S> for CorsLayer {
    type Service = CorsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CorsService { inner, max_age: self.max_age.clone() }
    }
}

/// A browser that asks whether it may send another request.
fn is_preflight<B>(request: &Request<B>) -> bool {
    let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD);
    request.method() == Method::OPTIONS
        && asked.is_some_and(|method| Method::from_bytes(method.as_bytes()).is_ok())
}

fn preflight(asked: &HeaderMap, max_age: &HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(5);
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    if let Some(wanted) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, max_age.clone());
    headers.insert(header::VARY, VARY);
    headers
}

// === impl CorsService ===

impl<S, B, R> Service<Request<B>> for CorsService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = CorsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if is_preflight(&request) {
            let preflight = Some(preflight(request.headers(), &self.max_age));
            return CorsFuture { preflight, inner: None, has_origin: true };
        }
        let has_origin = request.headers().contains_key(header::ORIGIN);
        CorsFuture { preflight: None, inner: Some(self.inner.call(request)), has_origin }
    }
}

// === impl CorsFuture ===

impl<F, R, E> Future for CorsFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            let mut response = Response::new(R::default());
            *response.headers_mut() = this.preflight.take().unwrap_or_default();
            return Poll::Ready(Ok(response));
        };
        let mut response = ready!(inner.poll(cx))?;
        if *this.has_origin {
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
        }
        response.headers_mut().append(header::VARY, VARY);
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::BoxError;

    async fn ask(request: Request<()>) -> Response<String> {
        let inner = service_fn(async |_: Request<()>| {
            let mut response = Response::new("from behind".to_owned());
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            Ok::<_, BoxError>(response)
        });
        CorsLayer::new(&CorsConfig::default()).layer(inner).oneshot(request).await.expect("an answer")
    }

    fn request(method: Method, headers: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = method;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        request
    }

    #[tokio::test]
    async fn a_preflight_is_allowed_everything_and_needs_no_key() {
        let asked = [
            ("origin", "https://shop.example"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,content-type"),
        ];
        let answer = ask(request(Method::OPTIONS, &asked)).await;
        assert_eq!((answer.status(), answer.body().as_str()), (StatusCode::OK, ""));
        let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(header("access-control-allow-origin"), "*");
        assert!(header("access-control-allow-methods").contains("PATCH"));
        assert_eq!(header("access-control-allow-headers"), "authorization,content-type");
        assert_eq!(header("access-control-max-age"), "86400");
    }

    #[tokio::test]
    async fn pages_may_read_answers_and_refusals() {
        let answer = ask(request(Method::POST, &[("origin", "https://shop.example")])).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    }

    #[tokio::test]
    async fn others_are_told_nothing_but_what_answers_depend_on() {
        let answer = ask(request(Method::OPTIONS, &[])).await;
        assert_eq!(answer.body(), "from behind");
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
        assert!(answer.headers().contains_key("vary"));
    }
}
