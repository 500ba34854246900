//! The body of `POST /export`.

use std::collections::BTreeMap;

use deserr::Deserr;
use serde_json::Value;

use crate::{
    error::{Code, ResponseError, marker},
    keys::IndexUidPattern,
    parse::{self, JsonRefusal},
};

/// Where indexes are exported to, and which.
#[derive(Debug, Clone, PartialEq, Deserr)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
pub struct ExportRequest {
    /// The other server's URL.
    #[deserr(default, error = JsonRefusal<marker::InvalidExportUrl>)]
    pub url: String,
    /// The key sent to it.
    #[deserr(default, error = JsonRefusal<marker::InvalidExportApiKey>)]
    pub api_key: Option<String>,
    /// How large one request with documents is: bytes, or a text such as `24MiB`.
    #[deserr(default, error = JsonRefusal<marker::InvalidExportPayloadSize>)]
    pub payload_size: Option<Value>,
    /// Which indexes, by pattern; all of them without.
    #[deserr(default)]
    pub indexes: Option<BTreeMap<String, ExportIndexRequest>>,
}

/// What is exported of the indexes that match a pattern.
#[derive(Debug, Clone, PartialEq, Default, Deserr)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
pub struct ExportIndexRequest {
    /// Which documents; all of them without.
    #[deserr(default, error = JsonRefusal<marker::InvalidExportIndexFilter>)]
    pub filter: Option<Value>,
    /// Whether settings are sent to an index that is there already.
    #[deserr(default, error = JsonRefusal<marker::InvalidExportIndexOverrideSettings>)]
    pub override_settings: bool,
}

impl ExportRequest {
    /// Parses the body.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        let request: Self = parse::json(body)?;
        for pattern in request.indexes.iter().flat_map(BTreeMap::keys) {
            IndexUidPattern::try_from(pattern.clone()).map_err(|error| {
                ResponseError::new(Code::BadRequest, format!("Invalid value at `.indexes`: {error}"))
            })?;
        }
        request.payload_bytes()?;
        Ok(request)
    }

    /// How large one request with documents is, in bytes.
    pub fn payload_bytes(&self) -> Result<Option<u64>, ResponseError> {
        let refused = |why: &str| {
            let message = format!("Invalid value at `.payloadSize`: {why}");
            ResponseError::new(Code::InvalidExportPayloadSize, message)
        };
        match &self.payload_size {
            None => Ok(None),
            Some(Value::Number(bytes)) => bytes.as_u64().map(Some).ok_or_else(|| refused("it is no size")),
            Some(Value::String(text)) => {
                bytes_of(text).map(Some).ok_or_else(|| refused("the value is incorrect"))
            }
            Some(_) => Err(refused("expected a positive integer or a string")),
        }
    }
}

/// A size as people write it.
fn bytes_of(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" | "k" => 1e3,
        "kib" => 1024.0,
        "mb" | "m" => 1e6,
        "mib" => 1_048_576.0,
        "gb" | "g" => 1e9,
        "gib" => 1_073_741_824.0,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * factor;
    // Checked to be in range.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (bytes.is_finite() && (0.0..1e18).contains(&bytes)).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(body: &str) -> Result<Option<u64>, String> {
        let request =
            ExportRequest::from_json(body.as_bytes()).map_err(|error| error.message().to_owned())?;
        request.payload_bytes().map_err(|error| error.message().to_owned())
    }

    #[test]
    fn sizes_are_numbers_or_texts() {
        assert_eq!(size(r#"{"url":"http://x"}"#), Ok(None));
        assert_eq!(size(r#"{"payloadSize":1000}"#), Ok(Some(1000)));
        assert_eq!(size(r#"{"payloadSize":"24MiB"}"#), Ok(Some(24 << 20)));
        assert!(size(r#"{"payloadSize":"lots"}"#).is_err());
        assert!(size(r#"{"payloadSize":true}"#).is_err());
    }

    #[test]
    fn patterns_are_checked() {
        assert!(ExportRequest::from_json(br#"{"indexes":{"a*":{"filter":"x = 1"}}}"#).is_ok());
        assert!(ExportRequest::from_json(br#"{"indexes":{"a b":{}}}"#).is_err());
    }
}
