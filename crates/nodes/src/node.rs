//! One node as a tower service.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use tower_service::Service;

use crate::{
    body::{Body, PooledBody, full},
    connect::connect,
    error::NodeError,
    health::Health,
    pool::{Lease, Pool},
};

/// How a node is reached.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The name the shard map knows it by.
    pub name: String,
    /// Host and port, `127.0.0.1:7701`.
    pub authority: String,
    /// The node's own key, sent as a bearer token.
    pub key: Option<String>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How many idle connections are kept.
    pub max_idle: usize,
    /// The largest answer taken into memory by [`Node::ask`], in bytes.
    pub max_answer: usize,
}

/// A client of one Meilisearch server. Clones share connections and health.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    config: NodeConfig,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
    pool: Pool,
    health: Arc<Health>,
}

/// A request whose body is in memory, so that it can be sent again on another connection.
#[derive(Clone, Debug)]
pub struct NodeRequest {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: Uri,
    /// The body; JSON where it is not empty.
    pub body: Bytes,
    /// Whether sending it twice is as good as once.
    pub idempotent: bool,
}

/// A whole answer in memory.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body's bytes.
    pub body: Bytes,
}

impl NodeRequest {
    /// A `GET`.
    pub fn get(path: Uri) -> Self {
        Self { method: Method::GET, path, body: Bytes::new(), idempotent: true }
    }

