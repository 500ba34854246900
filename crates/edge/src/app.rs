//! The seam: pingora's HTTP application on one side, a tower service on the other.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use pingora_core::{
    ErrorType,
    apps::{HttpPersistentSettings, HttpServerApp, HttpServerOptions, ReusedHttpStream},
    protocols::http::ServerSession,
    server::ShutdownWatch,
};
use tower_service::Service;

use crate::{
    BoxError, RequestBody,
    exchange::{self, Outcome},
};

/// How long a connection may be silent between requests, in seconds.
const KEEP_ALIVE_SECONDS: u64 = 75;

/// How long a request's head may take to come, counted from the end of the request before.
const HEAD: Duration = Duration::from_secs(KEEP_ALIVE_SECONDS + 15);

/// How long a draining edge waits for the head of a request that may be on its way.
const LAST_HEAD: Duration = Duration::from_millis(250);

/// Serves the requests of a connection by a tower service.
pub(crate) struct App<S> {
    service: S,
    stalled: Duration,
    options: HttpServerOptions,
}

// === impl App ===

impl<S> App<S> {
    /// `stalled` is how long a client may take none of an answer, `h2c` whether the connection is known to begin with HTTP/2's
    /// preface.
    pub(crate) fn new(service: S, stalled: Duration, h2c: bool) -> Self {
        let mut options = HttpServerOptions::default();
        options.h2c = h2c;
        options.h2_idle_timeout = Some(Duration::from_secs(KEEP_ALIVE_SECONDS));
        Self { service, stalled, options }
    }
}

#[async_trait]
impl<S, B> HttpServerApp for App<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if !read_head(&mut session, shutdown).await {
            return None;
        }
        let closing = || *shutdown.borrow();
        match exchange::serve(&mut session, self.service.clone(), self.stalled, closing).await {
            Outcome::Complete => reuse(session).await,
            Outcome::Broken => None,
        }
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }
}

/// Reads the head of the next request; `false` if none comes.
async fn read_head(session: &mut ServerSession, shutdown: &ShutdownWatch) -> bool {
    if session.is_http2() {
        return true;
    }
    session.set_pipelining_enabled(true);
    let mut shutdown = shutdown.clone();
    let read = {
        let mut reading = std::pin::pin!(pingora_timeout::timeout(HEAD, session.read_request()));
        tokio::select! {
            biased;
            read = &mut reading => read.ok(),
            () = begun(&mut shutdown) => {
                tokio::time::timeout(LAST_HEAD, reading).await.ok().and_then(Result::ok)
            }
        }
    };
    match read {
        Some(Ok(true)) => {
            // Reading has set what the client wishes, without a limit of time.
            if session.get_keepalive().is_some() {
                session.set_keepalive(Some(KEEP_ALIVE_SECONDS));
            }
            true
        }
        Some(Ok(false)) | None => false,
        Some(Err(error)) => {
            tracing::debug!(%error, "bad request head");
            if *error.etype() == ErrorType::InvalidHTTPHeader {
                let _ = exchange::refuse(session, StatusCode::BAD_REQUEST).await;
                session.shutdown().await;
            }
            false
        }
    }
}

/// Waits until the edge drains.
pub(crate) async fn begun(shutdown: &mut ShutdownWatch) {
    // An error says that the edge is gone altogether.
    let _ = shutdown.wait_for(|draining| *draining).await;
}

/// Gives the connection back for its next request.
async fn reuse(session: ServerSession) -> Option<ReusedHttpStream> {
    let settings = HttpPersistentSettings::for_session(&session);
    match session.finish().await {
        Ok(stream) => stream.map(|stream| ReusedHttpStream::from_reusable_stream(stream, settings)),
        Err(error) => {
            tracing::debug!(%error, "connection not usable again");
            None
        }
    }
}
