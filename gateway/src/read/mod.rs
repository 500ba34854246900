//! Reads: planned, scattered, merged.

mod asked;
pub(crate) mod content;
mod deep;
pub(crate) mod documents;
pub(crate) mod explain;
pub(crate) mod facet_search;
mod facets;
mod federated;
pub(crate) mod fields;
mod filter;
mod formatting;
mod grouped;
pub(crate) mod multi_search;
mod pins;
pub(crate) mod ranks;
pub(crate) mod remotes;
pub(crate) mod reserved;
pub(crate) mod scatter;
pub(crate) mod search;
pub(crate) mod similar;
mod sizes;
pub(crate) mod stats;
mod survey;
mod targets;
pub(crate) mod task_documents;
mod visibility;
pub(crate) mod whole;
