//! HTTP/2, in plain text and over TLS, and HTTP/1.1 over TLS.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::common::{Alive, TestEdge, all_dropped, answer, read, within};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use miroir_edge::{BoxError, EdgeConfig, Listener, RequestBody, Tls};
use pingora_core::tls::{
    ClientConfig, RootCertStore, ServerName, TlsConnector, install_default_crypto_provider, version,
};
use tokio::{net::TcpStream, sync::mpsc::channel};

type Body = BoxBody<Bytes, BoxError>;

fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

fn h2c() -> Listener {
    Listener { http2: true, ..Listener::plain(([127, 0, 0, 1], 0).into()) }
}

async fn http2<IO>(io: IO) -> http2::SendRequest<Body>
where
    IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.expect("handshake");
    tokio::spawn(connection);
    sender
}

fn post(bytes: impl Into<Bytes>) -> Request<Body> {
    Request::post("http://a/").body(body(bytes)).expect("request")
}

async fn echo(request: Request<RequestBody>) -> crate::common::Answer {
    let version = request.version();
    let body = read(request).await.expect("whole body");
    answer(format!("{version:?} {}", body.len()))
}

#[tokio::test]
async fn plain_text_speaks_both_versions() {
    let edge = TestEdge::start_with(EdgeConfig::default(), h2c(), echo);
    let mut client = http2(TcpStream::connect(edge.address).await.expect("connect")).await;
    for length in [0, 10, 3_000_000] {
        let answer = within(client.send_request(post(vec![b'x'; length]))).await.expect("answer");
        assert_eq!(answer.version(), Version::HTTP_2);
        let text = within(answer.into_body().collect()).await.expect("body").to_bytes();
        assert_eq!(text, format!("HTTP/2.0 {length}"));
    }
    let mut client = edge.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.answer().await.1, "HTTP/1.1 0");
    // Shorter than HTTP/2's preface.
    let mut client = edge.connect().await;
    client.send("GET / HTTP/1.0\r\n\r\n").await;
    assert!(client.rest().await.ends_with("HTTP/1.0 0"));
}

#[tokio::test]
async fn a_slow_reader_stalls_the_producer() {
    let produced = Arc::new(AtomicUsize::new(0));
    let counter = produced.clone();
    let edge = TestEdge::start_with(EdgeConfig::default(), h2c(), move |_| {
        let counter = counter.clone();
        let frames = stream::repeat_with(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(Frame::data(Bytes::from_static(&[b'x'; 16 * 1024])))
        });
        async { Response::new(StreamBody::new(frames).boxed_unsync()) }
    });
    let mut client = http2(TcpStream::connect(edge.address).await.expect("connect")).await;
    let answer = within(client.send_request(post(""))).await.expect("answer");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let stalled = produced.load(Ordering::SeqCst);
    assert!(stalled < 1000, "{stalled} pieces were produced for a reader that sleeps");
    drop(answer);
}

#[tokio::test]
async fn a_reset_drops_the_thinking_service_and_leaves_its_neighbours() {
    let (alive, mut dropped) = channel(1);
    let slot = Arc::new(std::sync::Mutex::new(Some(Alive(alive))));
    let edge = TestEdge::start_with(EdgeConfig::default(), h2c(), move |request| {
        let alive = slot.lock().expect("no panic").take();
        async move {
            let _held = request;
            if alive.is_some() {
                let _held = alive;
                return std::future::pending().await;
            }
            answer("here")
        }
    });
    let mut client = http2(TcpStream::connect(edge.address).await.expect("connect")).await;
    // The body has not ended and is not read: only the reset can tell.
    let (hold, held) = channel::<Result<Frame<Bytes>, BoxError>>(1);
    hold.send(Ok(Frame::data(Bytes::from_static(b"begun")))).await.expect("room");
    let frames = stream::unfold(held, |mut held| async { Some((held.recv().await?, held)) });
    let request = Request::post("http://a/").body(BodyExt::boxed(StreamBody::new(Box::pin(frames))));
    let first = client.send_request(request.expect("request"));
    let given_up = tokio::time::timeout(Duration::from_millis(200), first).await;
    assert!(given_up.is_err(), "answered");
    all_dropped(&mut dropped).await;
    let answer = within(client.send_request(post(""))).await.expect("answer");
    assert_eq!(answer.into_body().collect().await.expect("body").to_bytes(), "here");
}

#[tokio::test]
async fn a_drain_lets_streams_finish() {
    let edge = TestEdge::start_with(EdgeConfig::default(), h2c(), |_| async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        answer("finished")
    });
    let mut client = http2(TcpStream::connect(edge.address).await.expect("connect")).await;
    let asked = tokio::spawn(client.send_request(post("")));
    tokio::time::sleep(Duration::from_millis(200)).await;
    edge.shutdown.drain();
    let answer = within(asked).await.expect("no panic").expect("answer");
    let text = within(answer.into_body().collect()).await.expect("body").to_bytes();
    assert_eq!(text, "finished");
    // The client keeps its end open; it is the edge that closes.
    edge.ended().await.expect("a clean end");
    drop(client);
}

