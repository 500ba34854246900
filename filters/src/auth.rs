//! Checks the key of a request as Meilisearch does, and hands on who is asking as the extension [`Identity`].
//!
//! Only the master key is known so far. API keys and tenant tokens are further [`Identity`]s that [`Guard::check`] will
//! tell apart.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderValue, Request, header::AUTHORIZATION};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tower_layer::Layer;
use tower_service::Service;

use crate::{BoxError, Deps, Filter, FilterLayer, Phase, RejectFuture, erase, extensions::Identity};

/// Parameters of the filter `auth`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// Paths that anybody may ask for.
    pub public: Vec<String>,
}

/// Decides who is asking. Keys are compared in constant time.
#[derive(Clone)]
pub struct Guard {
    master_key: Option<Arc<str>>,
    public: Arc<[String]>,
}

/// Turns down requests without a valid key.
#[derive(Clone)]
pub struct AuthLayer {
    guard: Guard,
}

/// See [`AuthLayer`].
#[derive(Clone)]
pub struct AuthService<S> {
    inner: S,
    guard: Guard,
}

/// Why a request is turned down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No key was sent, or not as a bearer token.
    #[error("The Authorization header is missing. It must use the bearer authorization method.")]
    MissingHeader,
    /// The key is not one that is known.
    #[error("The provided API key is invalid.")]
    InvalidKey,
    /// Keys cannot be managed while no master key is set.
    #[error(
        "Meilisearch is running without a master key. To access this API endpoint, you must have set a master key at \
         launch."
    )]
    MissingMasterKey,
}

// === impl AuthConfig ===

impl Default for AuthConfig {
    fn default() -> Self {
        Self { public: vec!["/".to_owned(), "/health".to_owned()] }
    }
}

impl Filter for AuthConfig {
    const NAME: &'static str = "auth";
    const PHASE: Phase = Phase::Identity;

    fn validate(&self) -> Vec<String> {
        let wrong = self.public.iter().filter(|path| !path.starts_with('/'));
        wrong.map(|path| format!("`public`: the path `{path}` does not begin with a slash")).collect()
    }

    fn layer(&self, deps: &Deps) -> FilterLayer {
        erase::plain(AuthLayer::new(self, deps.master_key.as_deref()))
    }
}

// === impl Guard ===

impl Guard {
    /// Who sends a request with this path and these headers.
    ///
    /// Without a master key all paths are open but those that manage keys. A header that is there but is no bearer
    /// token is refused even then, as Meilisearch does.
    pub fn check(&self, path: &str, headers: &HeaderMap) -> Result<Identity, AuthError> {
        if self.public.iter().any(|public| same_path(public, path)) {
            return Ok(Identity::Anonymous);
        }
        let token = headers.get(AUTHORIZATION).map(bearer_token).transpose()?;
        match (&self.master_key, token) {
            (None, _) if manages_keys(path) => Err(AuthError::MissingMasterKey),
            (None, _) => Ok(Identity::Anonymous),
            (Some(_), None) => Err(AuthError::MissingHeader),
            (Some(key), Some(token)) if bool::from(key.as_bytes().ct_eq(token.as_bytes())) => {
                Ok(Identity::MasterKey)
            }
            (Some(_), Some(_)) => Err(AuthError::InvalidKey),
        }
    }
}

fn bearer_token(value: &HeaderValue) -> Result<&str, AuthError> {
    match value.to_str().unwrap_or_default().split_once(' ') {
        Some(("Bearer", token)) => Ok(token),
        None if value == "Bearer" => Err(AuthError::InvalidKey),
        _ => Err(AuthError::MissingHeader),
    }
}

/// The parts of a path; Meilisearch ignores doubled slashes and one at the end.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

fn same_path(a: &str, b: &str) -> bool {
    a == b || segments(a).eq(segments(b))
}

fn manages_keys(path: &str) -> bool {
    segments(path).next() == Some("keys")
}

// === impl AuthLayer ===

