//! Connections: which are used again, which are closed, what is sent twice.

use crate::server::{LONG, Reply, deadline, nobody, node, path, server};
use bytes::Bytes;
use futures_util::Stream;
use http::{Method, Request};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use miroir_nodes::{Body, BoxError, HealthState, NodeError, NodeRequest, full};
use std::time::Duration;

fn get() -> NodeRequest {
    NodeRequest::get(path("/indexes?limit=1"))
}

/// A write whose body is this stream.
fn streamed(chunks: impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send + 'static) -> Request<Body> {
    let mut request = Request::new(StreamBody::new(chunks).boxed_unsync());
    *request.method_mut() = Method::POST;
    request
}

fn write(json: &'static str) -> NodeRequest {
    NodeRequest::write(Method::POST, path("/indexes"), json)
}

#[tokio::test]
async fn requests_one_after_another_share_a_connection() {
    let server =
        server(|n, _| if n == 1 { Reply::Chunked(&["se", "cond"]) } else { Reply::Body("first") }).await;
    let node = server.node();
    for expected in ["first", "second", "first"] {
        assert_eq!(node.ask(&get(), LONG).await.expect("an answer").body, expected);
    }
    assert_eq!(server.connections(), [0, 0, 0]);
}

#[tokio::test]
async fn the_nodes_own_key_and_name_replace_the_clients() {
    let server = server(|_, _| Reply::Body("")).await;
    let mut request = Request::new(full("{}"));
    *request.uri_mut() = path("/stats");
    request.headers_mut().insert("authorization", "Bearer clientKey".parse().expect("a value"));
    request.headers_mut().insert("host", "search.example".parse().expect("a value"));
    server.node().ask_once(request, LONG).await.expect("an answer");
    let text = server.seen()[0].text.clone();
    assert!(text.contains("authorization: Bearer nodeKey\r\n") && !text.contains("clientKey"), "{text}");
    assert!(text.contains(&format!("host: {}\r\n", server.address)) && !text.contains("example"), "{text}");
}

#[tokio::test]
async fn a_request_says_how_long_it_is() {
    let server = server(|_, _| Reply::Body("")).await;
    let node = server.node();
    let requests = [
        (get(), "GET /indexes?limit=1 HTTP/1.1\r\n", ""),
        (
            NodeRequest::query(path("/search"), "{}"),
            "POST /search HTTP/1.1\r\n",
            "content-length: 2\r\n\r\n{}",
        ),
        (write(""), "POST /indexes HTTP/1.1\r\n", "content-length: 0\r\n\r\n"),
    ];
    for (at, (request, start, end)) in requests.iter().enumerate() {
        node.ask(request, LONG).await.expect("an answer");
        let text = server.seen()[at].text.clone();
        assert!(text.starts_with(start) && text.ends_with(end), "{text}");
        assert!(text.contains("authorization: Bearer nodeKey\r\n"), "{text}");
        assert!(text.contains(&format!("host: {}\r\n", server.address)), "{text}");
        assert_eq!(text.contains("content-type: application/json\r\n"), !request.body.is_empty(), "{text}");
    }
}

#[tokio::test]
async fn a_read_on_a_connection_closed_meanwhile_is_sent_once_more() {
    let server = server(|n, _| if n == 1 { Reply::Close } else { Reply::Body("here") }).await;
    let node = server.node();
    node.ask(&get(), LONG).await.expect("an answer");
    assert_eq!(node.ask(&get(), LONG).await.expect("an answer").body, "here");
    assert_eq!(server.connections(), [0, 0, 1]);
    assert!(node.health().is_up());
}

