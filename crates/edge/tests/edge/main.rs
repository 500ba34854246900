//! An edge on real sockets, and clients that behave and misbehave.

mod cancel;
mod common;
mod http1;
mod http2;
mod lifecycle;
mod streaming;
