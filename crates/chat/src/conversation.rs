//! The conversation as a state machine: told of every piece of the model's answer, it says what is to be done.
//!
//! ```text
//!            +--------------------- ask the model (at most ROUNDS times) <--------+
//!            v                                                                    |
//!   chunk -> take -> Send: hand it on                                             |
//!                 -> Search: the calls are whole; for each begin, search, finish  |
//!                 -> Wait                                                         |
//!   end of the answer -> end -> Search, as above                                  |
//!                            -> Again ------------------- (it called tools) ------+
//!                            -> Over
//! ```

use std::collections::BTreeMap;

use miroir_protocol::error::ResponseError;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    chunk::{CallChunk, Chunk},
    fault::Fault,
    request::{ChatRequest, Function, Message, ToolCallMessage, ToolKind},
    tool::Reports,
    words::{APPEND, PROGRESS, SEARCH, SOURCES},
};

/// How often the model is asked in one conversation.
const ROUNDS: u32 = 20;
/// How many tools the model may call in one answer, and how long its arguments may be, in bytes.
const MOST_CALLS: usize = 128;
const MOST_ARGUMENTS: usize = 1 << 20;
/// How much may be found in one conversation, in bytes.
const MOST_FOUND: usize = 16 << 20;

/// A conversation under way.
#[derive(Debug)]
pub struct Conversation {
    request: ChatRequest,
    reports: Reports,
    new_id: fn() -> Uuid,
    rounds: u32,
    /// Calls that are coming in, by their place in the answer.
    calls: BTreeMap<u32, ToolCall>,
    /// The last piece of the answer: what is told to the client's program looks like it.
    last: Option<Chunk>,
    found: usize,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Send this event's data to the client.
    Send(String),
    /// Begin, search and finish each of these calls, in this order.
    Search(Vec<ToolCall>),
    /// Nothing yet.
    Wait,
    /// Ask the model again.
    Again,
    /// Nothing any more.
    Over,
}

/// A call of a tool by the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    id: String,
    name: String,
    arguments: String,
}

/// A search that the model wants.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SearchCall {
    /// In which index.
    pub index_uid: String,
    /// For which words.
    pub q: Option<String>,
    /// Among which documents.
    pub filter: Option<String>,
}

/// What a call came to.
#[derive(Debug)]
pub enum Outcome {
    /// Documents as the client may see them, and their text for the model. A search that does not fit the index finds
    /// none, and its text says why.
    Found {
        /// The documents.
        documents: Vec<Box<RawValue>>,
        /// The text.
        text: String,
    },
    /// The call makes no sense, for this reason.
    Unfit(String),
    /// The search failed.
    Failed(ResponseError),
}

#[derive(Serialize)]
struct Progress<'a> {
    call_id: &'a str,
    function_name: &'a str,
    function_arguments: &'a str,
}

#[derive(Serialize)]
struct Sources<'a> {
    call_id: &'a str,
    sources: &'a [Box<RawValue>],
}

// === impl Conversation ===

impl Conversation {
    /// The conversation that a request begins.
    pub fn new(request: ChatRequest, reports: Reports, new_id: fn() -> Uuid) -> Self {
        Self { request, reports, new_id, rounds: 0, calls: BTreeMap::new(), last: None, found: 0 }
    }

    /// The body that asks the model for its next answer.
    pub fn ask(&mut self) -> Vec<u8> {
        self.rounds += 1;
        self.last = None;
        self.request.to_json()
    }

    /// Takes a piece of the answer.
    pub fn take(&mut self, chunk: Chunk) -> Result<Step, Fault> {
        // One without choices says how many tokens it took, or what was filtered. Where an end was told before, it is the last.
        let Some(choice) = chunk.choices.first() else {
            let is_last = self.reason().is_some();
            return Ok(if is_last { Step::Over } else { Step::Wait });
        };
        let calls = choice.delta.tool_calls.as_deref().unwrap_or_default();
        let step = if !calls.is_empty() {
            for call in calls {
                self.collect(call)?;
            }
            Step::Wait
        } else if self.calls.is_empty() {
            Step::Send(chunk.to_json())
        } else {
            self.called()
        };
        self.last = Some(chunk);
        Ok(step)
    }

