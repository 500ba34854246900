//! Keeps the answers to searches, and gives them again to whoever asks the same and may see the same, until anything they
//! depend on may have changed.
//!
//! What has changed is told by the [`Epoch`], which is a part of what answers are found by: an answer is never given once a
//! later write is known to be done, and nothing has to be thrown away by name. Only answers that whoever made them marked
//! as [`Reusable`](crate::extensions::Reusable) are kept.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use quick_cache::{Weighter, sync::Cache};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    Body, BoxError, Deps, Epoch, Filter, FilterLayer, MetricRegistry, Phase, erase,
    metric_registry::MetricSet,
    params::{ByteSize, HumanDuration},
    reuse::{KeptAnswer, Search, SearchKey},
};

/// What an entry takes besides the bytes of its search and of its answer, about.
const OVERHEAD: usize = 512;
/// How large the answers to searches are, about: from it follows how many there is room for.
const USUAL_ANSWER: u64 = 8 << 10;

/// Parameters of the filter `cache`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// How many bytes of searches and answers are kept. Those that are asked for least go first.
    pub size: ByteSize,
    /// How long an answer may be given again, even where nothing is known to have changed.
    pub max_age: HumanDuration,
}

/// Keeps answers. All services made by one layer share them.
#[derive(Clone, Debug)]
pub struct CacheLayer {
    answers: Arc<Answers>,
    epoch: Epoch,
    metrics: CacheMetrics,
}

/// See [`CacheLayer`].
#[derive(Clone, Debug)]
pub struct CacheService<S> {
    inner: S,
    layer: CacheLayer,
}

/// How often an answer was there.
#[derive(Clone, Debug, Default)]
pub struct CacheMetrics {
    hits: Counter,
    misses: Counter,
}

/// The answers that are kept.
struct Answers {
    cache: Cache<SearchKey, Aged, ByBytes>,
    max_age: Duration,
}

#[derive(Clone)]
struct Aged {
    answer: KeptAnswer,
    since: Instant,
}

#[derive(Clone)]
struct ByBytes;

// === impl CacheConfig ===

impl Default for CacheConfig {
    fn default() -> Self {
        Self { size: ByteSize::mib(64), max_age: HumanDuration::from_secs(60) }
    }
}

impl Filter for CacheConfig {
    const NAME: &'static str = "cache";
    const PHASE: Phase = Phase::Query;

    fn validate(&self) -> Vec<String> {
        let zero = |is: bool, name: &str| {
            is.then(|| format!("`{name}` must be more than 0: leave the filter out instead"))
        };
        let zeros = [zero(self.size.0 == 0, "size"), zero(self.max_age.0.is_zero(), "max_age")];
        zeros.into_iter().flatten().collect()
    }

    fn layer(&self, deps: &Deps) -> FilterLayer {
        erase::plain(CacheLayer::new(self, deps.epoch.clone(), &deps.metrics))
    }
}

// === impl CacheMetrics ===

impl MetricSet for CacheMetrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("miroir_cache_hits", "Searches answered from the cache", metrics.hits.clone());
        let misses = "Searches that could have been in the cache and were not";
        registry.register("miroir_cache_misses", misses, metrics.misses.clone());
        metrics
    }
}

// === impl Answers ===

impl Answers {
    fn new(config: &CacheConfig) -> Self {
        let items = usize::try_from(config.size.0 / USUAL_ANSWER).unwrap_or(usize::MAX).max(1);
        Self { cache: Cache::with_weighter(items, config.size.0, ByBytes), max_age: config.max_age.0 }
    }

    fn get(&self, key: &SearchKey) -> Option<KeptAnswer> {
        let aged = self.cache.get(key)?;
        (aged.since.elapsed() <= self.max_age).then_some(aged.answer)
    }

    fn put(&self, key: SearchKey, answer: KeptAnswer, since: Instant) {
        self.cache.insert(key, Aged { answer, since });
    }
}

impl Weighter<SearchKey, Aged> for ByBytes {
    fn weight(&self, key: &SearchKey, aged: &Aged) -> u64 {
        (key.len() + aged.answer.len() + OVERHEAD) as u64
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("bytes", &self.cache.weight()).finish_non_exhaustive()
    }
}

// === impl CacheLayer ===

impl CacheLayer {
    /// A layer with these parameters, whose answers are good for an epoch.
    pub fn new(config: &CacheConfig, epoch: Epoch, metrics: &MetricRegistry) -> Self {
        Self { answers: Arc::new(Answers::new(config)), epoch, metrics: metrics.set() }
    }
}

impl<S> Layer<S> for CacheLayer {
    type Service = CacheService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CacheService { inner, layer: self.clone() }
    }
}

// === impl CacheService ===

impl<S, F> Service<Request<Body>> for CacheService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future = F>
        + Clone
        + Send
        + 'static,
    F: Future<Output = Result<Response<Body>, BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if !SearchKey::suits(&request) {
            return Box::pin(self.inner.call(request));
        }
        let clone = self.inner.clone();
        // The one that is ready answers.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let CacheLayer { answers, epoch, metrics } = self.layer.clone();
        Box::pin(async move {
            let search = Search::read(request, &epoch).await?;
            let since = Instant::now();
            if let Some(answer) = answers.get(&search.key) {
                metrics.hits.inc();
                return Ok(answer.response());
            }
            metrics.misses.inc();
            let (key, request) = search.into_request();
            let response = inner.call(request).await?;
            if !KeptAnswer::may_be_kept(&response) {
                return Ok(response);
            }
            let answer = KeptAnswer::of(response).await?;
            answers.put(key, answer.clone(), since);
            Ok(answer.response())
        })
    }
}

#[cfg(test)]
mod tests;
