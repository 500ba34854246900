//! The official Rust client against a running gateway; see `tests/sdk.rs`.
