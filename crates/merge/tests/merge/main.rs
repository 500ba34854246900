//! The merge as a whole, on generated answers.
#![allow(clippy::unwrap_used)]

mod any_bytes;
mod model;
mod partition;
