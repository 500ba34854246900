//! What the body of a request says it is.

use crate::error::ResponseError;

/// What routes that read JSON accept.
const JSON: &[&str] = &["application/json"];

/// What routes that read documents accept.
const DOCUMENTS: &[&str] = &["application/json", "application/x-ndjson", "text/csv"];

/// How documents are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentFormat {
    /// An object or a list of objects.
    Json,
    /// An object per line.
    Ndjson,
    /// A line of names, then a line of values per document.
    Csv {
        /// What separates the values of a line.
        delimiter: u8,
    },
}

/// Refuses a body that is not said to be JSON.
pub fn require_json(content_type: Option<&str>) -> Result<(), ResponseError> {
    let Some(content_type) = content_type else { return Err(ResponseError::missing_content_type(JSON)) };
    let essence = essence(content_type);
    match essence.split_once('/') {
        Some((_, subtype)) if subtype == "json" || subtype.ends_with("+json") => Ok(()),
        _ => Err(ResponseError::invalid_content_type(content_type, JSON)),
    }
}

impl DocumentFormat {
    /// The format of documents with this content type. A delimiter goes with CSV only.
    pub fn of(content_type: Option<&str>, csv_delimiter: Option<u8>) -> Result<Self, ResponseError> {
        let Some(content_type) = content_type else {
            return Err(ResponseError::missing_content_type(DOCUMENTS));
        };
        let essence = essence(content_type);
        match (essence.as_str(), csv_delimiter) {
            ("application/json", None) => Ok(Self::Json),
            ("application/x-ndjson", None) => Ok(Self::Ndjson),
            ("text/csv", delimiter) => Ok(Self::Csv { delimiter: delimiter.unwrap_or(b',') }),
            ("application/json" | "application/x-ndjson", Some(_)) => {
                Err(ResponseError::csv_delimiter_with(&essence))
            }
            _ => Err(ResponseError::invalid_content_type(&essence, DOCUMENTS)),
        }
    }

    /// The name that errors have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv { .. } => "csv",
        }
    }
}

/// The type without its parameters, in lower case.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{DocumentFormat, require_json};

    #[test]
    fn parameters_and_case_do_not_matter() {
        require_json(Some("Application/JSON; charset=utf-8")).expect("JSON");
        require_json(Some("application/vnd.api+json")).expect("JSON");
        let csv = DocumentFormat::of(Some("text/csv;charset=utf-8"), None).expect("CSV");
        assert_eq!(csv, DocumentFormat::Csv { delimiter: b',' });
    }

    #[test]
    fn delimiter_is_taken_with_csv_only() {
        let csv = DocumentFormat::of(Some("text/csv"), Some(b';')).expect("CSV");
        assert_eq!(csv, DocumentFormat::Csv { delimiter: b';' });
        let error = DocumentFormat::of(Some("application/x-ndjson"), Some(b';')).expect_err("not CSV");
        assert_eq!(error.code_name(), "invalid_content_type");
    }
}
