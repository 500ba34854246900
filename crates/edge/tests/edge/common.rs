//! An edge in this process, and a client that speaks raw bytes.

use std::{
    convert::Infallible,
    net::SocketAddr,
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use miroir_edge::{BoxError, Edge, EdgeConfig, EdgeError, Listener, RequestBody, Shutdown};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The longest any single step of a test may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The body every test service answers with.
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// An answer of known bytes.
pub(crate) fn answer(bytes: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync())
}

/// An edge that runs until the value is dropped.
pub(crate) struct TestEdge {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: Shutdown,
    thread: Option<JoinHandle<Result<(), EdgeError>>>,
}

impl TestEdge {
    /// Serves by `service` on a plain HTTP/1.1 listener.
    pub(crate) fn start<F, R>(service: F) -> Self
    where
        F: Fn(Request<RequestBody>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Answer> + Send + 'static,
    {
        let listener = Listener::plain(([127, 0, 0, 1], 0).into());
        Self::start_with(EdgeConfig::default(), listener, service)
    }

    /// Serves by `service` on the given listener.
    pub(crate) fn start_with<F, R>(config: EdgeConfig, listener: Listener, service: F) -> Self
    where
        F: Fn(Request<RequestBody>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Answer> + Send + 'static,
    {
        let mut edge = Edge::new(config).expect("edge");
        let binding = edge.bind(&[listener]).expect("free port");
        let address = binding.addresses()[0];
        edge.attach(
            binding,
            tower::service_fn(move |request| {
                let answer = service(request);
                async move { Ok::<_, Infallible>(answer.await) }
            }),
        );
        let shutdown = Shutdown::new();
        let handle = shutdown.clone();
        let thread = thread::spawn(move || edge.run(&handle));
        Self { address, shutdown, thread: Some(thread) }
    }

    /// A connection to the edge.
    pub(crate) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.expect("edge accepts"))
    }

    /// Waits until the edge has ended.
    pub(crate) async fn ended(mut self) -> Result<(), EdgeError> {
        let thread = self.thread.take().expect("taken once");
        within(async {
            while !thread.is_finished() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        thread.join().expect("edge does not panic")
    }
}

impl Drop for TestEdge {
    fn drop(&mut self) {
        self.shutdown.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A client that speaks raw bytes.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within(self.0.write_all(bytes.as_ref())).await.expect("edge reads");
    }

    /// Reads an answer's head, up to and with the blank line.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = within(self.0.read_u8()).await;
            head.push(
                byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&head))),
            );
        }
        String::from_utf8(head).expect("text").to_lowercase()
    }

    /// Reads an answer with a length.
    pub(crate) async fn answer(&mut self) -> (String, String) {
        let head = self.head().await;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().expect("number"));
        (head, self.text(length).await)
    }

    /// Reads so many bytes.
    pub(crate) async fn text(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        within(self.0.read_exact(&mut bytes)).await.expect("body");
        String::from_utf8(bytes).expect("text")
    }

    /// Reads until the edge closes the connection; a reset counts as an end.
    pub(crate) async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let _ = within(self.0.read_to_end(&mut bytes)).await;
        String::from_utf8(bytes).expect("text")
    }
}

/// Fails the test if the future takes too long.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}

/// Reads a request's body to its end.
pub(crate) async fn read(request: Request<RequestBody>) -> Result<Bytes, miroir_edge::BodyError> {
    request.into_body().collect().await.map(http_body_util::Collected::to_bytes)
}

/// Tells, by its other end, that it was dropped.
pub(crate) struct Alive(
    #[allow(dead_code, reason = "dropping it is the message")]
    pub(crate)  tokio::sync::mpsc::Sender<Infallible>,
);

/// Waits until every [`Alive`] of the channel is dropped.
pub(crate) async fn all_dropped(receiver: &mut tokio::sync::mpsc::Receiver<Infallible>) {
    assert!(within(receiver.recv()).await.is_none());
}
