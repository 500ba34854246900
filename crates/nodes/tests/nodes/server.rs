//! A server that does on each request exactly what a test says, byte by byte.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Uri;
use miroir_nodes::{Node, NodeConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What the server does with a request it has read.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Answers 200 with this body and keeps the connection.
    Body(&'static str),
    /// The same, after a while.
    Late(Duration, &'static str),
    /// Answers 200 in chunks of unknown total length and keeps the connection.
    Chunked(&'static [&'static str]),
    /// Answers, and closes the connection a moment later as an idle one.
    BodyThenClose(&'static str),
    /// Closes the connection without a word.
    Close,
    /// Sends the head and a part of the body, then nothing more.
    Half,
    /// Says nothing and keeps the connection.
    Hang,
    /// Answers before the request's body has been read, and never reads it.
    Early(&'static str),
}

/// A request as it arrived: the connection it came on, and its text.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) connection: usize,
    pub(crate) text: String,
}

/// The server. It ends with its runtime.
pub(crate) struct Server {
    pub(crate) address: String,
    seen: watch::Receiver<Vec<Seen>>,
    closed: watch::Receiver<usize>,
}

/// Starts a server that answers the n-th request, over all connections, with what `script` says.
pub(crate) async fn server(script: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let (seen_sender, seen) = watch::channel(Vec::new());
    let (closed_sender, closed) = watch::channel(0);
    let state = Arc::new((script, seen_sender, closed_sender, AtomicUsize::new(0)));
    tokio::spawn(async move {
        let mut connection = 0;
        while let Ok((stream, _)) = listener.accept().await {
            let state = state.clone();
            tokio::spawn(async move {
                let (script, seen, closed, count) = &*state;
                serve(stream, |text, whole| {
                    let request = Seen { connection, text };
                    // Only the first look at a request counts; the second comes with its body.
                    let reply = script(count.load(Ordering::SeqCst), &request);
                    if whole || matches!(reply, Reply::Early(_)) {
                        count.fetch_add(1, Ordering::SeqCst);
                        seen.send_modify(|seen| seen.push(request));
                    }
                    reply
                })
                .await;
                closed.send_modify(|closed| *closed += 1);
            });
            connection += 1;
        }
    });
    Server { address, seen, closed }
}

async fn serve(mut stream: TcpStream, script: impl Fn(String, bool) -> Reply) {
    while let Some((head, length)) = read_head(&mut stream).await {
        if let Reply::Early(body) = script(head.clone(), false) {
            let _ = stream.write_all(answer(body).as_bytes()).await;
            std::future::pending::<()>().await;
        }
        let mut body = vec![0; length];
        if head.contains("\r\ntransfer-encoding: chunked\r\n") || stream.read_exact(&mut body).await.is_err()
        {
            // Only broken bodies come in chunks here.
            let _ = stream.read_to_end(&mut body).await;
            return;
        }
        let text = head + &String::from_utf8_lossy(&body);
        let written = match script(text, true) {
            Reply::Body(body) => stream.write_all(answer(body).as_bytes()).await,
            Reply::Late(after, body) => {
                tokio::time::sleep(after).await;
                stream.write_all(answer(body).as_bytes()).await
            }
            Reply::Chunked(chunks) => {
                let mut text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
                for chunk in chunks {
                    text += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
                }
                stream.write_all((text + "0\r\n\r\n").as_bytes()).await
            }
            Reply::BodyThenClose(body) => {
                let _ = stream.write_all(answer(body).as_bytes()).await;
                return;
            }
            Reply::Half => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await,
            Reply::Hang => Ok(()),
            Reply::Close | Reply::Early(_) => return,
        };
        if written.is_err() {
            return;
        }
    }
}

fn answer(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A request's head, and how long its body is.
async fn read_head(stream: &mut TcpStream) -> Option<(String, usize)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    Some((head, length.unwrap_or(0)))
}

impl Server {
    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    /// On which connections the requests came.
    pub(crate) fn connections(&self) -> Vec<usize> {
        self.seen.borrow().iter().map(|seen| seen.connection).collect()
    }

    /// Waits until so many requests have arrived.
    pub(crate) async fn wait_seen(&self, count: usize) {
        let mut seen = self.seen.clone();
        deadline(seen.wait_for(|seen| seen.len() >= count)).await.expect("the server runs");
    }

    /// Waits until so many connections are closed.
    pub(crate) async fn wait_closed(&self, count: usize) {
        let mut closed = self.closed.clone();
        deadline(closed.wait_for(|closed| *closed >= count)).await.expect("the server runs");
    }

    /// A client of the server.
    pub(crate) fn node(&self) -> Node {
        node("a", &self.address)
    }
}

pub(crate) fn node(name: &str, address: &str) -> Node {
    let config = NodeConfig {
        name: name.to_owned(),
        authority: address.to_owned(),
        key: Some("nodeKey".to_owned()),
        connect_timeout: Duration::from_secs(5),
        max_idle: 4,
        max_answer: 64,
    };
    Node::new(config).expect("a node")
}

/// An address where nothing listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").to_string()
}

pub(crate) fn path(path: &'static str) -> Uri {
    Uri::from_static(path)
}

/// Long enough for any machine; nothing waits for it unless it has failed.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) async fn deadline<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("in time")
}
