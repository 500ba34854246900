//! The errors that several parts raise, each in one place.

use super::{Code, ResponseError};
use crate::size;

impl ResponseError {
    /// No index of that name.
    pub fn index_not_found(uid: &str) -> Self {
        Self::new(Code::IndexNotFound, format!("Index `{uid}` not found."))
    }

    /// An index of that name is there already.
    pub fn index_already_exists(uid: &str) -> Self {
        Self::new(Code::IndexAlreadyExists, format!("Index `{uid}` already exists."))
    }

    /// No document with that id.
    pub fn document_not_found(id: &str) -> Self {
        Self::new(Code::DocumentNotFound, format!("Document `{id}` not found."))
    }

    /// No task with that uid.
    pub fn task_not_found(uid: u32) -> Self {
        Self::new(Code::TaskNotFound, format!("Task `{uid}` not found."))
    }

    /// No batch with that uid.
    pub fn batch_not_found(uid: u32) -> Self {
        Self::new(Code::BatchNotFound, format!("Batch `{uid}` not found."))
    }

    /// A key is needed and none was sent.
    pub fn missing_authorization_header() -> Self {
        let message = "The Authorization header is missing. It must use the bearer authorization method.";
        Self::new(Code::MissingAuthorizationHeader, message)
    }

    /// The key is unknown, out of date or does not allow this.
    pub fn invalid_api_key() -> Self {
        Self::new(Code::InvalidApiKey, "The provided API key is invalid.")
    }

    /// The route works with a master key only, and the server has none.
    pub fn missing_master_key() -> Self {
        let message = "Meilisearch is running without a master key. To access this API endpoint, you must have set a master key at launch.";
        Self::new(Code::MissingMasterKey, message)
    }

    /// The body of a route that takes `format` is empty.
    pub fn missing_payload(format: &str) -> Self {
        Self::new(Code::MissingPayload, format!("A {format} payload is missing."))
    }

    /// The body of a route that takes JSON is not JSON.
    pub fn malformed_json(error: &serde_json::Error) -> Self {
        Self::new(Code::MalformedPayload, format!("The json payload provided is malformed. `{error}`."))
    }

    /// A document payload is not what its content type says. `reason` says where and why.
    pub fn malformed_payload(format: &str, reason: impl std::fmt::Display) -> Self {
        // Meilisearch writes CSV's reason after a colon, the other formats' after a full stop.
        let message = match format {
            "csv" => format!("The `csv` payload provided is malformed: `{reason}`."),
            _ => {
                format!(
                    "The `{format}` payload provided is malformed. `Couldn't serialize document value: {reason}`."
                )
            }
        };
        Self::new(Code::MalformedPayload, message)
    }

    /// The request names no content type.
    pub fn missing_content_type(accepted: &[&str]) -> Self {
        let message = format!(
            "A Content-Type header is missing. Accepted values for the Content-Type header are: {}",
            quoted(accepted)
        );
        Self::new(Code::MissingContentType, message)
    }

    /// The request's content type is not taken here.
    pub fn invalid_content_type(received: &str, accepted: &[&str]) -> Self {
        let message = format!(
            "The Content-Type `{received}` is invalid. Accepted values for the Content-Type header are: {}",
            quoted(accepted)
        );
        Self::new(Code::InvalidContentType, message)
    }

    /// `csvDelimiter` with something that is not CSV.
    pub fn csv_delimiter_with(content_type: &str) -> Self {
        let message = format!(
            "The Content-Type `{content_type}` does not support the use of a csv delimiter. The csv delimiter can only be used with the Content-Type `text/csv`."
        );
        Self::new(Code::InvalidContentType, message)
    }

    /// The body is larger than `limit` bytes.
    pub fn payload_too_large(limit: u64) -> Self {
        let message = format!(
            "The provided payload reached the size limit. The maximum accepted payload size is {}.",
            size::exact(limit)
        );
        Self::new(Code::PayloadTooLarge, message)
    }

    /// The route or parameter is behind an experimental feature that is off.
    pub fn feature_not_enabled(doing: &str, feature: &str, link: &str) -> Self {
        let message = format!("{doing} requires enabling the `{feature}` experimental feature. See {link}");
        Self::new(Code::FeatureNotEnabled, message)
    }

    /// A document carries the field Miroir keeps for itself.
    pub fn reserved_field(field: &str) -> Self {
        let message =
            format!("The field `{field}` is reserved for internal use and cannot be part of a document.");
        Self::new(Code::MiroirReservedField, message)
    }
}

fn quoted(values: &[&str]) -> String {
    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::ResponseError;

    #[test]
    fn csv_reason_follows_a_colon() {
        let error = ResponseError::malformed_payload("csv", "broken");
        assert_eq!(error.message(), "The `csv` payload provided is malformed: `broken`.");
    }
}