#[tokio::test]
async fn a_read_is_sent_no_more_than_twice() {
    let server = server(|n, _| if n == 0 { Reply::Body("") } else { Reply::Close }).await;
    let node = server.node();
    node.ask(&get(), LONG).await.expect("an answer");
    let error = node.ask(&get(), LONG).await.expect_err("no answer");
    assert!(matches!(error, NodeError::Broken(_)) && error.may_have_arrived());
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_write_that_may_have_arrived_is_not_sent_again() {
    let server = server(|n, _| if n == 1 { Reply::Close } else { Reply::Body("") }).await;
    let node = server.node();
    node.ask(&get(), LONG).await.expect("an answer");
    let error = node.ask(&write("{}"), LONG).await.expect_err("no answer");
    assert!(error.may_have_arrived());
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_write_goes_out_on_a_new_connection_where_the_idle_one_was_closed() {
    let server = server(|n, _| if n == 0 { Reply::BodyThenClose("") } else { Reply::Body("done") }).await;
    let node = server.node();
    for streamed in [false, true] {
        node.ask(&get(), LONG).await.expect("an answer");
        if !streamed {
            server.wait_closed(1).await;
            assert_eq!(node.ask(&write("{}"), LONG).await.expect("an answer").body, "done");
        } else {
            let answer = node.ask_once(Request::new(full("{}")), LONG).await.expect("an answer");
            assert_eq!(answer.body, "done");
        }
    }
    let writes = server.seen().iter().filter(|seen| seen.text.ends_with("{}")).count();
    assert_eq!(writes, 2, "each arrived once");
}

#[tokio::test]
async fn an_answer_dropped_half_read_closes_its_connection() {
    let server = server(|n, _| if n == 0 { Reply::Half } else { Reply::Body("whole") }).await;
    let node = server.node();
    let mut request = Request::new(full(""));
    *request.uri_mut() = path("/first");
    let mut body = node.send(request).await.expect("a head").into_body();
    let frame = body.frame().await.expect("a frame").expect("data");
    assert_eq!(frame.into_data().expect("data"), "half");
    drop(body);
    server.wait_closed(1).await;
    assert_eq!(node.ask(&get(), LONG).await.expect("an answer").body, "whole");
    assert_eq!(server.connections(), [0, 1]);
}

#[tokio::test]
async fn a_request_dropped_before_its_answer_closes_its_connection() {
    let server = server(|n, _| if n == 0 { Reply::Hang } else { Reply::Body("mine") }).await;
    let node = server.node();
    let asked = tokio::spawn({
        let node = node.clone();
        async move { node.ask(&get(), LONG).await }
    });
    server.wait_seen(1).await;
    asked.abort();
    server.wait_closed(1).await;
    assert_eq!(node.ask(&get(), LONG).await.expect("an answer").body, "mine");
    assert_eq!(server.connections(), [0, 1]);
}

#[tokio::test]
async fn a_hung_node_costs_the_timeout_and_its_connection() {
    let server = server(|n, _| if n == 0 { Reply::Half } else { Reply::Body("") }).await;
    let node = server.node();
    let brief = Duration::from_millis(50);
    let error = deadline(node.ask(&get(), brief)).await.expect_err("no whole answer");
    assert!(matches!(error, NodeError::Timeout(t) if t == brief));
    server.wait_closed(1).await;
    node.ask(&get(), LONG).await.expect("an answer");
}

#[tokio::test]
async fn an_answer_before_the_request_was_read_does_not_block_the_next() {
    let server = server(|n, _| if n == 0 { Reply::Early("no") } else { Reply::Body("yes") }).await;
    let node = server.node();
    // Never ends, so the connection never becomes ready.
    let endless = streamed(futures_util::stream::pending());
    assert_eq!(deadline(node.ask_once(endless, LONG)).await.expect("an answer").body, "no");
    assert_eq!(deadline(node.ask(&get(), LONG)).await.expect("an answer").body, "yes");
    assert_eq!(server.connections(), [0, 1]);
}

#[tokio::test]
async fn answers_over_the_limit_are_refused_however_they_come() {
    const LINE: &str = "0123456789012345678901234567890123456789";
    let server = server(|n, _| match n {
        0 => Reply::Body("0123456789012345678901234567890123456789012345678901234567890123456789"),
        1 => Reply::Chunked(&[LINE, LINE]),
        _ => Reply::Chunked(&[LINE, "and 24 bytes more, then "]),
    })
    .await;
    let node = server.node();
    for _ in 0..2 {
        let error = node.ask(&get(), LONG).await.expect_err("too large");
        assert!(matches!(error, NodeError::TooLarge(64)), "{error}");
    }
    assert_eq!(node.ask(&get(), LONG).await.expect("64 bytes").body.len(), 64);
    assert!(node.health().is_up(), "it did answer");
}

#[tokio::test]
async fn a_body_that_cannot_be_produced_is_not_the_nodes_failure() {
    let server = server(|_, _| Reply::Body("")).await;
    let node = server.node();
    for _ in 0..3 {
        let chunks = [Ok(Frame::data(Bytes::from("a part"))), Err("no such payload".into())];
        let broken = streamed(futures_util::stream::iter(chunks));
        let error = node.ask_once(broken, LONG).await.expect_err("no body");
        assert!(matches!(error, NodeError::RequestBody(_)), "{error}");
    }
    assert!(node.health().is_up());
}

#[tokio::test]
async fn a_node_that_is_down_becomes_suspect_and_one_answer_clears_it() {
    let down = node("down", &nobody().await);
    let error = down.ask(&write("{}"), LONG).await.expect_err("nobody there");
    assert!(matches!(error, NodeError::Connect(_)) && !error.may_have_arrived());
    assert!(down.health().is_up(), "once is nothing");
    down.ask(&get(), LONG).await.expect_err("nobody there");
    assert!(matches!(down.health().state(), HealthState::Suspect { failures: 2, .. }));

    let server = server(|_, _| Reply::Body("")).await;
    let node = server.node();
    node.health().failed();
    node.health().failed();
    node.with_own_connections().ask(&get(), LONG).await.expect("an answer");
    assert!(node.health().is_up(), "health is shared");
}

#[tokio::test]
async fn no_more_idle_connections_are_kept_than_allowed() {
    let server = server(|_, _| Reply::Body("")).await;
    let node = server.node();
    let request = get();
    let all: Vec<_> = (0..12).map(|_| node.ask(&request, LONG)).collect();
    for answer in futures_util::future::join_all(all).await {
        answer.expect("an answer");
    }
    let opened = 1 + *server.connections().iter().max().expect("requests");
    server.wait_closed(opened.saturating_sub(4)).await;
}
