use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http_body_util::{BodyExt, Empty, StreamBody};
use tokio::time::{Instant, sleep};
use tower::{ServiceExt, service_fn};

use super::*;

fn layer(timeout: u64) -> DeadlineLayer {
    DeadlineLayer::new(&DeadlineConfig { timeout: HumanDuration::from_secs(timeout), ..Default::default() })
}

fn request(header: Option<&str>) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    if let Some(value) = header {
        request.headers_mut().insert("miroir-timeout", value.parse().expect("a header"));
    }
    request
}

async fn answer_after(seconds: u64, timeout: u64, header: Option<&str>) -> Result<(), BoxError> {
    let service = layer(timeout).layer(service_fn(move |_| async move {
        sleep(Duration::from_secs(seconds)).await;
        Ok::<_, BoxError>(Response::new(()))
    }));
    service.oneshot(request(header)).await.map(|_| ())
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_time_passes() {
    assert!(answer_after(4, 5, None).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_an_error_at_the_deadline() {
    let start = Instant::now();
    let error = answer_after(6, 5, None).await.expect_err("late");
    assert_eq!(error.downcast_ref(), Some(&DeadlineError::Elapsed { timeout: Duration::from_secs(5) }));
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_client_shortens_but_never_lengthens() {
    assert!(answer_after(4, 5, Some("3s")).await.is_err());
    assert!(answer_after(4, 5, Some("4500ms")).await.is_ok());
    assert!(answer_after(6, 5, Some("1h")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_header_that_is_no_duration_is_refused() {
    let error = answer_after(0, 5, Some("soon")).await.expect_err("invalid");
    assert!(error.to_string().starts_with("Invalid value for header `miroir-timeout`: `soon`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn services_behind_see_what_is_left() {
    let service = layer(5).layer(service_fn(async |request: Request<_>| {
        sleep(Duration::from_secs(2)).await;
        let deadline = request.extensions().get::<Deadline>().cloned();
        Ok::<_, BoxError>(Response::new(deadline.map(|deadline| deadline.remaining().as_secs())))
    }));
    let left = service.oneshot(request(None)).await.expect("an answer").into_body();
    assert_eq!(left, Some(3));
}

/// Sends a piece each so many seconds, then thinks for so many.
async fn upload(pause: u64, pieces: u32, think: u64) -> Result<usize, BoxError> {
    let service = layer(5).layer(service_fn(move |request: Request<DeadlineBody<_>>| async move {
        let received = request.into_body().collect().await?.to_bytes().len();
        sleep(Duration::from_secs(think)).await;
        Ok::<_, BoxError>(Response::new(received))
    }));
    let frames = stream::unfold(0, move |sent| async move {
        sleep(Duration::from_secs(pause)).await;
        (sent < pieces).then(|| (Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"x"))), sent + 1))
    });
    let body = StreamBody::new(Box::pin(frames));
    Ok(service.oneshot(Request::post("/").body(body)?).await?.into_body())
}

#[tokio::test(start_paused = true)]
async fn an_upload_may_take_long_but_not_stall() {
    assert_eq!(upload(4, 20, 0).await.ok(), Some(20));
    assert!(upload(6, 2, 0).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn after_an_upload_the_time_counts_from_its_last_piece() {
    assert_eq!(upload(1, 10, 3).await.ok(), Some(10));
    assert!(upload(1, 10, 5).await.is_err());
}
