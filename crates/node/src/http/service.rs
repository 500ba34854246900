//! Health, version and features.

use serde_json::json;

use super::reply::{Reply, ok};

/// The version of the engine, which decides how the node behaves.
const ENGINE_VERSION: &str = "1.15.1";

/// Features that are off until they are switched on, and that this node does not have.
const FEATURES: [&str; 15] = [
    "metrics",
    "logsRoute",
    "editDocumentsByFunction",
    "containsFilter",
    "dynamicSearchRules",
    "network",
    "getTaskDocumentsRoute",
    "taskQueueCompactionRoute",
    "compositeEmbedders",
    "chatCompletions",
    "multimodal",
    "foreignKeys",
    "disableDocumentsFetchQueue",
    "legacySearch",
    "renderRoute",
];

pub(super) async fn health() -> Reply {
    ok(&json!({ "status": "available" }))
}

pub(super) async fn version() -> Reply {
    ok(&json!({ "commitSha": "unknown", "commitDate": "unknown", "pkgVersion": ENGINE_VERSION }))
}

pub(super) async fn features() -> Reply {
    let features: serde_json::Map<_, _> =
        FEATURES.iter().map(|name| ((*name).to_owned(), json!(false))).collect();
    ok(&features)
}
