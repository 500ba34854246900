//! The formats documents come in.

use std::fmt;

/// How a payload of documents is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An array of objects, or one object.
    Json,
    /// Objects one after another.
    Ndjson,
    /// A header, then one document a record.
    Csv {
        /// What stands between two fields.
        delimiter: u8,
    },
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv { .. } => "csv",
        })
    }
}
