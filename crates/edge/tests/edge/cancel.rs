//! A client that leaves cancels the work done for it.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::common::{Alive, TestEdge, all_dropped, within};
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use miroir_edge::RequestBody;
use tokio::{
    sync::{
        Notify,
        mpsc::{Receiver, channel},
    },
    time::timeout,
};

/// An edge whose service holds on to its request and never answers.
struct Thinking {
    edge: TestEdge,
    begun: Arc<Notify>,
    dropped: Receiver<Infallible>,
}

fn thinking() -> Thinking {
    let (alive, dropped) = channel(1);
    let alive = Mutex::new(Some(Alive(alive)));
    let begun = Arc::new(Notify::new());
    let service = Arc::new((alive, begun.clone()));
    let edge = TestEdge::start(move |request: Request<RequestBody>| {
        let (alive, begun) = &*service;
        let held = (alive.lock().expect("no panic").take(), request);
        begun.notify_one();
        async move {
            let _held = held;
            std::future::pending().await
        }
    });
    Thinking { edge, begun, dropped }
}

async fn is_cancelled(request: &[u8]) {
    let Thinking { edge, begun, mut dropped } = thinking();
    let mut client = edge.connect().await;
    client.send(request).await;
    within(begun.notified()).await;
    let waiting = timeout(Duration::from_millis(100), dropped.recv()).await;
    assert!(waiting.is_err(), "cancelled while the client is there");
    drop(client);
    all_dropped(&mut dropped).await;
}

#[tokio::test]
async fn a_thinking_service_is_dropped() {
    is_cancelled(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
}

#[tokio::test]
async fn a_thinking_service_with_an_unread_body_is_dropped() {
    is_cancelled(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc").await;
}

#[tokio::test]
async fn a_thinking_service_with_half_a_body_is_dropped() {
    is_cancelled(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 30\r\n\r\nabc").await;
    is_cancelled(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab").await;
}

#[tokio::test]
async fn a_thinking_service_that_awaits_the_body_is_dropped() {
    let head = b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n";
    is_cancelled(head).await;
}

#[tokio::test]
async fn an_answer_that_waits_for_its_next_piece_is_dropped() {
    let (alive, mut dropped) = channel(1);
    let slot = Arc::new(Mutex::new(Some(Alive(alive))));
    let edge = TestEdge::start(move |_| {
        let alive = slot.lock().expect("no panic").take();
        let frames = stream::unfold((0, alive), |(piece, alive)| async move {
            if piece > 0 {
                std::future::pending::<()>().await;
            }
            let frame = Frame::data(bytes::Bytes::from_static(b"first"));
            Some((Ok(frame), (piece + 1, alive)))
        });
        async { Response::new(StreamBody::new(frames).boxed_unsync()) }
    });
    let mut client = edge.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await;
    client.text(10).await;
    drop(client);
    all_dropped(&mut dropped).await;
}

#[tokio::test]
async fn stopping_the_edge_drops_everything() {
    let Thinking { edge, begun, mut dropped } = thinking();
    let mut client = edge.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    within(begun.notified()).await;
    edge.shutdown.stop();
    edge.ended().await.expect("a clean end");
    all_dropped(&mut dropped).await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn an_edge_stopped_before_it_ran_listens_no_more() {
    let edge = TestEdge::start(|_| async { crate::common::answer("") });
    let address = edge.address;
    edge.shutdown.stop();
    edge.ended().await.expect("a clean end");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
