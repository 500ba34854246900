//! Filters, and why they are refused.

use milli_core::{Filter, UserError};
use miroir_protocol::error::{Code, ResponseError};
use serde_json::Value;

use crate::error::EngineError;

/// The filter that a request gives; `code` is that of a filter the route cannot take.
pub(crate) fn parse_filter(filter: &Value, code: Code) -> Result<Option<Filter<'_>>, ResponseError> {
    Filter::from_json(filter).map_err(|error| match error {
        milli_core::Error::UserError(UserError::InvalidFilterExpression(expected, found)) => {
            let expected = expected.join(", ");
            let message =
                format!("Invalid syntax for the filter parameter: `expected {expected}, found: {found}`.");
            ResponseError::new(code, message)
        }
        error => EngineError::from(error).with_filter_code(code),
    })
}

#[cfg(test)]
mod tests {
    use miroir_protocol::error::Code;
    use serde_json::json;

    use super::parse_filter;

    #[test]
    fn filter_of_another_type_is_refused_in_words() {
        let number = json!(12);
        let error = parse_filter(&number, Code::InvalidDocumentFilter).expect_err("refused");
        let expected = "Invalid syntax for the filter parameter: `expected String, Array, found: 12`.";
        assert_eq!((error.message(), error.code_name()), (expected, "invalid_document_filter"));
    }
}
