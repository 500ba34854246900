//! Bodies stream both ways, and the slower side sets the pace.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use crate::common::{TestEdge, answer, within};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use miroir_edge::{BoxError, EdgeConfig, Listener, RequestBody};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Semaphore,
};

const PIECE: usize = 64 * 1024;

/// Pieces of that many bytes without end; counts how many were asked for.
struct Endless(Arc<AtomicUsize>, usize);

impl Body for Endless {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; PIECE]).slice(..self.1)))))
    }
}

/// Waits until the counter stands still.
async fn settled(counter: &AtomicUsize) -> usize {
    let mut before = counter.load(Ordering::SeqCst);
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = counter.load(Ordering::SeqCst);
        if now == before && now > 0 {
            return now;
        }
        before = now;
    }
}

#[tokio::test]
async fn a_slow_reader_stalls_the_producer() {
    let produced = Arc::new(AtomicUsize::new(0));
    let counter = produced.clone();
    let edge = TestEdge::start(move |_| {
        let endless = Endless(counter.clone(), PIECE);
        async move { Response::new(endless.boxed_unsync()) }
    });
    let mut client = edge.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await;
    let stalled = within(settled(&produced)).await;
    // What is on its way lies in the two sockets' buffers, nowhere else.
    assert!(stalled * PIECE < 32 << 20, "{stalled} pieces were produced for a reader that sleeps");
    client.text(stalled * PIECE + (2 << 20)).await;
    assert!(within(settled(&produced)).await > stalled);
}

#[tokio::test]
async fn who_reads_nothing_of_an_answer_for_long_loses_the_connection() {
    let config = EdgeConfig { stalled: Duration::from_millis(300), ..EdgeConfig::default() };
    let produced = Arc::new(AtomicUsize::new(0));
    let counter = produced.clone();
    let edge = TestEdge::start_with(config, Listener::plain(([127, 0, 0, 1], 0).into()), move |_| {
        let endless = Endless(counter.clone(), 256);
        async move { Response::new(endless.boxed_unsync()) }
    });
    let mut client = edge.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await;
    let stalled = within(settled(&produced)).await;
    let mut rest = Vec::new();
    // The end of the answer is missing; the connection may be reset.
    let _ = within(client.0.read_to_end(&mut rest)).await;
    assert!(rest.len() < 32 << 20 && !rest.ends_with(b"0\r\n\r\n"), "{} bytes", rest.len());
    assert_eq!(produced.load(Ordering::SeqCst), stalled, "nothing was produced for it any more");
}

#[tokio::test]
async fn a_slow_service_stalls_the_client() {
    let gate = Arc::new(Semaphore::new(0));
    let open = gate.clone();
    let edge = TestEdge::start(move |mut request: Request<RequestBody>| {
        let gate = open.clone();
        async move {
            let mut read = 0;
            let _open = gate.acquire().await;
            while let Some(frame) = request.body_mut().frame().await {
                read += frame.expect("whole body").into_data().expect("data").len();
            }
            answer(read.to_string())
        }
    });
    let total = 64 << 20;
    let mut client = edge.connect().await;
    client.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {total}\r\n\r\n")).await;
    let written = Arc::new(AtomicUsize::new(0));
    let counter = written.clone();
    let (mut reading, mut writing) = client.0.into_split();
    let upload = tokio::spawn(async move {
        let piece = [b'x'; PIECE];
        for _ in 0..total / PIECE {
            writing.write_all(&piece).await.expect("edge reads");
            counter.fetch_add(PIECE, Ordering::SeqCst);
        }
        writing
    });
    let stalled = within(settled(&written)).await;
    assert!(stalled < 32 << 20, "{stalled} bytes went to a service that sleeps");
    gate.add_permits(1);
    let _writing = within(upload).await.expect("upload");
    let mut start = [0; 12];
    within(tokio::io::AsyncReadExt::read_exact(&mut reading, &mut start)).await.expect("answer");
    assert_eq!(&start, b"HTTP/1.1 200");
}

#[tokio::test]
async fn the_answer_may_begin_before_the_request_ends() {
    let edge = TestEdge::start(|request: Request<RequestBody>| async {
        Response::new(request.into_body().map_err(Into::into).boxed_unsync())
    });
    let mut client = edge.connect().await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await;
    client.send("3\r\none\r\n").await;
    client.head().await;
    assert_eq!(client.text(8).await, "3\r\none\r\n");
    client.send("5\r\ntwo!!\r\n").await;
    assert_eq!(client.text(10).await, "5\r\ntwo!!\r\n");
    client.send("0\r\n\r\n").await;
    assert_eq!(client.text(5).await, "0\r\n\r\n");
    // And the connection is fit for the next one.
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nok").await;
    assert_eq!(client.answer().await.1, "ok");
}

#[tokio::test]
async fn a_body_moved_to_another_task_is_fed_and_told_of_its_end() {
    let (sender, mut results) = tokio::sync::mpsc::channel(1);
    let edge = TestEdge::start(move |request: Request<RequestBody>| {
        let sender = sender.clone();
        async move {
            tokio::spawn(async move {
                let read = request.into_body().collect().await;
                let _ = sender.send(read.map(|body| body.to_bytes().len())).await;
            });
            std::future::pending().await
        }
    });
    let mut client = edge.connect().await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n").await;
    client.send(vec![b'x'; 1_000_000]).await;
    assert_eq!(within(results.recv()).await, Some(Ok(1_000_000)));

    let mut client = edge.connect().await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nabc").await;
    drop(client);
    let cut_off = within(results.recv()).await.expect("a result");
    assert_eq!(cut_off, Err(miroir_edge::BodyError::CutOff));
}
