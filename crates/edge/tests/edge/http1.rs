//! HTTP/1: framing, kept connections, bad requests.

use crate::common::{Answer, TestEdge, answer, read};
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use miroir_edge::{PeerAddr, RequestBody};

/// An answer whose length nobody knows; `Err` breaks it off.
fn pieces(pieces: Vec<Result<&'static str, &'static str>>) -> Answer {
    let frames = pieces.into_iter().map(|piece| match piece {
        Ok(text) => Ok(Frame::data(Bytes::from_static(text.as_bytes()))),
        Err(error) => Err(error.into()),
    });
    Response::new(StreamBody::new(stream::iter(frames.collect::<Vec<_>>())).boxed_unsync())
}

async fn by_path(request: Request<RequestBody>) -> Answer {
    match request.uri().path() {
        "/peer" => {
            let peer = request.extensions().get::<PeerAddr>().expect("peer address");
            answer(peer.0.to_string())
        }
        "/chunked" => pieces(vec![Ok("one"), Ok("two")]),
        "/broken" => pieces(vec![Ok("one"), Err("broken")]),
        "/short" => {
            let mut short = pieces(vec![Ok("one")]);
            short.headers_mut().insert("content-length", 5.into());
            short
        }
        "/no-content" => {
            let mut none = answer("ignored");
            *none.status_mut() = StatusCode::NO_CONTENT;
            none
        }
        "/close" => {
            let mut close = answer("bye");
            close.headers_mut().insert("connection", http::HeaderValue::from_static("close"));
            close
        }
        "/panic" => panic!("asked for"),
        "/read" => match read(request).await {
            Ok(body) => answer(body),
            Err(error) => {
                let mut failed = answer(error.to_string());
                *failed.status_mut() = StatusCode::BAD_REQUEST;
                failed
            }
        },
        path => answer(path.to_owned()),
    }
}

