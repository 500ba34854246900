//! The form of a filter, as far as it can be told without reading its expressions.

use serde_json::Value;

use crate::error::{Code, ResponseError};

/// Refuses a filter that is neither an expression nor a list of expressions and alternatives of expressions. `code`
/// is the parameter's.
pub fn check_filter_form(filter: &Value, code: Code) -> Result<(), ResponseError> {
    match filter {
        Value::String(_) => Ok(()),
        Value::Array(parts) => parts.iter().try_for_each(|part| check_part(part, code)),
        other => Err(unexpected("String, Array", other, code)),
    }
}

fn check_part(part: &Value, code: Code) -> Result<(), ResponseError> {
    match part {
        Value::String(_) => Ok(()),
        Value::Array(alternatives) => {
            match alternatives.iter().find(|alternative| !alternative.is_string()) {
                Some(other) => Err(unexpected("String", other, code)),
                None => Ok(()),
            }
        }
        other => Err(unexpected("String, [String]", other, code)),
    }
}

fn unexpected(expected: &str, found: &Value, code: Code) -> ResponseError {
    let message = format!("Invalid syntax for the filter parameter: `expected {expected}, found: {found}`.");
    ResponseError::new(code, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check_filter_form;
    use crate::error::Code;

    #[test]
    fn expressions_and_lists_of_them_are_let_through() {
        for filter in [json!("a = 1"), json!([]), json!(["a = 1", ["b = 2", "c = 3"]])] {
            check_filter_form(&filter, Code::InvalidSearchFilter).expect("good form");
        }
    }

    #[test]
    fn other_values_are_refused_where_they_stand() {
        let message = |filter| {
            let error = check_filter_form(&filter, Code::InvalidSearchFilter).expect_err("bad form");
            error.message().to_owned()
        };
        let start = "Invalid syntax for the filter parameter: `expected ";
        assert_eq!(message(json!(12)), format!("{start}String, Array, found: 12`."));
        assert_eq!(message(json!(["a", {}])), format!("{start}String, [String], found: {{}}`."));
        assert_eq!(message(json!([["a", 1]])), format!("{start}String, found: 1`."));
    }
}
