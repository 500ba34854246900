//! Health and version.

use serde_json::json;

use super::reply::{Reply, ok};

/// The version of the engine, which decides how the node behaves.
const ENGINE_VERSION: &str = "1.15.1";

pub(super) async fn health() -> Reply {
    ok(&json!({ "status": "available" }))
}

pub(super) async fn version() -> Reply {
    ok(&json!({ "commitSha": "unknown", "commitDate": "unknown", "pkgVersion": ENGINE_VERSION }))
}
