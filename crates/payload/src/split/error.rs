//! Why the documents of a payload cannot be added: what their task fails with.

use std::io;

use miroir_protocol::{
    document::DocumentError,
    error::{Code, ResponseError},
};

/// Why a spool cannot be split.
#[derive(Debug, thiserror::Error)]
pub enum SplitError {
    /// A document without a usable id, or no primary key to be found.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A document carries a field that is Miroir's own. Holds its name.
    #[error(
        "The field `{0}` of a document is reserved: names of fields cannot be `_miroir` or start with `_miroir.`."
    )]
    Reserved(String),
    /// The engine's own parser stops at this document. Holds its message.
    #[error("{0}")]
    Engine(String),
    /// The spool cannot be read, or is not what was written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl SplitError {
    /// Whether it is the fault of the documents: the task fails. Otherwise it is to be tried again.
    pub fn is_of_documents(&self) -> bool {
        !matches!(self, Self::Io(_))
    }
}

impl From<SplitError> for ResponseError {
    fn from(error: SplitError) -> Self {
        match error {
            SplitError::Document(error) => error.into(),
            SplitError::Reserved(_) => Self::new(Code::MiroirReservedField, error.to_string()),
            SplitError::Engine(_) | SplitError::Io(_) => Self::new(Code::Internal, error.to_string()),
        }
    }
}
