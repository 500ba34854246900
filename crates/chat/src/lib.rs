//! A conversation with a model that searches: what the client asks, what the model is asked, what comes back. Pure.
//!
//! [`ChatRequest`] is a client's request, and once [`SearchTool`] is in it, the model's. The model's answer is a stream of
//! events, which [`EventReader`] takes apart into [`Chunk`]s. [`Conversation`] is told of each of them and says what is to
//! be done: send something on, search, ask the model again. [`Template`] puts what a search finds into words.
//!
//! ```text
//! bytes -> EventReader -> Chunk -> Conversation -> events for the client
//!                                       |  ^
//!                          ToolCall <---+  +--- Outcome (documents, text)
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod chunk;
mod conversation;
mod endpoint;
mod events;
mod fault;
mod request;
mod template;
mod tool;
mod words;

pub use self::{
    chunk::{Chunk, Usage},
    conversation::{Conversation, Outcome, SearchCall, Step, ToolCall},
    endpoint::{Endpoint, NoEndpoint},
    events::{DONE, EventReader, EventsError, RETRY, event},
    fault::Fault,
    request::ChatRequest,
    template::{Template, TemplateError},
    tool::{IndexAbout, Reports, SearchTool},
};
