//! A number of bytes, written as `"100MiB"`.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const BINARY: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
const DECIMAL: [(&str, u64); 4] =
    [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)];

/// A number of bytes as people write it: `"100MiB"`, `"1.5 GB"`, `"512"`, or a plain number.
///
/// `KiB`, `MiB`, `GiB` and `TiB` are powers of 1024; `KB`, `MB`, `GB` and `TB` powers of 1000. Upper and lower case
/// are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// Why a text is not a number of bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseByteSizeError {
    /// Nothing was written.
    #[error("a size is missing: write a number and a unit, such as \"100MiB\"")]
    Empty,
    /// Something that is no number.
    #[error("`{0}` is not a size: write a number and a unit, such as \"100MiB\" or \"1.5GB\"")]
    NotANumber(String),
    /// A unit that is not known.
    #[error(
        "`{unit}` in `{text}` is not a unit of size: the units are B, KB, MB, GB, TB, KiB, MiB, GiB and TiB"
    )]
    UnknownUnit {
        /// What stands where a unit should.
        unit: String,
        /// The whole text.
        text: String,
    },
    /// More than can be counted.
    #[error("`{0}` is too large a size")]
    TooLarge(String),
}

// === impl ByteSize ===

impl ByteSize {
    /// So many times 1024 times 1024 bytes.
    pub const fn mib(number: u64) -> Self {
        Self(number << 20)
    }
}

impl FromStr for ByteSize {
    type Err = ParseByteSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(ParseByteSizeError::Empty);
        }
        let not_a_number = || ParseByteSizeError::NotANumber(text.to_owned());
        let too_large = || ParseByteSizeError::TooLarge(text.to_owned());
        let end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(end);
        if number.is_empty() {
            return Err(not_a_number());
        }
        let scale = scale(unit.trim(), text)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 || fraction.contains('.') {
            return Err(not_a_number());
        }
        let whole: u64 = whole.parse().map_err(|_| too_large())?;
        let tenths: u64 = fraction.parse().map_err(|_| not_a_number())?;
        let ten_power = 10u128.pow(fraction.len() as u32);
        let bytes =
            u128::from(whole) * u128::from(scale) + u128::from(tenths) * u128::from(scale) / ten_power;
        u64::try_from(bytes).map(Self).map_err(|_| too_large())
    }
}

fn scale(unit: &str, text: &str) -> Result<u64, ParseByteSizeError> {
    if unit.is_empty() || unit.eq_ignore_ascii_case("B") {
        return Ok(1);
    }
    let known = BINARY.iter().chain(&DECIMAL).find(|(name, _)| name.eq_ignore_ascii_case(unit));
    known
        .map(|(_, scale)| *scale)
        .ok_or_else(|| ParseByteSizeError::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() })
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |scale: u64| self.0 >= scale && self.0.is_multiple_of(scale);
        match BINARY.iter().chain(&DECIMAL).find(|(_, scale)| exact(*scale)) {
            Some((unit, scale)) => write!(f, "{}{unit}", self.0 / scale),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as \"100MiB\", or a number of bytes")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(ByteSize(number))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of bytes, or a text with a unit (B, KB, MB, GB, TB, KiB, MiB, GiB, TiB).",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^\\s*[0-9]+(\\.[0-9]+)?\\s*([kKmMgGtT][iI]?)?[bB]?\\s*$" },
            ],
            "examples": ["100MiB", "1.5GB", 1024],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<u64, String> {
        text.parse::<ByteSize>().map(|size| size.0).map_err(|error| error.to_string())
    }

    fn error(text: &str) -> String {
        parse(text).expect_err("it is not a size")
    }

    #[test]
    fn binary_and_decimal_units_differ() {
        assert_eq!(parse("100MiB"), Ok(100 * 1024 * 1024));
        assert_eq!(parse("100MB"), Ok(100_000_000));
        assert_eq!(parse("1.5 GB"), Ok(1_500_000_000));
        assert_eq!(parse("2kib"), Ok(2048));
        assert_eq!(parse("512"), Ok(512));
        assert_eq!(parse("7 B"), Ok(7));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(error("10 parsecs").starts_with("`parsecs` in `10 parsecs` is not a unit of size"));
        assert!(error("MiB").contains("write a number and a unit"));
        assert!(error("1..5MB").contains("not a size"));
        assert!(error("").contains("missing"));
        assert!(error("99999999TiB").contains("too large"));
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for (bytes, text) in [(104_857_600, "100MiB"), (1_500_000, "1500KB"), (7, "7B"), (0, "0B")] {
            assert_eq!(ByteSize(bytes).to_string(), text);
            assert_eq!(parse(text), Ok(bytes));
        }
    }

    #[test]
    fn numbers_and_texts_are_read_from_the_file() {
        assert_eq!(serde_json::from_str::<ByteSize>("1024").map(|size| size.0).ok(), Some(1024));
        assert_eq!(serde_json::from_str::<ByteSize>("\"1KiB\"").map(|size| size.0).ok(), Some(1024));
    }
}
