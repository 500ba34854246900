//! Why a payload is not taken.

use std::io;

use miroir_protocol::error::{Code, ResponseError};

use crate::Format;

/// What a longer message keeps of its start and of its end.
const MESSAGE_HEAD: usize = 50;
const MESSAGE_TAIL: usize = 85;
const ELLIPSIS: &str = "...";

/// Why a payload is not taken, in Meilisearch's words.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Nothing was sent.
    #[error("A {0} payload is missing.")]
    Missing(Format),
    /// The payload is not well-formed. Holds the whole message.
    #[error("{0}")]
    Malformed(String),
    /// An element of the payload is well-formed, but no object: Meilisearch calls this an error of its own.
    #[error("{0}")]
    NotAnObject(String),
    /// A document carries a field that is Miroir's own. Holds its name.
    #[error(
        "The field `{0}` of a document is reserved: names of fields cannot be `_miroir` or start with `_miroir.`."
    )]
    Reserved(String),
    /// The payload's documents are longer than allowed. Holds how long they may be.
    #[error("The documents of the payload are longer than {0} bytes.")]
    TooLong(u64),
    /// The spool cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

// === impl IntakeError ===

impl IntakeError {
    /// JSON that is not well-formed, for this reason.
    pub(super) fn json(format: Format, reason: &str) -> Self {
        let reason = shorten(reason);
        Self::Malformed(format!(
            "The `{format}` payload provided is malformed. `Couldn't serialize document value: {reason}`."
        ))
    }

    /// CSV that is not well-formed, for this reason.
    pub(super) fn csv(format: Format, reason: &str) -> Self {
        Self::Malformed(format!("The `{format}` payload provided is malformed: `{reason}`."))
    }
}

impl From<IntakeError> for ResponseError {
    fn from(error: IntakeError) -> Self {
        let code = match &error {
            IntakeError::Missing(_) => Code::MissingPayload,
            IntakeError::Malformed(_) => Code::MalformedPayload,
            IntakeError::NotAnObject(_) => Code::Internal,
            IntakeError::Reserved(_) => Code::MiroirReservedField,
            IntakeError::TooLong(_) => Code::PayloadTooLarge,
            IntakeError::Io(error) if error.kind() == io::ErrorKind::StorageFull => Code::MiroirStorageFull,
            IntakeError::Io(_) => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

/// Cuts the middle out of a message that quotes too much.
fn shorten(message: &str) -> String {
    if message.len() <= MESSAGE_HEAD + MESSAGE_TAIL + ELLIPSIS.len() {
        return message.to_owned();
    }
    let head = message.floor_char_boundary(MESSAGE_HEAD);
    let tail = message.ceil_char_boundary(message.len() - MESSAGE_TAIL);
    [&message[..head], ELLIPSIS, &message[tail..]].concat()
}
