//! Meilisearch's HTTP API.

mod api;
mod auth;
mod body;
mod chats;
mod documents;
mod features;
mod indexes;
mod reply;
mod router;
mod search;
mod service;
mod settings;
mod stats;
mod tasks;

pub(crate) use self::api::Api;
pub(crate) use self::router::router;
