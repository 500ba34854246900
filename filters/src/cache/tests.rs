use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tower::{ServiceExt, service_fn};

use super::*;
use crate::{body::box_body, extensions::Reusable};

/// A cache in front of a service that counts what it is asked; its epoch is the second number.
struct Rig {
    cache: CacheLayer,
    asked: Arc<AtomicU64>,
    epoch: Arc<AtomicU64>,
    reusable: bool,
}

impl Rig {
    fn new(config: &CacheConfig) -> Self {
        let epoch = Arc::new(AtomicU64::new(0));
        let now = epoch.clone();
        let told = Epoch::new(move || now.load(Ordering::SeqCst));
        let cache = CacheLayer::new(config, told, &MetricRegistry::default());
        Self { cache, asked: Arc::default(), epoch, reusable: true }
    }

    async fn ask(&self, path: &str, body: &str) -> String {
        let (asked, reusable) = (self.asked.clone(), self.reusable);
        let inner = service_fn(move |request: Request<Body>| {
            let number = asked.fetch_add(1, Ordering::SeqCst);
            async move {
                let body = request.into_body().collect().await?.to_bytes();
                let text = format!("{number}: {}", String::from_utf8_lossy(&body));
                let mut response = Response::new(box_body(Full::new(Bytes::from(text))));
                if reusable {
                    response.extensions_mut().insert(Reusable);
                }
                Ok::<_, BoxError>(response)
            }
        });
        let body = box_body(Full::new(Bytes::copy_from_slice(body.as_bytes())));
        let request = Request::post(path).body(body).expect("a request");
        let response = self.cache.layer(inner).oneshot(request).await.expect("an answer");
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    }
}

const SEARCH: &str = "/indexes/movies/search";

#[tokio::test]
async fn the_same_search_is_answered_once_in_an_epoch() {
    let rig = Rig::new(&CacheConfig::default());
    assert_eq!(rig.ask(SEARCH, "{}").await, "0: {}");
    assert_eq!(rig.ask(SEARCH, "{}").await, "0: {}");
    assert_eq!(rig.ask(SEARCH, "{ }").await, "1: { }");
    assert_eq!((rig.cache.metrics.hits.get(), rig.cache.metrics.misses.get()), (1, 2));
    rig.epoch.fetch_add(1, Ordering::SeqCst);
    assert_eq!(rig.ask(SEARCH, "{}").await, "2: {}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_not_given_for_longer_than_it_may_be() {
    let rig = Rig::new(&CacheConfig { max_age: HumanDuration::from_secs(5), ..CacheConfig::default() });
    assert_eq!(rig.ask(SEARCH, "{}").await, "0: {}");
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(rig.ask(SEARCH, "{}").await, "0: {}");
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(rig.ask(SEARCH, "{}").await, "1: {}");
    assert_eq!(rig.ask(SEARCH, "{}").await, "1: {}");
}

#[tokio::test]
async fn what_is_not_marked_is_not_kept() {
    let rig = Rig { reusable: false, ..Rig::new(&CacheConfig::default()) };
    assert_eq!(rig.ask(SEARCH, "{}").await, "0: {}");
    assert_eq!(rig.ask(SEARCH, "{}").await, "1: {}");
}

#[tokio::test]
async fn what_is_no_search_passes() {
    let rig = Rig::new(&CacheConfig::default());
    let path = "/indexes/movies/documents";
    assert_eq!(rig.ask(path, "[]").await, "0: []");
    assert_eq!(rig.ask(path, "[]").await, "1: []");
    assert_eq!(rig.cache.metrics.misses.get(), 0);
}

#[tokio::test]
async fn no_more_is_kept_than_there_is_room_for() {
    let rig = Rig::new(&CacheConfig { size: ByteSize(100_000), ..CacheConfig::default() });
    for number in 0..1_000 {
        rig.ask(SEARCH, &format!("{{\"q\":\"{number}\"}}")).await;
    }
    let cache = &rig.cache.answers.cache;
    assert!(cache.weight() <= 100_000 && cache.len() > 50, "{} of {} bytes", cache.len(), cache.weight());
}
