//! The name of a header, checked when the file is read.

use std::borrow::Cow;

use http::HeaderName;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The name of a header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeaderField(pub HeaderName);

// === impl HeaderField ===

impl HeaderField {
    /// A name known when this was written: lower case, and a valid one.
    pub const fn from_static(name: &'static str) -> Self {
        Self(HeaderName::from_static(name))
    }
}

impl Serialize for HeaderField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for HeaderField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        HeaderName::from_bytes(name.as_bytes())
            .map(Self)
            .map_err(|_| de::Error::custom(format_args!("`{name}` cannot be the name of a header")))
    }
}

impl JsonSchema for HeaderField {
    fn schema_name() -> Cow<'static, str> {
        "HeaderName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "The name of an HTTP header.",
            "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_lowered() {
        let name = serde_json::from_str::<HeaderField>("\"X-Request-Id\"").map(|field| field.0);
        assert_eq!(name.ok(), Some(HeaderName::from_static("x-request-id")));
        let error = serde_json::from_str::<HeaderField>("\"x request\"").expect_err("it is refused");
        assert!(error.to_string().contains("`x request` cannot be the name of a header"), "{error}");
    }
}
