//! Runs a tower service on pingora's listeners.
//!
//! This is the only crate that names pingora. It takes pingora's listeners, TLS, HTTP/1 and HTTP/2
//! sessions and listening-socket hand-over, and gives each request to a plain
//! `tower_service::Service<http::Request<RequestBody>>`.
//!
//! What the service may rely on:
//! * **Bodies stream.** [`RequestBody`] holds at most 64 KiB that the service has not asked for; the
//!   response body is polled only when the client has taken what came before.
//! * **A client that goes away cancels the work.** The service's future and the response body are
//!   dropped, also while the future is still waiting for something else. (One case cannot be seen:
//!   an HTTP/1 client that leaves while more than 64 KiB of its body are unread, as the end of its
//!   connection is behind those bytes. It is seen as soon as the service reads on.) A client that
//!   leaves in the middle of its body is told to the service as a [`BodyError`]; the service has a
//!   second to answer a client that may have closed its sending half only, then it is dropped too.
//! * **A panic is one request's problem**: it is answered with 500, other requests go on.
//! * `100 Continue` is sent when the service first asks for the body.
//!
//! What the caller may rely on: everything that can fail (addresses, certificates, the upgrade
//! socket) fails in [`Edge::new`] or [`Edge::bind`], before anything runs; [`Edge::run`] blocks its
//! thread until the edge has drained, and may be called with or without a tokio runtime around. The edge has a
//! runtime of its own; a program with background tasks keeps a second one for them, so that a slow
//! task never holds up a request.
//!
//! ```no_run
//! use std::convert::Infallible;
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use miroir_edge::{EdgeConfig, Listener, RequestBody, Shutdown};
//!
//! let hello = tower::service_fn(|_: http::Request<RequestBody>| async {
//!     Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from_static(b"hello\n"))))
//! });
//! let listeners = [Listener::plain("127.0.0.1:7700".parse()?)];
//! miroir_edge::serve(EdgeConfig::default(), &listeners, hello, &Shutdown::on_signals())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod app;
mod body;
mod config;
mod connection;
mod edge;
mod error;
mod exchange;
mod feed;
mod framing;
mod intake;
mod request;
mod shutdown;
mod sockets;
mod tls;

pub use self::{
    body::{BodyError, RequestBody},
    config::{EdgeConfig, Listener, Tls},
    edge::{Binding, Edge, serve},
    error::EdgeError,
    request::PeerAddr,
    shutdown::Shutdown,
};

/// Any error of a service or body, as tower passes them on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