#[tokio::test]
async fn trailers_reach_the_client() {
    let edge = TestEdge::start_with(EdgeConfig::default(), h2c(), |_| async {
        let mut trailers = HeaderMap::new();
        trailers.insert("checksum", http::HeaderValue::from_static("1"));
        let frames = [Ok(Frame::data(Bytes::from_static(b"data"))), Ok(Frame::trailers(trailers))];
        Response::new(StreamBody::new(stream::iter(frames)).boxed_unsync())
    });
    let mut client = http2(TcpStream::connect(edge.address).await.expect("connect")).await;
    let answer = within(client.send_request(post(""))).await.expect("answer");
    let body = within(answer.into_body().collect()).await.expect("body");
    assert_eq!(body.trailers().expect("trailers")["checksum"], "1");
}

#[tokio::test]
async fn a_broken_off_answer_does_not_look_complete() {
    let edge = TestEdge::start_with(EdgeConfig::default(), h2c(), |_| async {
        let frames = [Ok(Frame::data(Bytes::from_static(b"data"))), Err("broken".into())];
        Response::new(StreamBody::new(stream::iter(frames)).boxed_unsync())
    });
    let mut client = http2(TcpStream::connect(edge.address).await.expect("connect")).await;
    let answer = within(client.send_request(post(""))).await;
    let whole = match answer {
        Ok(answer) => within(answer.into_body().collect()).await.is_ok(),
        Err(_) => false,
    };
    assert!(!whole);
}

#[tokio::test]
async fn an_early_answer_does_not_wait_for_the_body() {
    let edge = TestEdge::start_with(EdgeConfig::default(), h2c(), |_| async { answer("early") });
    let mut client = http2(TcpStream::connect(edge.address).await.expect("connect")).await;
    for _ in 0..3 {
        let answer = within(client.send_request(post(vec![b'x'; 4 << 20]))).await.expect("answer");
        let text = within(answer.into_body().collect()).await.expect("body").to_bytes();
        assert_eq!(text, "early");
    }
}

/// A certificate for `localhost`, its files, and a client that trusts it.
fn certificate(directory: &Path) -> (Tls, ClientConfig) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("certificate");
    let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("write");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("write");
    install_default_crypto_provider();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("root");
    let client = ClientConfig::builder_with_protocol_versions(&[&version::TLS13])
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Tls { certificate, key }, client)
}

#[tokio::test]
async fn tls_speaks_the_version_that_was_agreed_on() {
    let directory = tempfile::tempdir().expect("directory");
    let (tls, mut trust) = certificate(directory.path());
    let listener = Listener { tls: Some(tls), ..h2c() };
    let edge = TestEdge::start_with(EdgeConfig::default(), listener, echo);
    let name = ServerName::try_from("localhost").expect("name");

    trust.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let tcp = TcpStream::connect(edge.address).await.expect("connect");
    let connector = TlsConnector::from(Arc::new(trust.clone()));
    let stream = within(connector.connect(name.clone(), tcp)).await.expect("handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut client = http2(stream).await;
    let answer = within(client.send_request(post(vec![b'x'; 200_000]))).await.expect("answer");
    assert_eq!(answer.into_body().collect().await.expect("body").to_bytes(), "HTTP/2.0 200000");

    trust.alpn_protocols = Vec::new();
    let tcp = TcpStream::connect(edge.address).await.expect("connect");
    let connector = TlsConnector::from(Arc::new(trust));
    let stream = within(connector.connect(name, tcp)).await.expect("handshake");
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.expect("handshake");
    tokio::spawn(connection);
    for length in [0, 200_000] {
        let mut request = post(vec![b'x'; length]);
        *request.uri_mut() = "/".parse().expect("path");
        let answer = within(client.send_request(request)).await.expect("answer");
        let text = within(answer.into_body().collect()).await.expect("body").to_bytes();
        assert_eq!(text, format!("HTTP/1.1 {length}"));
    }
}

#[test]
fn unusable_certificates_are_errors_before_anything_runs() {
    let directory = tempfile::tempdir().expect("directory");
    let (good, _) = certificate(directory.path());
    let other = directory.path().join("other");
    std::fs::create_dir(&other).expect("directory");
    let (stranger, _) = certificate(&other);
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "").expect("write");
    for (certificate, key) in [
        (good.certificate.clone(), stranger.key),
        (good.certificate.clone(), good.certificate.clone()),
        (good.certificate.clone(), directory.path().join("missing.pem")),
        (empty, good.key),
    ] {
        let mut edge = miroir_edge::Edge::new(EdgeConfig::default()).expect("edge");
        let listener = Listener { tls: Some(Tls { certificate, key }), ..h2c() };
        let Err(error) = edge.bind(&[listener]) else { panic!("an unusable certificate was used") };
        assert!(error.to_string().starts_with("cannot use certificate "), "{error}");
    }
}
