//! Lets searches that are the same and under way at the same time be answered by one.
//!
//! The first one is sent on; those that come while it is under way wait for its answer. They are given it only where
//! whoever made it marked it as [`Reusable`](crate::extensions::Reusable), and else ask for themselves, so that nobody is
//! told of a failure that was another's. Where the first client leaves, the work goes on for the others, and where all of
//! them have left, it is given up. A search does not wait for one that began in an earlier [`Epoch`]: the answer to that
//! may lack what the client knows to be done.

use std::{
    collections::HashMap,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use http::{Request, Response};
use parking_lot::Mutex;
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    Body, BoxError, Deps, Epoch, Filter, FilterLayer, MetricRegistry, Phase, erase,
    metric_registry::MetricSet,
    reuse::{KeptAnswer, Search, SearchKey},
};

/// Parameters of the filter `coalesce`: there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CoalesceConfig {}

/// Lets searches share an answer. All services made by one layer know each other's.
#[derive(Clone, Debug)]
pub struct CoalesceLayer {
    under_way: Arc<UnderWay>,
    epoch: Epoch,
    metrics: CoalesceMetrics,
}

/// See [`CoalesceLayer`].
#[derive(Clone, Debug)]
pub struct CoalesceService<S> {
    inner: S,
    layer: CoalesceLayer,
}

/// How many searches were answered by another's answer.
#[derive(Clone, Debug, Default)]
pub struct CoalesceMetrics {
    coalesced: Counter,
}

type Answered = Result<Response<Body>, BoxError>;

/// What came of the search that was sent on.
enum Outcome {
    /// An answer for everybody who waits.
    Shared(KeptAnswer),
    /// For the first who takes it.
    Single(Mutex<Option<Answered>>),
}

type Work = BoxFuture<'static, Arc<Outcome>>;

/// The searches that were sent on and are not answered, each with the number of its place. Nothing is kept of one that all
/// have left.
#[derive(Default)]
struct UnderWay {
    searches: Mutex<HashMap<SearchKey, (u64, WeakShared<Work>)>>,
    places: AtomicU64,
}

/// Gives a search's place up when it is answered, or left by all.
struct Place {
    under_way: Arc<UnderWay>,
    key: SearchKey,
    number: u64,
}

// === impl CoalesceConfig ===

impl Filter for CoalesceConfig {
    const NAME: &'static str = "coalesce";
    const PHASE: Phase = Phase::Query;

    fn after(&self) -> &'static [&'static str] {
        &["cache"]
    }

    fn layer(&self, deps: &Deps) -> FilterLayer {
        erase::plain(CoalesceLayer::new(deps.epoch.clone(), &deps.metrics))
    }
}

// === impl CoalesceMetrics ===

impl MetricSet for CoalesceMetrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let coalesced = "Searches answered by the answer to another that was under way";
        registry.register("miroir_coalesced_searches", coalesced, metrics.coalesced.clone());
        metrics
    }
}

// === impl UnderWay ===

impl UnderWay {
    /// The search of this key that is under way, or the one that `start` begins, and whether that was it.
    fn join<F>(self: &Arc<Self>, key: &SearchKey, start: impl FnOnce() -> F) -> (Shared<Work>, bool)
    where
        F: Future<Output = Answered> + Send + 'static,
    {
        let mut searches = self.searches.lock();
        if let Some(work) = searches.get(key).and_then(|(_, work)| work.upgrade()) {
            return (work, false);
        }
        let number = self.places.fetch_add(1, Ordering::Relaxed);
        let place = Place { under_way: self.clone(), key: key.clone(), number };
        let answered = start();
        let work = async move {
            let outcome = Outcome::of(answered.await).await;
            drop(place);
            Arc::new(outcome)
        };
        let work = work.boxed().shared();
        if let Some(weak) = work.downgrade() {
            searches.insert(key.clone(), (number, weak));
        }
        (work, true)
    }
}

impl fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnderWay").field("searches", &self.searches.lock().len()).finish_non_exhaustive()
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        let mut searches = self.under_way.searches.lock();
        // Where all have left, another one may have begun since.
        if searches.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            searches.remove(&self.key);
        }
    }
}

// === impl Outcome ===

impl Outcome {
    async fn of(answered: Answered) -> Self {
        let answered = match answered {
            Ok(response) if KeptAnswer::may_be_kept(&response) => match KeptAnswer::of(response).await {
                Ok(answer) => return Self::Shared(answer),
                Err(error) => Err(error),
            },
            other => other,
        };
        Self::Single(Mutex::new(Some(answered)))
    }
}

// === impl CoalesceLayer ===

impl CoalesceLayer {
    /// A layer whose searches wait for those of the same epoch.
    pub fn new(epoch: Epoch, metrics: &MetricRegistry) -> Self {
        Self { under_way: Arc::default(), epoch, metrics: metrics.set() }
    }
}

impl<S> Layer<S> for CoalesceLayer {
    type Service = CoalesceService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CoalesceService { inner, layer: self.clone() }
    }
}

// === impl CoalesceService ===

impl<S, F> Service<Request<Body>> for CoalesceService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future = F>
        + Clone
        + Send
        + 'static,
    F: Future<Output = Result<Response<Body>, BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Answered> + Send>>;

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
        let CoalesceLayer { under_way, epoch, metrics } = self.layer.clone();
        Box::pin(async move {
            let search = Search::read(request, &epoch).await?;
            let (work, is_first) = under_way.join(&search.key, || inner.call(search.request()));
            let single = match &*work.await {
                Outcome::Shared(answer) => {
                    metrics.coalesced.inc_by(u64::from(!is_first));
                    return Ok(answer.response());
                }
                Outcome::Single(answered) => answered.lock().take(),
            };
            match single {
                Some(answered) => answered,
                None => {
                    poll_fn(|cx| inner.poll_ready(cx)).await?;
                    inner.call(search.request()).await
                }
            }
        })
    }
}

#[cfg(test)]
mod tests;
