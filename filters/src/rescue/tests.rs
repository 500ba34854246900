use http_body_util::{BodyExt, Empty};
use tower::service_fn;

use super::*;
use crate::body_limit::{BodyLimitConfig, BodyLimitLayer};
use crate::params::ByteSize;

#[derive(Debug, thiserror::Error)]
#[error("outer")]
struct Outer(#[source] BoxError);

#[derive(Debug, thiserror::Error)]
#[error("inner")]
struct Inner;

async fn answer(table: RescueTable, error: impl Into<BoxError>) -> (StatusCode, HeaderMap, String) {
    let mut error = Some(error.into());
    let service = RescueLayer::new(table).layer(service_fn(move |_: Request<()>| {
        let error = error.take().expect("asked once");
        async { Err::<Response<Empty<Bytes>>, _>(error) }
    }));
    let Ok(response) = service.oneshot(Request::new(())).await;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).expect("UTF-8"))
}

fn table() -> RescueTable {
    RescueTable::new().filters()
}

#[tokio::test]
async fn errors_become_answers_of_meilisearchs_shape() {
    let (status, headers, body) = answer(table(), AuthError::MissingHeader).await;
    assert_eq!(status, 401);
    assert_eq!(headers[CONTENT_TYPE], "application/json");
    assert_eq!(
        body,
        r#"{"message":"The Authorization header is missing. It must use the bearer authorization method.","code":"missing_authorization_header","type":"auth","link":"https://docs.meilisearch.com/errors#missing_authorization_header"}"#
    );
    let (status, _, body) = answer(table(), AuthError::InvalidKey).await;
    assert_eq!(status, 403);
    assert!(body.contains("\"The provided API key is invalid.\""), "{body}");
}

#[tokio::test]
async fn a_cause_deep_inside_is_found() {
    let error = Outer(WithHeaders::new(AuthError::InvalidKey, HeaderMap::new()).into());
    assert_eq!(answer(table(), error).await.0, 403);
}

#[tokio::test]
async fn the_first_rule_that_knows_an_error_answers_it() {
    let rules = || RescueTable::new().rule(|_: &Inner| ResponseError::index_not_found("a"));
    let table = rules().rule(|_: &Outer| ResponseError::invalid_api_key()).filters();
    assert_eq!(answer(table, Outer(Inner.into())).await.0, 404);
    let table = RescueTable::new().rule(|_: &Outer| ResponseError::invalid_api_key());
    assert_eq!(answer(table, Outer(Inner.into())).await.0, 403);
}

#[tokio::test]
async fn headers_travel_with_the_error_and_the_outer_ones_win() {
    let headers =
        |value: &'static str| HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
    let inner = WithHeaders::new(ResponseError::new(Code::MiroirOverloaded, "busy"), headers("30"));
    assert_eq!(answer(table(), inner).await.1[RETRY_AFTER], "30");
    let inner = WithHeaders::new(ResponseError::new(Code::MiroirOverloaded, "busy"), headers("30"));
    let (status, headers, _) = answer(table(), WithHeaders::new(inner, headers("60"))).await;
    assert_eq!((status.as_u16(), &headers[RETRY_AFTER]), (503, &HeaderValue::from_static("60")));
}

#[tokio::test]
async fn who_is_told_to_come_back_is_told_when() {
    let (status, headers, _) =
        answer(table(), ResponseError::new(Code::MiroirShardUnavailable, "down")).await;
    assert_eq!((status.as_u16(), &headers[RETRY_AFTER]), (503, &HeaderValue::from_static("1")));
}

#[tokio::test]
async fn an_unknown_error_is_internal_and_keeps_its_words_to_itself() {
    let (status, _, body) = answer(table(), "password=hunter2").await;
    assert_eq!(status, 500);
    assert!(body.contains("\"code\":\"internal\"") && !body.contains("hunter2"), "{body}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_meilisearchs_413() {
    let limit = BodyLimitLayer::new(&BodyLimitConfig { max: ByteSize::mib(1) });
    let inner = limit.layer(service_fn(async |_| Ok::<_, BoxError>(Response::new(Empty::<Bytes>::new()))));
    let request = Request::post("/").header("content-length", (1 << 20) + 1).body(Empty::<Bytes>::new());
    let Ok(response) = RescueLayer::new(table()).layer(inner).oneshot(request.expect("a request")).await;
    assert_eq!(response.status(), 413);
    assert_eq!(response.extensions().get(), Some(&ErrorCode("payload_too_large".to_owned())));
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    let text = String::from_utf8_lossy(&body);
    assert!(
        text.contains(
            "The provided payload reached the size limit. The maximum accepted payload size is 1 MiB."
        ),
        "{text}"
    );
}

#[tokio::test]
async fn a_service_that_cannot_be_ready_is_answered_too() {
    let inner =
        tower::service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(Empty::<Bytes>::new())));
    let mut service = RescueLayer::new(table()).layer(Unready(inner));
    let Ok(ready) = service.ready().await;
    let Ok(response) = ready.call(Request::new(())).await;
    assert_eq!(response.status(), 404);
}

struct Unready<S>(S);

impl<S: Service<Request<()>, Error = BoxError>> Service<Request<()>> for Unready<S> {
    type Response = S::Response;
    type Error = BoxError;
    type Future = S::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Err(ResponseError::index_not_found("x").into()))
    }

    fn call(&mut self, request: Request<()>) -> S::Future {
        self.0.call(request)
    }
}

#[test]
fn the_log_names_every_cause_once() {
    let error = Outer(WithHeaders::new(Inner, HeaderMap::new()).into());
    assert_eq!(Chain(&error).to_string(), "outer: inner");
}
