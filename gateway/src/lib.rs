//! The gateway: one Meilisearch endpoint over a fleet of nodes.
//!
//! A request's way: the listener (`server`) → the `stack` of filters → the `routes` → a `read` (planned, scattered,
//! merged) or a `write` (checked, logged, answered with its task).

mod access;
mod admin;
mod answer;
mod app;
mod chat;
pub mod commands;
mod fleet;
mod instance;
mod intake;
mod keys;
mod outside;
mod pass;
mod read;
mod rescue;
mod room;
mod routes;
pub mod server;
mod stack;
mod state;
mod telemetry;
mod transfer;
mod version;
mod webhooks;
mod write;
