//! Node clients against servers that misbehave on purpose.

mod connections;
mod cover;
mod fleet;
mod server;
mod tls;