    /// The answer has ended.
    pub fn end(&mut self) -> Step {
        let is_asked_again = self.reason() == Some("tool_calls") && self.rounds < ROUNDS;
        // Some models end their answer with the piece that has the calls.
        match self.calls.is_empty() {
            false if is_asked_again => self.called(),
            _ if is_asked_again => Step::Again,
            _ => Step::Over,
        }
    }

    /// What the client's program is told before a call is answered.
    pub fn begin(&self, call: &ToolCall) -> Vec<String> {
        let mut events = Vec::new();
        if self.reports.progress {
            let progress = Progress {
                call_id: &call.id,
                function_name: &call.name,
                function_arguments: &call.arguments,
            };
            events.extend(self.telling(PROGRESS, &progress));
        }
        if self.reports.append {
            events.extend(self.telling(APPEND, &Message::called(vec![call.message()])));
        }
        events
    }

    /// Takes what a call came to; gives what the client is told of it.
    pub fn finish(&mut self, call: &ToolCall, outcome: Outcome) -> Result<Vec<String>, Fault> {
        let mut events = Vec::new();
        let mut fault = None;
        let text = match outcome {
            Outcome::Found { documents, text } => {
                if self.reports.sources {
                    let sources = Sources { call_id: &call.id, sources: &documents };
                    events.extend(self.telling(SOURCES, &sources));
                }
                text
            }
            Outcome::Unfit(why) => why,
            Outcome::Failed(error) => {
                fault = Some(Fault::from(&error).to_json((self.new_id)()));
                format!("the search tool call failed with {error}")
            }
        };
        self.found += text.len();
        if self.found > MOST_FOUND {
            return Err(Fault::too_much(format!("the searches found more than {MOST_FOUND} bytes")));
        }
        let found = Message::found(&call.id, text);
        if self.reports.append {
            events.extend(self.telling(APPEND, &found));
        }
        self.request.messages.push(found);
        events.extend(fault);
        Ok(events)
    }

    /// Why the answer ended, as far as it has said so.
    fn reason(&self) -> Option<&str> {
        self.last.as_ref()?.choices.first()?.finish_reason.as_deref()
    }

    fn collect(&mut self, chunk: &CallChunk) -> Result<(), Fault> {
        let call = self.calls.entry(chunk.index).or_insert_with(|| ToolCall {
            id: chunk.id.clone().unwrap_or_else(|| (self.new_id)().to_string()),
            ..ToolCall::default()
        });
        if let Some(function) = &chunk.function {
            if call.name.is_empty() {
                call.name = function.name.clone().unwrap_or_default();
            }
            call.arguments.push_str(function.arguments.as_deref().unwrap_or_default());
        }
        let length: usize = self.calls.values().map(|call| call.arguments.len()).sum();
        if self.calls.len() > MOST_CALLS || length > MOST_ARGUMENTS {
            return Err(Fault::too_much(format!(
                "the model called more than {MOST_CALLS} tools, or with more than {MOST_ARGUMENTS} bytes of arguments"
            )));
        }
        Ok(())
    }

    /// The calls are whole: the model is to be reminded of them, and they are to be answered.
    fn called(&mut self) -> Step {
        let calls: Vec<ToolCall> = std::mem::take(&mut self.calls).into_values().collect();
        self.request.messages.push(Message::called(calls.iter().map(ToolCall::message).collect()));
        Step::Search(calls)
    }

    /// An event for the client's program: a call of a tool of its own, with this as its argument.
    fn telling<T: Serialize>(&self, tool: &str, argument: &T) -> Option<String> {
        let argument = serde_json::to_string(argument).expect("texts are JSON");
        let last = self.last.as_ref()?;
        Some(last.telling((self.new_id)().to_string(), tool, argument).to_json())
    }
}

// === impl ToolCall ===

impl ToolCall {
    /// The search that is wanted, or why it is none.
    pub fn search(&self) -> Result<SearchCall, String> {
        if self.name != SEARCH {
            return Err(format!("There is no function `{}`.", self.name));
        }
        serde_json::from_str(&self.arguments).map_err(|error| error.to_string())
    }

    fn message(&self) -> ToolCallMessage {
        ToolCallMessage {
            id: self.id.clone(),
            r#type: Some(ToolKind::Function),
            function: Function { name: self.name.clone(), arguments: self.arguments.clone() },
        }
    }
}

#[cfg(test)]
mod tests;
