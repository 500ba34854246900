//! Node clients: everything between a plan ("ask these nodes this") and the nodes' answers.
//!
//! - [`Node`] is one Meilisearch server: a pool of keep-alive connections, its key, its health. It is a
//!   `tower::Service<http::Request<Body>>`, so tower's middleware goes around it.
//! - [`fan_out()`] asks several nodes at once and returns every outcome: a failure is data, never a lost error.
//! - [`cover()`] is a read in parts: another node is asked for a part whose own node is slow or fails.
//! - [`Health`] is what has been seen of a node lately, [`Latency`] how long it takes; [`Prober`] looks at the ones nobody
//!   talks to.

mod body;
mod connect;
mod cover;
mod error;
mod exchange;
mod fan_out;
mod fleet;
mod health;
mod latency;
mod node;
mod pool;
mod probe;
mod request;
mod slowness;
mod tls;
mod version;
mod witness;

pub use self::{
    body::{Body, PooledBody, full},
    connect::{Dial, Dialing, Stream},
    cover::{Instead, Judged, Part, Reading, Uncovered, cover},
    error::{BoxError, NodeError},
    fan_out::{Call, Outcome, fan_out, one_falls_silent},
    fleet::Fleet,
    health::{Health, HealthState},
    latency::Latency,
    node::{Node, NodeConfig},
    probe::{NEWEST_ENDED, Prober, probe},
    request::{Answer, NodeRequest},
    tls::{Tls, TlsError},
    version::{TooOld, check_version, check_versions},
    witness::Witness,
};
