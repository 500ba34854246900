//! Errors as clients see them: `{message, code, type, link}` with a status.

mod attributes;
mod code;
mod common;
mod name;

use std::{borrow::Cow, fmt};

use http::StatusCode;
use serde::{Deserialize, Serialize};

pub use self::code::{Code, CodeMarker, ErrorType, marker};

/// The body of an answer that refuses a request, and the `error` of a failed task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Received")]
pub struct ResponseError {
    /// The status of the answer.
    #[serde(skip)]
    pub status: StatusCode,
    message: String,
    code: Cow<'static, str>,
    #[serde(rename = "type")]
    kind: Cow<'static, str>,
    link: Cow<'static, str>,
}

impl ResponseError {
    /// An error with the status, type and link of its code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            status: code.status(),
            message: message.into(),
            code: Cow::Borrowed(code.name()),
            kind: Cow::Borrowed(code.error_type().name()),
            link: Cow::Owned(code.link()),
        }
    }

    /// The text for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The name of the code.
    pub fn code_name(&self) -> &str {
        &self.code
    }

    /// The code, unless a node sent one that this version does not know.
    pub fn code(&self) -> Option<Code> {
        Code::from_name(&self.code)
    }

    /// The same error with its message changed by `f`; multi-search names the query at fault so.
    #[must_use]
    pub fn map_message(mut self, f: impl FnOnce(String) -> String) -> Self {
        self.message = f(self.message);
        self
    }

    /// The same error answered with another status: an unknown index is a 400 inside a multi-search.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The JSON body of the answer.
    pub fn body(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("five strings are always serialisable")
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ResponseError {}

/// An error read back from a node's answer or from the log: the status follows from the code.
#[derive(Deserialize)]
struct Received {
    message: String,
    code: String,
    #[serde(rename = "type")]
    kind: String,
    link: String,
}

impl From<Received> for ResponseError {
    fn from(received: Received) -> Self {
        let status = match Code::from_name(&received.code) {
            Some(code) => code.status(),
            None if received.kind == ErrorType::InvalidRequest.name() => StatusCode::BAD_REQUEST,
            None => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self {
            status,
            message: received.message,
            code: received.code.into(),
            kind: received.kind.into(),
            link: received.link.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, ResponseError};

    #[test]
    fn body_has_the_four_members_in_order() {
        let body = ResponseError::new(Code::IndexNotFound, "Index `x` not found.").body();
        let expected = r#"{"message":"Index `x` not found.","code":"index_not_found","type":"invalid_request","link":"https://docs.meilisearch.com/errors#index_not_found"}"#;
        assert_eq!(String::from_utf8_lossy(&body), expected);
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let error = ResponseError::index_not_found("x");
        let read: ResponseError = serde_json::from_slice(&error.body()).expect("own body");
        assert_eq!(read, error);
    }

    #[test]
    fn unknown_code_of_a_node_is_kept() {
        let body = br#"{"message":"m","code":"brand_new","type":"invalid_request","link":"l"}"#;
        let read: ResponseError = serde_json::from_slice(body).expect("well formed");
        assert_eq!((read.code_name(), read.code(), read.status.as_u16()), ("brand_new", None, 400));
    }
}
