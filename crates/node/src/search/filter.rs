//! Filters, and why they are refused.

use milli_core::{Filter, UserError};
use miroir_protocol::error::{Code, ResponseError};
use serde_json::Value;

use crate::error::EngineError;
use crate::features::Features;

/// The filter that a request gives; `code` is that of a filter the route cannot take.
pub(crate) fn parse_filter<'a>(
    filter: &'a Value,
    code: Code,
    features: &Features,
) -> Result<Option<Filter<'a>>, ResponseError> {
    let filter = Filter::from_json(filter).map_err(|error| match error {
        milli_core::Error::UserError(UserError::InvalidFilterExpression(expected, found)) => {
            let expected = expected.join(", ");
            let message =
                format!("Invalid syntax for the filter parameter: `expected {expected}, found: {found}`.");
            ResponseError::new(code, message)
        }
        error => EngineError::from(error).with_filter_code(code),
    })?;
    if let Some(filter) = &filter {
        features.check_filter(filter)?;
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use miroir_protocol::error::Code;
    use serde_json::json;

    use super::parse_filter;
    use crate::features::Features;

    #[test]
    fn filter_of_another_type_is_refused_in_words() {
        let number = json!(12);
        let error =
            parse_filter(&number, Code::InvalidDocumentFilter, &Features::default()).expect_err("refused");
        let expected = "Invalid syntax for the filter parameter: `expected String, Array, found: 12`.";
        assert_eq!((error.message(), error.code_name()), (expected, "invalid_document_filter"));
    }

    #[test]
    fn contains_needs_its_feature_and_starts_with_does_not() {
        let code = |filter: &str, features: &Features| {
            let filter = json!(filter);
            let parsed = parse_filter(&filter, Code::InvalidSearchFilter, features);
            parsed.err().map(|error| error.code_name().to_owned())
        };
        let off = Features::default();
        let on = Features { contains_filter: true, ..off };
        assert_eq!(code("a CONTAINS b", &off).as_deref(), Some("feature_not_enabled"));
        assert_eq!(code("a CONTAINS b", &on), None);
        assert_eq!(code("a STARTS WITH b", &off), None);
    }
}
