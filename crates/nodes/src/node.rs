//! One node as a tower service.

mod vouch;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Request, Response, header};
use tower_service::Service;

use crate::{
    body::{Body, PooledBody},
    connect::{Asker, Dial, Reach, Sender, connect, connect_streaming},
    error::NodeError,
    health::Health,
    latency::Latency,
    pool::{Lease, Pool},
    request::{Answer, NodeRequest},
    tls::Tls,
};

/// How long an idle connection may take to become ready: its task has to see the end of the last answer, which the
/// answer's reader saw first. It never does where the node answered before it had read the whole request.
const SETTLE: Duration = Duration::from_millis(20);

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
    /// Host and key as lines of a head.
    fields: Vec<u8>,
    /// Connections for whole answers.
    askers: Pool<Asker>,
    /// Connections for streamed bodies.
    senders: Pool<Sender>,
    health: Arc<Health>,
    latency: Arc<Latency>,
    reach: Reach,
    /// Whether who answers next may be another process than who answered last.
    doubt: Arc<AtomicBool>,
    /// Whether that matters.
    vouches: AtomicBool,
}

// === impl Node ===

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
        Some(Self::with(config, host, authorization, (Arc::default(), Arc::default()), Reach::Tcp))
    }

    fn with(
        config: NodeConfig,
        host: HeaderValue,
        authorization: Option<HeaderValue>,
        (health, latency): (Arc<Health>, Arc<Latency>),
        reach: Reach,
    ) -> Self {
        let mut fields = [b"host: ", host.as_bytes(), b"\r\n"].concat();
        if let Some(key) = &authorization {
            fields.extend_from_slice(&[b"authorization: ", key.as_bytes(), b"\r\n"].concat());
        }
        let doubt = Arc::new(AtomicBool::new(true));
        let askers = Pool::new(config.max_idle, doubt.clone());
        let senders = Pool::new(config.max_idle, doubt.clone());
        let vouches = AtomicBool::new(true);
        let inner = Inner {
            config,
            host,
            authorization,
            fields,
            askers,
            senders,
            health,
            latency,
            reach,
            doubt,
            vouches,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The same node with connections of its own: for work on another runtime, whose connections must not end with this
    /// one's. Health is shared.
    #[must_use]
    pub fn with_own_connections(&self) -> Self {
        self.again(self.inner.reach.clone())
    }

    /// The same node, reached by TLS.
    #[must_use]
    pub fn with_tls(&self, tls: Tls) -> Self {
        self.again(Reach::Tls(tls))
    }

    /// The same node, reached by connections that `dial` makes.
    #[must_use]
    pub fn with_dial(&self, dial: Arc<dyn Dial>) -> Self {
        self.again(Reach::Dialed(dial))
    }

    fn again(&self, reach: Reach) -> Self {
        let Inner { config, host, authorization, health, latency, .. } = &*self.inner;
        let seen = (health.clone(), latency.clone());
        Self::with(config.clone(), host.clone(), authorization.clone(), seen, reach)
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

    /// How long it takes over reads.
    pub fn latency(&self) -> &Latency {
        &self.inner.latency
    }

    /// Sends a request as it is, but for the host and the node's key, and gives the answer as it streams in. Health is
    /// told of the outcome.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response<PooledBody>, NodeError> {
        self.prepare(&mut request);
        let sent = self.send_prepared(request).await;
        self.note(&sent);
        sent.map(|(response, lease)| response.map(|incoming| PooledBody::new(incoming, lease)))
    }

    /// Sends a request as [`Node::send`] does and reads the whole answer, within `timeout`. The body may be a stream: the
    /// request goes out once, and where that fails it may have arrived.
    pub async fn ask_once(&self, mut request: Request<Body>, timeout: Duration) -> Result<Answer, NodeError> {
        self.prepare(&mut request);
        let exchange = async {
            let (response, lease) = self.send_prepared(request).await?;
            Answer::read(response, lease, self.inner.config.max_answer).await
        };
        self.within(timeout, exchange).await
    }

    /// Asks and reads the whole answer, within `timeout`. A read that met a connection which the node had closed meanwhile is
    /// sent once more on a new one; a write is not, as it may have arrived.
    pub async fn ask(&self, request: &NodeRequest, timeout: Duration) -> Result<Answer, NodeError> {
        self.within(timeout, self.ask_unbounded(request)).await
    }

    async fn within(
        &self,
        timeout: Duration,
        exchange: impl Future<Output = Result<Answer, NodeError>>,
    ) -> Result<Answer, NodeError> {
        let answered = tokio::time::timeout(timeout, exchange).await;
        let answered = answered.unwrap_or(Err(NodeError::Timeout(timeout)));
        self.note(&answered);
        answered
    }

    async fn ask_unbounded(&self, request: &NodeRequest) -> Result<Answer, NodeError> {
        let limit = self.inner.config.max_answer;
        let mut lease = match self.inner.askers.take() {
            Some(lease) => lease,
            None => self.connect().await?,
        };
        let head = || request.head(&self.inner.fields);
        let mut asked = lease.connection.exchange(head(), &request.body, limit).await;
        if let Err(failure) = &asked
            && lease.reused
            && failure.unanswered
            && request.idempotent
        {
            self.inner.askers.clear();
            lease = self.connect().await?;
            asked = lease.connection.exchange(head(), &request.body, limit).await;
        }
        let answer = asked.map_err(|failure| failure.error)?;
        lease.release();
        Ok(answer)
    }

    async fn connect(&self) -> Result<Lease<Asker>, NodeError> {
        let Inner { config, reach, askers, .. } = &*self.inner;
        let mut lease = askers.adopt(connect(&config.authority, reach, config.connect_timeout).await?);
        self.vouch(&mut lease).await?;
        Ok(lease)
    }

    async fn send_prepared(
        &self,
        request: Request<Body>,
    ) -> Result<(Response<hyper::body::Incoming>, Lease<Sender>), NodeError> {
        let mut lease = self.lease_to_stream().await?;
        match lease.connection.try_send_request(request).await {
            Ok(response) => Ok((response, lease)),
            Err(mut error) => match error.take_message() {
                // Not a byte of it was sent: the node had closed the idle connection.
                Some(request) if lease.reused => {
                    self.inner.senders.clear();
                    lease = self.connect_to_stream().await?;
                    Ok((lease.connection.send_request(request).await?, lease))
                }
                _ => Err(error.into_error().into()),
            },
        }
    }

    async fn lease_to_stream(&self) -> Result<Lease<Sender>, NodeError> {
        while let Some(mut lease) = self.inner.senders.take() {
            if lease.connection.is_ready() {
                return Ok(lease);
            }
            if let Ok(Ok(())) = tokio::time::timeout(SETTLE, lease.connection.ready()).await {
                return Ok(lease);
            }
        }
        self.connect_to_stream().await
    }

    async fn connect_to_stream(&self) -> Result<Lease<Sender>, NodeError> {
        let Inner { config, reach, senders, .. } = &*self.inner;
        let sender = connect_streaming(&config.authority, reach, config.connect_timeout).await?;
        self.vouch_for_streams().await?;
        Ok(senders.adopt(sender))
    }

    fn prepare(&self, request: &mut Request<Body>) {
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.inner.host.clone());
        match &self.inner.authorization {
            Some(key) => headers.insert(header::AUTHORIZATION, key.clone()),
            None => headers.remove(header::AUTHORIZATION),
        };
    }

    /// Tells health of an outcome. What is not of the node's making says nothing of it.
    fn note<T>(&self, outcome: &Result<T, NodeError>) {
        if let Err(NodeError::Connect(_) | NodeError::Http(_) | NodeError::Broken(_)) = outcome {
            self.inner.doubt.store(true, Ordering::Relaxed);
            self.inner.health.disconnected();
        }
        match outcome {
            Ok(_) => self.inner.health.succeeded(),
            Err(error) if error.is_of_the_node() && self.inner.health.failed() => {
                tracing::warn!(node = self.name(), %error, "node is suspect");
            }
            Err(error) => tracing::debug!(node = self.name(), %error, "node request failed"),
        }
    }
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
