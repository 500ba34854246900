//! Exchanges with a peer that writes what it is told.

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::{Connection, Failure};
use crate::{error::NodeError, pool::Keep, request::Answer};

const GET: &str = "GET / HTTP/1.1\r\n\r\n";

fn pair() -> (Connection<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(1 << 20);
    (Connection::new(near), far)
}

async fn ask(connection: &mut Connection<DuplexStream>, limit: usize) -> Result<Answer, Failure> {
    connection.exchange(BytesMut::from(GET), b"", limit).await
}

#[tokio::test]
async fn an_answer_may_be_cut_anywhere() {
    let plain = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nanswer";
    let informed = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nanswer";
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nan\r\n4\r\nswer\r\n0\r\nt: r\r\n\r\n";
    for text in [plain, informed, chunked] {
        for cut in 1..text.len() {
            let (mut near, mut far) = pair();
            let (first, second) = text.split_at(cut);
            let peer = async {
                far.write_all(first.as_bytes()).await.expect("room");
                tokio::task::yield_now().await;
                far.write_all(second.as_bytes()).await.expect("room");
            };
            let (answer, ()) = tokio::join!(ask(&mut near, 100), peer);
            assert_eq!(answer.expect("an answer").body, "answer", "cut at {cut} of {text:?}");
            assert!(!near.is_closed(), "cut at {cut} of {text:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_cut_short_is_a_failure() {
    for text in [
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nansw",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nanswer\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nanswer..",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nsix\r\n",
    ] {
        let (mut near, mut far) = pair();
        far.write_all(text.as_bytes()).await.expect("room");
        far.shutdown().await.expect("an end");
        let failure = ask(&mut near, 100).await.expect_err(text);
        assert!(matches!(failure.error, NodeError::Broken(_)), "{text}: {failure:?}");
        assert!(near.is_closed());
    }
}

#[tokio::test]
async fn a_connection_closed_before_any_answer_is_told_apart() {
    let (mut near, far) = pair();
    drop(far);
    assert!(ask(&mut near, 100).await.expect_err("no answer").unanswered);
    let (mut near, mut far) = pair();
    far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n").await.expect("room");
    drop(far);
    assert!(!ask(&mut near, 100).await.expect_err("half an answer").unanswered);
}

#[tokio::test]
async fn an_early_answer_is_read_though_the_request_could_not_be_sent() {
    let (near, mut far) = duplex(1 << 10);
    let mut near = Connection::new(near);
    far.write_all(b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 2\r\n\r\nno").await.expect("room");
    let peer = async {
        let mut some = [0; 16];
        far.read_exact(&mut some).await.expect("the start of the request");
        drop(far);
    };
    let body = vec![b' '; 1 << 16];
    let (answer, ()) = tokio::join!(near.exchange(BytesMut::from(GET), &body, 100), peer);
    assert_eq!(answer.expect("an answer").status, 413);
    assert!(near.is_closed());
}

#[tokio::test]
async fn what_nobody_asked_for_closes_the_connection() {
    let (mut near, mut far) = pair();
    far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("room");
    ask(&mut near, 100).await.expect("an answer");
    assert!(!near.is_closed());
    far.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").await.expect("room");
    assert!(near.is_closed());
}

#[tokio::test]
async fn an_answer_without_a_length_ends_with_the_connection() {
    let (mut near, mut far) = pair();
    far.write_all(b"HTTP/1.1 200 OK\r\n\r\nanswer").await.expect("room");
    drop(far);
    assert_eq!(ask(&mut near, 6).await.expect("an answer").body, "answer");
    assert!(near.is_closed());
}
