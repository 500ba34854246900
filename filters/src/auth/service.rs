//! The tower layer around the decision.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::Request;
use time::OffsetDateTime;
use tower_layer::Layer;
use tower_service::Service;

use super::{AuthConfig, Guard, KeyStore};
use crate::{BoxError, RejectFuture};

/// Turns down requests whose sender may not make them.
#[derive(Clone)]
pub struct AuthLayer {
    guard: Guard,
    keys: Arc<dyn KeyStore>,
}

/// See [`AuthLayer`].
#[derive(Clone)]
pub struct AuthService<S> {
    inner: S,
    guard: Guard,
    keys: Arc<dyn KeyStore>,
}

// === impl AuthLayer ===

impl AuthLayer {
    /// A layer that knows these keys.
    pub fn new(config: &AuthConfig, keys: Arc<dyn KeyStore>) -> Self {
        Self { guard: Guard::new(config), keys }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthService { inner, guard: self.guard.clone(), keys: self.keys.clone() }
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
        let (method, path) = (request.method(), request.uri().path());
        let (keys, now) = (self.keys.keys(), OffsetDateTime::now_utc());
        match self.guard.check(method, path, request.headers(), &keys, now) {
            Ok((identity, access)) => {
                request.extensions_mut().insert(identity);
                request.extensions_mut().insert(access);
                RejectFuture::forward(self.inner.call(request))
            }
            Err(error) => RejectFuture::reject(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{Response, header::AUTHORIZATION};
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::{
        auth::{Access, AuthError, KeySet},
        extensions::Identity,
    };

    #[tokio::test]
    async fn identity_and_access_are_handed_on() {
        let keys = Arc::new(Arc::new(KeySet::new(Some("secret"), [])));
        let layer = AuthLayer::new(&AuthConfig::default(), keys);
        let service = layer.layer(service_fn(async |request: Request<()>| {
            let access = request.extensions().get::<Access>().cloned();
            Ok::<_, BoxError>(Response::new((request.extensions().get::<Identity>().cloned(), access)))
        }));
        let request =
            Request::get("/version").header(AUTHORIZATION, "Bearer secret").body(()).expect("a request");
        let response = service.clone().oneshot(request).await.expect("an answer");
        assert_eq!(response.into_body(), (Some(Identity::MasterKey), Some(Access::default())));

        let request = Request::get("/version").body(()).expect("a request");
        let error = service.oneshot(request).await.expect_err("no key");
        assert_eq!(error.downcast_ref(), Some(&AuthError::MissingHeader));
    }
}
