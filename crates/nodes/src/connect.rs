//! One new connection to a node.

use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{body::Body, error::NodeError, exchange::Connection, pool::Keep};

/// A connection for streamed bodies.
pub(crate) type Sender = http1::SendRequest<Body>;

/// A connection for whole answers.
pub(crate) type Asker = Connection<TcpStream>;

/// Connects to `authority` (`host:port`).
pub(crate) async fn connect(authority: &str, timeout: Duration) -> Result<Asker, NodeError> {
    Ok(Connection::new(open(authority, timeout).await?))
}

/// Connects to `authority` and starts hyper's HTTP/1.1 on the connection, whose task ends with it.
pub(crate) async fn connect_streaming(authority: &str, timeout: Duration) -> Result<Sender, NodeError> {
    let stream = open(authority, timeout).await?;
    let (sender, connection) =
        http1::Builder::new().handshake(TokioIo::new(stream)).await.map_err(NodeError::Http)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "node connection ended");
        }
    });
    Ok(sender)
}

async fn open(authority: &str, timeout: Duration) -> Result<TcpStream, NodeError> {
    let stream = tokio::time::timeout(timeout, TcpStream::connect(authority))
        .await
        .map_err(|_| NodeError::ConnectTimeout(timeout))?
        .map_err(NodeError::Connect)?;
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
