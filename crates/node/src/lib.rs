//! An embedded Meilisearch-compatible node on Meilisearch's own engine, for development and tests.
//!
//! A [`Node`] answers Meilisearch's HTTP API from indexes below a directory. Writes become tasks in a queue that
//! survives the process; one thread works through it. The engine is `milli-core` 1.15, so that what later versions
//! of Meilisearch do differently is done as 1.15 does it.

mod config;
mod engine;
mod error;
mod features;
mod http;
mod node;
mod payload;
mod read;
mod scheduler;
mod search;
mod state;
mod store;

pub use self::config::NodeConfig;
pub use self::node::{Node, NodeError, NodeHandle};
