//! What belongs to the instance as a whole: its features, its chats, its metrics and its messages.

pub(crate) mod any_node;
pub(crate) mod backup;
pub(crate) mod chats;
pub(crate) mod chores;
pub(crate) mod export;
pub(crate) mod features;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod mirror;
pub(crate) mod render;
pub(crate) mod rules;

use miroir_protocol::error::{Code, ResponseError};

/// What is there in Meilisearch and cannot be right over several nodes, or is not there yet.
pub(crate) fn not_supported(why: impl Into<String>) -> ResponseError {
    ResponseError::new(Code::MiroirNotSupported, why)
}