impl AuthLayer {
    /// A layer that knows this master key, or leaves all open but key management if there is none.
    pub fn new(config: &AuthConfig, master_key: Option<&str>) -> Self {
        Self { guard: Guard { master_key: master_key.map(Arc::from), public: config.public.clone().into() } }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthService { inner, guard: self.guard.clone() }
    }
}

// === impl AuthService ===

impl<S, B> Service<Request<B>> for AuthService<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = RejectFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.guard.check(request.uri().path(), request.headers()) {
            Ok(identity) => {
                request.extensions_mut().insert(identity);
                RejectFuture::forward(self.inner.call(request))
            }
            Err(error) => RejectFuture::reject(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Response;
    use tower::{ServiceExt, service_fn};

    use super::*;

    fn check(
        master_key: Option<&str>,
        path: &str,
        authorization: Option<&str>,
    ) -> Result<Identity, AuthError> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(value).expect("a header"));
        }
        AuthLayer::new(&AuthConfig::default(), master_key).guard.check(path, &headers)
    }

    #[test]
    fn the_master_key_opens() {
        assert_eq!(check(Some("secret"), "/indexes", Some("Bearer secret")), Ok(Identity::MasterKey));
    }

    #[test]
    fn another_key_does_not() {
        for key in ["Bearer wrong", "Bearer ", "Bearer", "Bearer  secret", "Bearer secret2", "Bearer secre"] {
            assert_eq!(check(Some("secret"), "/indexes", Some(key)), Err(AuthError::InvalidKey), "{key}");
        }
    }

    #[test]
    fn what_is_no_bearer_token_counts_as_missing() {
        for header in [None, Some("Basic secret"), Some("bearer secret"), Some("secret"), Some("")] {
            assert_eq!(
                check(Some("secret"), "/indexes", header),
                Err(AuthError::MissingHeader),
                "{header:?}"
            );
        }
        assert_eq!(check(None, "/indexes", Some("Basic secret")), Err(AuthError::MissingHeader));
    }

    #[test]
    fn public_paths_are_open() {
        for path in ["/health", "/health/", "//health", "/"] {
            assert_eq!(check(Some("secret"), path, None), Ok(Identity::Anonymous), "{path}");
        }
        assert_eq!(check(Some("secret"), "/healthy", None), Err(AuthError::MissingHeader));
        assert_eq!(check(Some("secret"), "/health/x", None), Err(AuthError::MissingHeader));
    }

    #[test]
    fn without_a_master_key_all_is_open_but_the_keys() {
        assert_eq!(check(None, "/indexes", None), Ok(Identity::Anonymous));
        assert_eq!(check(None, "/indexes", Some("Bearer whatever")), Ok(Identity::Anonymous));
        assert_eq!(check(None, "/keys", None), Err(AuthError::MissingMasterKey));
        assert_eq!(check(None, "/keys/abc", Some("Bearer x")), Err(AuthError::MissingMasterKey));
    }

    #[tokio::test]
    async fn the_identity_is_handed_on() {
        let layer = AuthLayer::new(&AuthConfig::default(), Some("secret"));
        let service = layer.layer(service_fn(async |request: Request<()>| {
            Ok::<_, BoxError>(Response::new(request.extensions().get::<Identity>().cloned()))
        }));
        let request =
            Request::get("/version").header(AUTHORIZATION, "Bearer secret").body(()).expect("a request");
        let response = service.clone().oneshot(request).await.expect("an answer");
        assert_eq!(response.into_body(), Some(Identity::MasterKey));

        let request = Request::get("/version").body(()).expect("a request");
        let error = service.oneshot(request).await.expect_err("no key");
        assert_eq!(error.downcast_ref(), Some(&AuthError::MissingHeader));
    }

    #[test]
    fn public_paths_begin_with_a_slash() {
        let config = AuthConfig { public: vec!["health".to_owned(), "/ok".to_owned()] };
        assert_eq!(config.validate(), ["`public`: the path `health` does not begin with a slash"]);
    }
}
