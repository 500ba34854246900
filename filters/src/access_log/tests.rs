use std::{io, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, header::AUTHORIZATION};
use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use serde_json::Value;
use tower::{ServiceExt, service_fn};
use tracing::subscriber::DefaultGuard;

use super::*;
use crate::BoxError;

/// The lines written while it lives.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn record() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    fn fields(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().clone()).expect("UTF-8");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines.filter(|line| line["target"] == TARGET).map(|line| line["fields"].clone()).collect()
    }
}

fn request(path: &str) -> Request<()> {
    let mut request = Request::post(path).body(()).expect("a request");
    request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Bearer secret"));
    let id = RequestId::from_client(&HeaderValue::from_static("id-1")).expect("a safe id");
    request.extensions_mut().insert(id);
    request.extensions_mut().insert(PeerAddr(([192, 0, 2, 1], 4000).into()));
    request
}

async fn answer(path: &str, config: AccessLogConfig) -> Response<AccessLogBody<Full<Bytes>>> {
    let service = AccessLogLayer::new(&config).layer(service_fn(async |_: Request<()>| {
        let mut response = Response::new(Full::new(Bytes::from_static(b"answer")));
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok::<_, BoxError>(response)
    }));
    service.oneshot(request(path)).await.expect("an answer")
}

#[tokio::test]
async fn one_line_is_written_after_the_body_has_ended() {
    let (lines, _guard) = Lines::record();
    let mut body = answer("/indexes/movies/search?q=private", AccessLogConfig::default()).await.into_body();
    assert!(body.frame().await.is_some());
    assert!(lines.fields().is_empty());
    assert!(body.frame().await.is_none());

    let fields = lines.fields();
    assert_eq!(fields.len(), 1);
    let line = &fields[0];
    assert_eq!(line["method"], "POST");
    assert_eq!(line["path"], "/indexes/movies/search");
    assert_eq!(line["status"], 202);
    assert_eq!(line["bytes"], 6);
    assert_eq!(line["request_id"], "id-1");
    assert_eq!(line["peer"], "192.0.2.1:4000");
    assert_eq!(line["complete"], true);
    assert!(line["duration_us"].is_u64());
}

#[tokio::test]
async fn secrets_and_queries_are_never_logged() {
    let (lines, _guard) = Lines::record();
    answer("/indexes/movies/search?q=private", AccessLogConfig::default())
        .await
        .collect()
        .await
        .expect("a body");
    let text = String::from_utf8(lines.0.lock().clone()).expect("UTF-8");
    assert!(!text.contains("secret") && !text.contains("private"), "{text}");
}

#[tokio::test]
async fn an_answer_that_is_dropped_is_logged_as_incomplete() {
    let (lines, _guard) = Lines::record();
    drop(answer("/version", AccessLogConfig::default()).await);
    assert_eq!(lines.fields()[0]["complete"], false);
    assert_eq!(lines.fields()[0]["status"], 202);
}

#[tokio::test]
async fn a_server_that_stops_at_the_declared_end_completes_the_answer() {
    let (lines, _guard) = Lines::record();
    let mut body = answer("/version", AccessLogConfig::default()).await.into_body();
    assert!(body.frame().await.is_some());
    assert!(body.is_end_stream());
    drop(body);
    assert_eq!(lines.fields()[0]["complete"], true);
}

#[tokio::test]
async fn skipped_paths_are_not_logged() {
    let (lines, _guard) = Lines::record();
    let config = AccessLogConfig { skip: vec!["/health".to_owned()] };
    answer("/health", config).await.collect().await.expect("a body");
    assert!(lines.fields().is_empty());
}
