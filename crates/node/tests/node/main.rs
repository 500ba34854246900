//! The node as its clients see it, over HTTP.

mod common;
mod documents;
mod reads;
mod search;
mod service;
mod settings;
mod tasks;
