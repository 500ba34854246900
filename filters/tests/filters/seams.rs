//! The whole way: filters that see everything, the rescue layer, filters that reject, and routes.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use miroir_filters::{
    Body, BoxError, BoxService, Deps, FilterConfig, Phase, RescueLayer, RescueTable, body::box_body, stack,
};
use miroir_protocol::error::ResponseError;
use serde_json::Value;
use tower::{ServiceExt, service_fn};

const FILTERS: &str = r#"[
    "request_id", "trace", "access_log", "metrics", "compression", "auth", "concurrency",
    {"rate_limit": {"requests": 4, "per": "60s"}}, "deadline", "decompression", {"body_limit": {"max": "1KiB"}}
]"#;

/// As a gateway puts it together.
fn gateway(deps: &Deps) -> BoxService {
    let filters: Vec<FilterConfig> = serde_json::from_str(FILTERS).expect("a list of filters");
    let (edge, inner): (Vec<_>, Vec<_>) = filters.iter().partition(|filter| filter.phase() == Phase::Edge);
    let rejecting = stack(inner, deps, BoxService::new(service_fn(routes)));
    stack(edge, deps, RescueLayer::new(RescueTable::new().filters()).seam(rejecting))
}

async fn routes(request: Request<Body>) -> Result<Response<Body>, BoxError> {
    if request.uri().path() == "/indexes/ghost" {
        return Err(ResponseError::index_not_found("ghost").into());
    }
    let length = request.into_body().collect().await?.to_bytes().len();
    Ok(Response::new(box_body(Full::from(length.to_string()))))
}

struct Answer {
    response: Response<Body>,
    code: Value,
}

async fn ask(gateway: &BoxService, request: http::request::Builder, body: &'static [u8]) -> Answer {
    let request = request.header("x-request-id", "mine").body(box_body(Full::from(Bytes::from_static(body))));
    let response = gateway.clone().oneshot(request.expect("a request")).await.expect("never an error");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let code = serde_json::from_slice::<Value>(&body).map_or(Value::Null, |body| body["code"].clone());
    Answer { response: Response::from_parts(parts, box_body(Full::new(body))), code }
}

fn with_key(path: &str) -> http::request::Builder {
    Request::post(path).header("authorization", "Bearer masterKey")
}

#[tokio::test]
async fn rejected_requests_have_an_id_and_are_counted_with_their_status() {
    let deps = Deps::new(Some("masterKey".to_owned()));
    let gateway = gateway(&deps);
    let Answer { response, code } = ask(&gateway, Request::get("/version"), b"").await;
    assert_eq!(
        (response.status(), &code),
        (StatusCode::UNAUTHORIZED, &"missing_authorization_header".into())
    );
    assert_eq!(response.headers()["x-request-id"], "mine");
    let text = deps.metrics.text();
    assert!(text.contains("miroir_http_requests_total{route=\"instance\",status=\"401\"} 1\n"), "{text}");
    assert!(text.contains("miroir_http_requests_in_flight 0\n"), "{text}");
}

#[tokio::test]
async fn every_error_is_answered_with_its_code() {
    let gateway = gateway(&Deps::new(Some("masterKey".to_owned())));
    let large = ask(&gateway, with_key("/indexes/movies/documents"), &[b'x'; 1025]).await;
    assert_eq!((large.response.status().as_u16(), large.code), (413, "payload_too_large".into()));
    let packed = with_key("/indexes/movies/documents").header("content-encoding", "gzip");
    let corrupt = ask(&gateway, packed, b"not gzip").await;
    assert_eq!((corrupt.response.status().as_u16(), corrupt.code), (400, "bad_request".into()));
    let packed = with_key("/indexes/movies/documents").header("content-encoding", "snappy");
    let unknown = ask(&gateway, packed, b"").await;
    assert_eq!((unknown.response.status().as_u16(), unknown.code), (415, "unsupported_media_type".into()));

    let ghost = ask(&gateway, with_key("/indexes/ghost"), b"").await;
    assert_eq!((ghost.response.status().as_u16(), ghost.code), (404, "index_not_found".into()));
    assert_eq!(ghost.response.headers()["ratelimit"], "\"default\";r=0;t=60");
    let often = ask(&gateway, with_key("/version"), b"").await;
    assert_eq!((often.response.status().as_u16(), often.code), (429, "miroir_too_many_requests".into()));
    assert_eq!(often.response.headers()["retry-after"], "15");
}
