//! One new connection to a node.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::{body::Body, error::NodeError, exchange::Connection, pool::Keep, tls::Tls};

/// A connection for streamed bodies.
pub(crate) type Sender = http1::SendRequest<Body>;

/// A connection for whole answers.
pub(crate) type Asker = Connection<Link>;

/// A connection that somebody else has made.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// A [`Stream`] that is being made.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// Makes connections to nodes in another way than by TCP: a simulated network, say.
pub trait Dial: fmt::Debug + Send + Sync + 'static {
    /// Connects to `authority` (`host:port`). Given up when the node's connect timeout has passed.
    fn dial(&self, authority: &str) -> Dialing;
}

/// How a node is reached.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    /// By TCP.
    Tcp,
    /// By TLS on TCP.
    Tls(Tls),
    /// By whatever this makes.
    Dialed(Arc<dyn Dial>),
}

/// What is connected to a node.
pub(crate) enum Link {
    /// By TCP.
    Plain(TcpStream),
    /// By TLS on TCP.
    Tls(Box<TlsStream<TcpStream>>),
    /// By another [`Dial`].
    Dialed(Box<dyn Stream>),
}

/// Connects to `authority` (`host:port`).
pub(crate) async fn connect(authority: &str, reach: &Reach, timeout: Duration) -> Result<Asker, NodeError> {
    Ok(Connection::new(open(authority, reach, timeout).await?))
}

/// Connects to `authority` and starts hyper's HTTP/1.1 on the connection, whose task ends with it.
pub(crate) async fn connect_streaming(
    authority: &str,
    reach: &Reach,
    timeout: Duration,
) -> Result<Sender, NodeError> {
    let link = open(authority, reach, timeout).await?;
    let (sender, connection) =
        http1::Builder::new().handshake(TokioIo::new(link)).await.map_err(NodeError::Http)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "node connection ended");
        }
    });
    Ok(sender)
}

async fn open(authority: &str, reach: &Reach, timeout: Duration) -> Result<Link, NodeError> {
    let opening = async {
        Ok(match reach {
            Reach::Tcp => Link::Plain(tcp(authority).await?),
            Reach::Tls(tls) => Link::Tls(Box::new(tls.connect(authority, tcp(authority).await?).await?)),
            Reach::Dialed(dial) => Link::Dialed(dial.dial(authority).await.map_err(NodeError::Connect)?),
        })
    };
    tokio::time::timeout(timeout, opening).await.map_err(|_| NodeError::ConnectTimeout(timeout))?
}

async fn tcp(authority: &str) -> Result<TcpStream, NodeError> {
    let stream = TcpStream::connect(authority).await.map_err(NodeError::Connect)?;
    stream.set_nodelay(true).map_err(NodeError::Connect)?;
    Ok(stream)
}

impl Keep for Sender {
    fn is_closed(&mut self) -> bool {
        Sender::is_closed(self)
    }

    /// Its task has to see the end of the last answer, which its reader saw first.
    fn is_ready(&self) -> bool {
        Sender::is_ready(self)
    }
}

// === impl Link ===

impl AsyncRead for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Dialed(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Dialed(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Dialed(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Dialed(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Dialed(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::Dialed(stream) => stream.is_write_vectored(),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Tls(_) => "Tls",
            Self::Dialed(_) => "Dialed",
        })
    }
}
