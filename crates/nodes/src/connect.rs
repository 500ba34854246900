//! One new connection to a node.

use std::{
    io,
    pin::Pin,
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

/// What is connected to a node.
#[derive(Debug)]
pub(crate) enum Link {
    /// As it is.
    Plain(TcpStream),
    /// By TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects to `authority` (`host:port`).
pub(crate) async fn connect(
    authority: &str,
    tls: Option<&Tls>,
    timeout: Duration,
) -> Result<Asker, NodeError> {
    Ok(Connection::new(open(authority, tls, timeout).await?))
}

/// Connects to `authority` and starts hyper's HTTP/1.1 on the connection, whose task ends with it.
pub(crate) async fn connect_streaming(
    authority: &str,
    tls: Option<&Tls>,
    timeout: Duration,
) -> Result<Sender, NodeError> {
    let link = open(authority, tls, timeout).await?;
    let (sender, connection) =
        http1::Builder::new().handshake(TokioIo::new(link)).await.map_err(NodeError::Http)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "node connection ended");
        }
    });
    Ok(sender)
}

async fn open(authority: &str, tls: Option<&Tls>, timeout: Duration) -> Result<Link, NodeError> {
    let opening = async {
        let stream = TcpStream::connect(authority).await.map_err(NodeError::Connect)?;
        stream.set_nodelay(true).map_err(NodeError::Connect)?;
        Ok(match tls {
            Some(tls) => Link::Tls(Box::new(tls.connect(authority, stream).await?)),
            None => Link::Plain(stream),
        })
    };
    tokio::time::timeout(timeout, opening).await.map_err(|_| NodeError::ConnectTimeout(timeout))?
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
        }
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
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
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
