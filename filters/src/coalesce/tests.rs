use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tokio::task::JoinHandle;
use tower::ServiceExt;
use tower_test::mock::{self, SendResponse};

use super::*;
use crate::{BoxService, body::box_body, extensions::Reusable};

type Handle = mock::Handle<Request<Body>, Response<Body>>;

/// Searches to a service that answers when the test says so; its epoch is later once the flag is set.
struct Rig {
    layer: CoalesceLayer,
    service: BoxService,
    handle: Handle,
    later: Arc<AtomicBool>,
}

impl Rig {
    fn new() -> Self {
        let later = Arc::new(AtomicBool::new(false));
        let now = later.clone();
        let epoch = Epoch::new(move || now.load(Ordering::SeqCst).into());
        let (inner, handle) = mock::pair();
        let layer = CoalesceLayer::new(epoch, &MetricRegistry::default());
        Self { service: BoxService::new(layer.layer(inner)), layer, handle, later }
    }

    /// A search that has got as far as it can.
    async fn search(&mut self, body: &'static str) -> JoinHandle<Result<String, String>> {
        let body = box_body(Full::new(Bytes::from_static(body.as_bytes())));
        let request = Request::post("/indexes/movies/search").body(body).expect("a request");
        let answered = self.service.ready().await.expect("always").call(request);
        let search = tokio::spawn(async move {
            let response = answered.await.map_err(|error| error.to_string())?;
            let bytes = response.into_body().collect().await.expect("a body").to_bytes();
            Ok(String::from_utf8(bytes.to_vec()).expect("text"))
        });
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        search
    }

    async fn asked(&mut self) -> SendResponse<Response<Body>> {
        self.handle.next_request().await.expect("a request").1
    }

    fn is_asked_nothing(&mut self) -> bool {
        self.handle.poll_request().is_pending()
    }
}

fn answer(text: &'static str, reusable: bool) -> Response<Body> {
    let mut response = Response::new(box_body(Full::new(Bytes::from_static(text.as_bytes()))));
    if reusable {
        response.extensions_mut().insert(Reusable);
    }
    response
}

async fn end(search: JoinHandle<Result<String, String>>) -> Result<String, String> {
    search.await.expect("no panic")
}

#[tokio::test]
async fn searches_under_way_share_an_answer() {
    let mut rig = Rig::new();
    let searches = [rig.search("{}").await, rig.search("{}").await, rig.search("{}").await];
    let other = rig.search("{ }").await;
    rig.asked().await.send_response(answer("one", true));
    rig.asked().await.send_response(answer("other", true));
    for search in searches {
        assert_eq!(end(search).await, Ok("one".to_owned()));
    }
    assert_eq!(end(other).await, Ok("other".to_owned()));
    assert_eq!(rig.layer.metrics.coalesced.get(), 2);
    assert!(rig.layer.under_way.searches.lock().is_empty());

    let next = rig.search("{}").await;
    rig.asked().await.send_response(answer("two", true));
    assert_eq!(end(next).await, Ok("two".to_owned()));
}

#[tokio::test]
async fn a_failure_is_told_to_one() {
    let mut rig = Rig::new();
    let (first, second) = (rig.search("{}").await, rig.search("{}").await);
    rig.asked().await.send_error("gone");
    rig.asked().await.send_response(answer("two", false));
    let mut ends = [end(first).await, end(second).await];
    ends.sort();
    assert_eq!(ends, [Ok("two".to_owned()), Err("gone".to_owned())]);
}

#[tokio::test]
async fn the_work_goes_on_when_the_first_leaves_and_ends_with_the_last() {
    let mut rig = Rig::new();
    let (first, second) = (rig.search("{}").await, rig.search("{}").await);
    let send = rig.asked().await;
    first.abort();
    assert!(first.await.is_err());
    send.send_response(answer("one", true));
    assert_eq!(end(second).await, Ok("one".to_owned()));

    let (first, second) = (rig.search("{}").await, rig.search("{}").await);
    let _send = rig.asked().await;
    for search in [first, second] {
        search.abort();
        assert!(search.await.is_err());
    }
    assert!(rig.layer.under_way.searches.lock().is_empty());
    let next = rig.search("{}").await;
    rig.asked().await.send_response(answer("two", true));
    assert_eq!(end(next).await, Ok("two".to_owned()));
}

#[tokio::test]
async fn nobody_waits_for_a_search_of_an_earlier_epoch() {
    let mut rig = Rig::new();
    let first = rig.search("{}").await;
    let before = rig.asked().await;
    rig.later.store(true, Ordering::SeqCst);
    let second = rig.search("{}").await;
    rig.asked().await.send_response(answer("new", true));
    assert_eq!(end(second).await, Ok("new".to_owned()));
    before.send_response(answer("old", true));
    assert_eq!(end(first).await, Ok("old".to_owned()));
    assert!(rig.is_asked_nothing());
}
