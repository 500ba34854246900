//! What happens to a connection before its first request: it is counted, and its protocol found.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use pingora_core::{
    apps::{HttpServerApp, ServerApp},
    protocols::{Stream, l4::stream::Stream as TcpStream},
    server::ShutdownWatch,
};
use tokio::io::AsyncReadExt;
use tokio_util::task::TaskTracker;

use crate::app::begun;

/// The bytes every HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a new connection may take to show its protocol.
const FIRST_BYTES: Duration = Duration::from_secs(60);

/// Serves connections by one application, or by one of two where HTTP/2 is spoken in plain text.
pub(crate) struct Connections<A> {
    app: Arc<A>,
    h2c: Option<Arc<A>>,
    open: TaskTracker,
}

// === impl Connections ===

impl<A> Connections<A> {
    /// `open` counts the connections; `h2c` serves those that begin with HTTP/2's preface.
    pub(crate) fn new(app: A, h2c: Option<A>, open: TaskTracker) -> Self {
        Self { app: Arc::new(app), h2c: h2c.map(Arc::new), open }
    }
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> ServerApp for Connections<A> {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let _open = self.open.token();
        let Some(h2c) = &self.h2c else {
            return self.app.process_new(stream, shutdown).await;
        };
        let mut draining = shutdown.clone();
        let (stream, is_http2) = tokio::select! {
            found = tokio::time::timeout(FIRST_BYTES, find_preface(stream)) => found.ok()??,
            () = begun(&mut draining) => return None,
        };
        let app = if is_http2 { h2c } else { &self.app };
        app.process_new(stream, shutdown).await
    }
}

/// Reads as far as the bytes are HTTP/2's preface, and puts them back.
///
/// pingora's own look at the preface waits for all of its 24 bytes, and so forever for a short
/// HTTP/1.0 request.
async fn find_preface(stream: Stream) -> Option<(Stream, bool)> {
    let mut stream = stream.into_any().downcast::<TcpStream>().ok()?;
    let mut seen = [0; PREFACE.len()];
    let mut length = 0;
    while length < PREFACE.len() && PREFACE.starts_with(&seen[..length]) {
        match stream.read(&mut seen[length..]).await {
            Ok(0) | Err(_) => break,
            Ok(read) => length += read,
        }
    }
    stream.rewind(&seen[..length]);
    Some((stream, seen == PREFACE))
}
