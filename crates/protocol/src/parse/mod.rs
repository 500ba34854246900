//! From a request's bytes to a checked type, or to the error Meilisearch answers.

mod param;
mod refusal;

use deserr::Deserr;
use serde_json::{Map, Value, error::Category};

pub(crate) use self::refusal::immutable_field;
pub use self::{
    param::{Comma, FromParam, List, Param, Star},
    refusal::{Body, JsonRefusal, Query, QueryRefusal, Refusal, ValueError},
};
use crate::error::{Code, ResponseError};

/// Parses the body of a request, any error with the code of what `E` is about.
pub fn json<T, C>(body: &[u8]) -> Result<T, ResponseError>
where
    T: Deserr<JsonRefusal<C>>,
    C: crate::error::CodeMarker,
{
    value(json_value(body)?)
}

/// Checks a value that was parsed already.
pub fn value<T, C>(value: Value) -> Result<T, ResponseError>
where
    T: Deserr<JsonRefusal<C>>,
    C: crate::error::CodeMarker,
{
    Ok(deserr::deserialize::<T, Value, JsonRefusal<C>>(value)?)
}

/// Parses a request's query string, without the question mark.
pub fn query<T, C>(query: &str) -> Result<T, ResponseError>
where
    T: Deserr<QueryRefusal<C>>,
    C: crate::error::CodeMarker,
{
    let mut parameters = Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        parameters.insert(name.into_owned(), Value::String(value.into_owned()));
    }
    Ok(deserr::deserialize::<T, Value, QueryRefusal<C>>(Value::Object(parameters))?)
}

/// The JSON value of a body.
pub fn json_value(body: &[u8]) -> Result<Value, ResponseError> {
    serde_json::from_slice(body).map_err(|error| syntax_error(&error))
}

/// What is answered to a body that is not the JSON that a route reads without further checks.
pub fn syntax_error(error: &serde_json::Error) -> ResponseError {
    match error.classify() {
        Category::Eof if error.line() == 1 && error.column() == 0 => ResponseError::missing_payload("json"),
        Category::Data => ResponseError::new(Code::BadRequest, format!("Json deserialize error: {error}")),
        _ => ResponseError::malformed_json(error),
    }
}

#[cfg(test)]
mod tests {
    use super::json_value;

    #[test]
    fn empty_body_is_a_missing_payload() {
        let error = json_value(b"").expect_err("nothing there");
        assert_eq!(error.code_name(), "missing_payload");
        assert_eq!(error.message(), "A json payload is missing.");
    }

    #[test]
    fn blank_body_is_malformed() {
        assert_eq!(json_value(b"  ").expect_err("nothing there").code_name(), "malformed_payload");
    }
}
