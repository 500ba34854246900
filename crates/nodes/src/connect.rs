//! One new connection to a node.

use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{body::Body, error::NodeError};

pub(crate) type Sender = http1::SendRequest<Body>;

/// Connects to `authority` (`host:port`) and starts HTTP/1.1 on the connection, whose task ends with it.
pub(crate) async fn connect(authority: &str, timeout: Duration) -> Result<Sender, NodeError> {
    let stream = tokio::time::timeout(timeout, TcpStream::connect(authority))
        .await
        .map_err(|_| NodeError::ConnectTimeout(timeout))?
        .map_err(NodeError::Connect)?;
    stream.set_nodelay(true).map_err(NodeError::Connect)?;
    let (sender, connection) =
        http1::Builder::new().handshake(TokioIo::new(stream)).await.map_err(NodeError::Http)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "node connection ended");
        }
    });
    Ok(sender)
}
