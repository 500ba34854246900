//! Meilisearch's API as types: requests, answers, errors, tasks, settings. No I/O.
//!
//! A request that Meilisearch v1.50 refuses is refused here with the same status, code and words; one that it takes
//! becomes a type that the rest of the program works with.

pub mod chats;
pub mod content_type;
pub mod document;
pub mod documents;
pub mod error;
pub mod export;
pub mod features;
pub mod index_uid;
pub mod indexes;
pub mod keys;
pub mod network;
pub mod operation;
pub mod parse;
pub mod rules;
pub mod search;
pub mod settings;
mod size;
pub mod stats;
pub mod swap;
pub mod tasks;
pub mod unequal;
pub mod webhooks;

pub use self::size::{exact as size_text, parsed as size_of_text};
pub use self::{
    error::{Code, ResponseError},
    index_uid::IndexUid,
    operation::Operation,
    search::SearchQuery,
    settings::Settings,
};
