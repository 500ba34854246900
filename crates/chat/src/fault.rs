//! What a client is told in the midst of a stream when something fails.

use std::fmt;

use miroir_protocol::error::ResponseError;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{endpoint::Source, events::EventsError};

/// A failure, in the form of `OpenAI`'s error events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: String,
    code: Option<String>,
    message: String,
    param: Option<String>,
    /// What the client is not told.
    cause: Option<String>,
}

/// An error as models' servers tell it. Mistral's stands alone, that of others under `error`.
#[derive(Deserialize)]
struct ModelError {
    message: String,
    r#type: String,
    param: Option<String>,
    code: Option<String>,
}

#[derive(Deserialize)]
struct Wrapped {
    error: ModelError,
}

#[derive(Serialize)]
struct ErrorEvent<'a> {
    event_id: String,
    r#type: &'static str,
    error: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    r#type: &'a str,
    code: Option<&'a str>,
    message: &'a str,
    param: Option<&'a str>,
    event_id: Option<&'a str>,
}

// === impl Fault ===

impl Fault {
    fn new(kind: &str, code: Option<&str>, message: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            code: code.map(str::to_owned),
            message: message.into(),
            param: None,
            cause: None,
        }
    }

    /// The model's server cannot be asked, or breaks off.
    pub fn transport(message: impl Into<String>) -> Self {
        Self::new("transport_error", None, message)
    }

    /// The model's answer ended before it said so.
    pub fn ended() -> Self {
        Self::new("stream_ended", None, "Stream ended")
    }

    /// What the model says is no piece of an answer.
    pub fn unreadable(error: &serde_json::Error) -> Self {
        Self::new("json_deserialize_error", Some("internal"), error.to_string())
    }

    /// More was said or found than is taken into memory.
    pub fn too_much(message: impl Into<String>) -> Self {
        Self::new("limit_exceeded", None, message)
    }

    /// The model's server refuses, with this body.
    pub fn refused(source: Source, body: &[u8]) -> Self {
        let error = match source {
            Source::Mistral => serde_json::from_slice(body).ok(),
            _ => serde_json::from_slice(body).ok().map(|Wrapped { error }| error),
        };
        let Some(ModelError { message, r#type, param, code }) = error else {
            return Self::new("reqwest_error", None, "error decoding response body");
        };
        Self { kind: r#type, code, message, param, cause: None }
    }

    /// The same failure with a cause that is for the operators only.
    #[must_use]
    pub fn caused_by(self, cause: impl fmt::Display) -> Self {
        Self { cause: Some(cause.to_string()), ..self }
    }

    /// The same failure without a secret that the model's server may have quoted.
    #[must_use]
    pub fn without(mut self, secret: &str) -> Self {
        if !secret.is_empty() {
            self.message = self.message.replace(secret, "XXX...");
        }
        self
    }

    /// The failure as the data of an event with this id.
    pub fn to_json(&self, event_id: Uuid) -> String {
        let error = Details {
            r#type: &self.kind,
            code: self.code.as_deref(),
            message: &self.message,
            param: self.param.as_deref(),
            event_id: None,
        };
        let event = ErrorEvent { event_id: event_id.to_string(), r#type: "error", error };
        serde_json::to_string(&event).expect("texts are JSON")
    }
}

impl From<EventsError> for Fault {
    fn from(error: EventsError) -> Self {
        match error {
            EventsError::Utf8(_) => Self::new("invalid_utf8_error", None, error.to_string()),
            EventsError::TooLong => Self::too_much(error.to_string()),
        }
    }
}

/// What the gateway itself refuses in the midst of a conversation. The code is the status, as in Meilisearch.
impl From<&ResponseError> for Fault {
    fn from(error: &ResponseError) -> Self {
        Self::new("response_error", Some(error.status.as_str()), error.message())
    }
}

/// For the operators.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)?;
        self.cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(fault: &Fault) -> String {
        fault.to_json(Uuid::nil())
    }

    #[test]
    fn a_model_is_quoted() {
        let body = br#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#;
        let expected = concat!(
            r#"{"event_id":"00000000-0000-0000-0000-000000000000","type":"error","error":{"type":"invalid_request_error","#,
            r#""code":"invalid_api_key","message":"Incorrect API key","param":null,"event_id":null}}"#
        );
        assert_eq!(told(&Fault::refused(Source::OpenAi, body)), expected);
        let mistral = br#"{"object":"error","message":"capacity","type":"t","param":null,"code":null}"#;
        assert!(
            told(&Fault::refused(Source::Mistral, mistral))
                .contains(r#""type":"t","code":null,"message":"capacity""#)
        );
        assert!(told(&Fault::refused(Source::OpenAi, mistral)).contains("error decoding response body"));
        assert!(told(&Fault::refused(Source::VLlm, b"<html>")).contains(r#""type":"reqwest_error""#));
    }

    #[test]
    fn causes_are_told_to_operators_alone() {
        let fault = Fault::transport("gone").caused_by("refused");
        assert_eq!(fault.to_string(), "transport_error: gone: refused");
        assert!(!told(&fault).contains("refused"));
    }

    #[test]
    fn secrets_are_not_quoted() {
        let fault = Fault::transport("the key sk-1 is wrong").without("sk-1").without("");
        assert!(told(&fault).contains("the key XXX... is wrong"));
    }

    #[test]
    fn own_errors_tell_their_status() {
        let event = told(&Fault::from(&ResponseError::index_not_found("a")));
        assert!(event.contains(r#""type":"response_error","code":"404","message":"Index `a` not found.""#));
    }
}
