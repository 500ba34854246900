//! Reads: planned, scattered, merged.

pub(crate) mod documents;
mod filter;
pub(crate) mod scatter;
pub(crate) mod search;
pub(crate) mod stats;
mod targets;
mod visibility;
