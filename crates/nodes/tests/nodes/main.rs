//! Node clients against servers that misbehave on purpose.

mod connections;
mod fleet;
mod server;