    /// A read by `POST` of JSON: a search, a fetch.
    pub fn query(path: Uri, json: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, path, body: json.into(), idempotent: true }
    }

    /// A write of JSON, or of nothing.
    pub fn write(method: Method, path: Uri, json: impl Into<Bytes>) -> Self {
        Self { method, path, body: json.into(), idempotent: false }
    }

    fn to_http(&self) -> Request<Body> {
        let mut request = Request::new(full(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.path.clone();
        if !self.body.is_empty() {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(header::CONTENT_TYPE, json);
        }
        request
    }
}

impl Node {
    /// A client; nothing is connected before the first request. `None` where the authority or the key cannot stand in
    /// a header.
    pub fn new(config: NodeConfig) -> Option<Self> {
        let host = HeaderValue::from_str(&config.authority).ok()?;
        let authorization = match &config.key {
            Some(key) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {key}")).ok()?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        let pool = Pool::new(config.max_idle);
        Some(Self { inner: Arc::new(Inner { config, host, authorization, pool, health: Arc::default() }) })
    }

    /// The same node with connections of its own: for work on another runtime, whose connections must not end with this
    /// one's. Health is shared.
    #[must_use]
    pub fn with_own_connections(&self) -> Self {
        let Inner { config, host, authorization, health, .. } = &*self.inner;
        Self {
            inner: Arc::new(Inner {
                config: config.clone(),
                host: host.clone(),
                authorization: authorization.clone(),
                pool: Pool::new(config.max_idle),
                health: health.clone(),
            }),
        }
    }

    /// The name the shard map knows it by.
    pub fn name(&self) -> &str {
        &self.inner.config.name
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        &self.inner.config.authority
    }

    /// What has been seen of it lately.
    pub fn health(&self) -> &Health {
        &self.inner.health
    }

    /// Sends a request as it is, but for the host and the node's key, and gives the answer as it streams in. Health is
    /// told of the outcome.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response<PooledBody>, NodeError> {
        self.prepare(&mut request);
        let sent = self.send_prepared(request).await;
        match &sent {
            Ok(_) => self.inner.health.succeeded(),
            Err(error) => self.failed(error),
        }
        sent
    }

    /// Asks and reads the whole answer, within `timeout`. A request that met a connection which the node had closed
    /// meanwhile is sent once more on a new one; a write only where not a byte of it went out.
    pub async fn ask(&self, request: &NodeRequest, timeout: Duration) -> Result<Answer, NodeError> {
        let answered = tokio::time::timeout(timeout, self.ask_unbounded(request)).await;
        let answered = answered.unwrap_or(Err(NodeError::Timeout(timeout)));
        match &answered {
            Ok(_) => self.inner.health.succeeded(),
            Err(error) => self.failed(error),
        }
        answered
    }

    async fn ask_unbounded(&self, request: &NodeRequest) -> Result<Answer, NodeError> {
        let mut http = request.to_http();
        self.prepare(&mut http);
        let mut lease = self.lease().await?;
        let reused = lease.reused;
        let first = match lease.sender().send_request(http).await {
            Ok(response) => self.collect(response, lease).await,
            Err(error) => Err(NodeError::Http(error)),
        };
        match first {
            Err(NodeError::Http(error)) if reused && may_send_again(&error, request.idempotent) => {
                self.inner.pool.clear();
                let mut http = request.to_http();
                self.prepare(&mut http);
                let mut lease = self.lease().await?;
                let response = lease.sender().send_request(http).await.map_err(NodeError::Http)?;
                self.collect(response, lease).await
            }
            other => other,
        }
    }

    async fn collect(
        &self,
        response: Response<hyper::body::Incoming>,
        lease: Lease,
    ) -> Result<Answer, NodeError> {
        let limit = self.inner.config.max_answer;
        let status = response.status();
        let mut body = PooledBody::new(response.into_body(), lease);
        let expected = body.size_hint().lower();
        if expected > limit as u64 {
            return Err(NodeError::TooLarge(limit));
        }
        let mut whole = match next_data(&mut body).await? {
            None => return Ok(Answer { status, body: Bytes::new() }),
            Some(first) if body.is_end_stream() => return Ok(Answer { status, body: first }),
            Some(first) => {
                let mut whole = BytesMut::with_capacity((expected as usize).max(first.len() * 2));
                whole.extend_from_slice(&first);
                whole
            }
        };
        while let Some(data) = next_data(&mut body).await? {
            if whole.len() + data.len() > limit {
                return Err(NodeError::TooLarge(limit));
            }
            whole.extend_from_slice(&data);
        }
        Ok(Answer { status, body: whole.freeze() })
    }

    async fn send_prepared(&self, request: Request<Body>) -> Result<Response<PooledBody>, NodeError> {
        let mut lease = self.lease().await?;
        let reused = lease.reused;
        let response = match lease.sender().try_send_request(request).await {
            Ok(response) => response,
            Err(mut error) => match error.take_message() {
                // Not a byte of it was sent: the node had closed the idle connection.
                Some(request) if reused => {
                    self.inner.pool.clear();
                    lease = self.lease().await?;
                    lease.sender().send_request(request).await.map_err(NodeError::Http)?
                }
                _ => return Err(NodeError::Http(error.into_error())),
            },
        };
        Ok(response.map(|incoming| PooledBody::new(incoming, lease)))
    }

    async fn lease(&self) -> Result<Lease, NodeError> {
        while let Some(mut lease) = self.inner.pool.take() {
            if lease.sender().ready().await.is_ok() {
                return Ok(lease);
            }
        }
        let config = &self.inner.config;
        let sender = connect(&config.authority, config.connect_timeout).await?;
        Ok(self.inner.pool.adopt(sender))
    }

    fn prepare(&self, request: &mut Request<Body>) {
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.inner.host.clone());
        match &self.inner.authorization {
            Some(key) => headers.insert(header::AUTHORIZATION, key.clone()),
            None => headers.remove(header::AUTHORIZATION),
        };
    }

    fn failed(&self, error: &NodeError) {
        if self.inner.health.failed() {
            tracing::warn!(node = self.name(), %error, "node is suspect");
        } else {
            tracing::debug!(node = self.name(), %error, "node request failed");
        }
    }
}

async fn next_data(body: &mut PooledBody) -> Result<Option<Bytes>, NodeError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(NodeError::Http)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Whether a request that failed on an idle connection may go out once more. Where hyper says canceled or closed, nothing
/// of it was sent; an incomplete message may have been acted on.
fn may_send_again(error: &hyper::Error, idempotent: bool) -> bool {
    error.is_closed() || error.is_canceled() || (idempotent && error.is_incomplete_message())
}

impl Service<Request<Body>> for Node {
    type Response = Response<PooledBody>;
    type Error = NodeError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NodeError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NodeError>> {
        // Connections are made on demand; how many requests a node may have at once is a layer's concern.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let node = self.clone();
        Box::pin(async move { node.send(request).await })
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("name", &self.name()).field("authority", &self.authority()).finish()
    }
}