#[tokio::test]
async fn connections_are_kept() {
    let edge = TestEdge::start(by_path);
    let mut client = edge.connect().await;
    let address = client.0.local_addr().expect("address").to_string();
    for _ in 0..3 {
        client.send("GET /peer HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let (head, body) = client.answer().await;
        assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
        assert!(head.contains("connection: keep-alive"), "{head}");
        assert_eq!(body, address);
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let edge = TestEdge::start(by_path);
    let mut client = edge.connect().await;
    client
        .send(
            "POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc\
             GET /two HTTP/1.1\r\nhost: a\r\n\r\nGET /three HTTP/1.1\r\nhost: a\r\n\r\n",
        )
        .await;
    assert_eq!(client.answer().await.1, "abc");
    assert_eq!(client.answer().await.1, "/two");
    assert_eq!(client.answer().await.1, "/three");
}

#[tokio::test]
async fn http_1_0_and_close_are_closed_after_the_answer() {
    let edge = TestEdge::start(by_path);
    for request in [
        "GET /a HTTP/1.0\r\n\r\n",
        "GET /a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "GET /close HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let mut client = edge.connect().await;
        client.send(request).await;
        let answer = client.rest().await.to_lowercase();
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n/a") || answer.ends_with("\r\n\r\nbye"), "{answer}");
    }
    let mut client = edge.connect().await;
    client.send("GET /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
    assert!(client.answer().await.0.contains("connection: keep-alive"));
}

#[tokio::test]
async fn an_unknown_length_is_chunked_or_ends_with_the_connection() {
    let edge = TestEdge::start(by_path);
    let mut client = edge.connect().await;
    client.send("GET /chunked HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let head = client.head().await;
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert!(head.contains("connection: keep-alive"), "{head}");
    assert_eq!(client.text(21).await, "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");

    let mut client = edge.connect().await;
    client.send("GET /chunked HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
    let head = client.head().await;
    assert!(head.contains("connection: close"), "{head}");
    assert!(!head.contains("chunked"), "{head}");
    assert_eq!(client.rest().await, "onetwo");
}

#[tokio::test]
async fn answers_without_a_body_leave_the_connection_usable() {
    let edge = TestEdge::start(by_path);
    let mut client = edge.connect().await;
    client.send("HEAD /head HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(client.head().await.contains("content-length: 5"));
    client.send("HEAD /chunked HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await;
    client.send("GET /no-content HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let head = client.head().await;
    assert!(head.starts_with("http/1.1 204") && !head.contains("content-length"), "{head}");
    client.send("GET /next HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.answer().await.1, "/next");
}

#[tokio::test]
async fn a_bad_head_is_answered_with_400() {
    let edge = TestEdge::start(by_path);
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(2 << 20));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(1000));
    for request in [
        "nonsense\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: many\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n",
        many.as_str(),
        long.as_str(),
    ] {
        let mut client = edge.connect().await;
        // The edge may close before it has read all of a long head.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut client.0, request.as_bytes()).await;
        let answer = client.rest().await;
        let shown = &request[..request.len().min(80)];
        assert!(answer.starts_with("HTTP/1.1 400 "), "{shown:?}: {answer:?}");
    }
    let mut client = edge.connect().await;
    client.send("GET /fine HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.answer().await.1, "/fine");
}

#[tokio::test]
async fn a_head_cut_off_is_no_request() {
    let edge = TestEdge::start(|_| async { panic!("no request was made") });
    let mut client = edge.connect().await;
    client.send("GET / HTTP/1.1\r\nhost:").await;
    tokio::io::AsyncWriteExt::shutdown(&mut client.0).await.expect("half close");
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_panic_is_one_requests_problem() {
    let edge = TestEdge::start(by_path);
    let mut other = edge.connect().await;
    other.send("POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab").await;
    let mut client = edge.connect().await;
    client.send("GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(client.rest().await.starts_with("HTTP/1.1 500 "));
    other.send("cde").await;
    assert_eq!(other.answer().await.1, "abcde");
}

#[tokio::test]
async fn a_broken_off_answer_does_not_look_complete() {
    let edge = TestEdge::start(by_path);
    let mut client = edge.connect().await;
    client.send("GET /broken HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await;
    assert_eq!(client.rest().await, "3\r\none\r\n");
    let mut client = edge.connect().await;
    client.send("GET /short HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await;
    assert_eq!(client.rest().await, "one");
}

#[tokio::test]
async fn chunked_bodies_are_read_and_bad_chunks_told() {
    let edge = TestEdge::start(by_path);
    let mut client = edge.connect().await;
    let head = "POST /read HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    client.send(head).await;
    client.send("3\r\nabc\r\n").await;
    client.send("2\r\nde\r\n0\r\n\r\n").await;
    let (head_of_answer, body) = client.answer().await;
    assert_eq!(body, "abcde");
    assert!(head_of_answer.contains("connection: keep-alive"));
    client.send(head).await;
    client.send("zz\r\nabc\r\n").await;
    let (head, body) = client.answer().await;
    assert!(head.starts_with("http/1.1 400"), "{head}");
    assert!(body.starts_with("the request body is malformed"), "{body}");
}

#[tokio::test]
async fn nothing_behind_a_malformed_body_is_taken_for_a_request() {
    let edge = TestEdge::start(by_path);
    let extension = format!("3;{}", "x".repeat(40_000));
    for malformed in ["zz\r\n", "-1\r\n", "3\r\nabcXX", "ffffffffffffffffff\r\n", &extension] {
        let mut client = edge.connect().await;
        let head = "POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
        client.send(format!("{head}{malformed}")).await;
        // The edge may have closed the connection already, which is as well.
        let hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";
        let _ = tokio::io::AsyncWriteExt::write_all(&mut client.0, hidden.repeat(2).as_bytes()).await;
        let (head, _) = client.answer().await;
        assert!(head.starts_with("http/1.1 400"), "{head}");
        assert!(head.contains("connection: close"), "{head}");
        assert_eq!(client.rest().await, "", "behind {} bytes", malformed.len());
    }
}

#[tokio::test]
async fn a_body_cut_off_is_an_error_of_the_body() {
    let edge = TestEdge::start(by_path);
    for head in ["content-length: 10\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n5\r\nabc"] {
        let mut client = edge.connect().await;
        client.send(format!("POST /read HTTP/1.1\r\nhost: a\r\n{head}")).await;
        tokio::io::AsyncWriteExt::shutdown(&mut client.0).await.expect("half close");
        let (head, body) = client.answer().await;
        assert!(head.starts_with("http/1.1 400"), "{head}");
        assert_eq!(body, "the request body was cut off");
    }
}

#[tokio::test]
async fn go_on_is_said_when_the_body_is_wanted() {
    let edge = TestEdge::start(by_path);
    let mut client = edge.connect().await;
    let expect = "host: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n";
    client.send(format!("POST /read HTTP/1.1\r\n{expect}")).await;
    assert_eq!(client.head().await, "http/1.1 100 continue\r\n\r\n");
    client.send("abc").await;
    let (head, body) = client.answer().await;
    assert!(head.contains("connection: keep-alive"), "{head}");
    assert_eq!(body, "abc");
    // Nobody wants this one's body: the answer comes at once, and the connection cannot be kept.
    client.send(format!("POST /no HTTP/1.1\r\n{expect}")).await;
    let (head, body) = client.answer().await;
    assert!(head.starts_with("http/1.1 200") && head.contains("connection: close"), "{head}");
    assert_eq!(body, "/no");
}

#[tokio::test]
async fn a_short_unread_body_leaves_the_connection_usable() {
    let edge = TestEdge::start(by_path);
    let mut client = edge.connect().await;
    client.send("POST /one HTTP/1.1\r\nhost: a\r\ncontent-length: 20000\r\n\r\n").await;
    let (head, body) = client.answer().await;
    assert!(head.contains("connection: keep-alive"), "{head}");
    assert_eq!(body, "/one");
    client.send(vec![b'x'; 20_000]).await;
    client.send("GET /two HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.answer().await.1, "/two");
}

#[tokio::test]
async fn a_long_unread_body_does_not_destroy_the_answer() {
    let edge = TestEdge::start(by_path);
    let mut client = edge.connect().await;
    let length = 4 << 20;
    client.send(format!("POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n")).await;
    client.send(vec![b'x'; length]).await;
    let (head, body) = client.answer().await;
    assert!(head.contains("connection: close"), "{head}");
    assert_eq!(body, "/early");
}
