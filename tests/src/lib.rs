//! The whole system under test: the gateway as a process of its own, in front of real nodes, asked as a client asks.
//!
//! ```no_run
//! use serde_json::json;
//!
//! # let program = "miroir";
//! let mut cluster = miroir_tests::cluster(program).nodes(3).groups(2).start();
//! let client = cluster.client();
//! client.post("/indexes/films/documents?primaryKey=id").json(&json!([{ "id": 1 }])).succeeds();
//! cluster.gateway().kill();
//! ```
//!
//! The nodes are embedded ones, or real Meilisearch servers where `MEILISEARCH_BIN` names the program. `MIROIR_BIN` names
//! another program of the gateway, one that is built for speed.

mod client;
mod cluster;
mod dice;
mod gateway;
mod link;
mod machine;
mod network;
mod nodes;
mod process;
mod runtime;
mod wait;

pub mod data;
pub mod difference;
pub mod load;
pub mod model;

pub use self::{
    client::{Answer, Client, Request, Unreachable},
    cluster::{Builder, Cluster, MASTER_KEY, cluster},
    dice::Dice,
    gateway::Gateway,
    link::{Fault, Link},
    machine::Machine,
    network::Network,
    nodes::{Node, lone_node},
    wait::{DEADLINE, eventually, eventually_within},
};

/// A number from the environment, or the default.
pub fn from_environment<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
