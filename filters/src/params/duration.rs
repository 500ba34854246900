//! A span of time, written as `"10s"`.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const UNITS: [(&str, u128); 8] = [
    ("ms", 1),
    ("s", 1_000),
    ("sec", 1_000),
    ("m", 60_000),
    ("min", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// A span of time as people write it: `"500ms"`, `"10s"`, `"1m 30s"`.
///
/// The units are `ms`, `s`, `m` (or `min`), `h`, `d` and `w`; several parts add up. A number without a unit is
/// refused, since it cannot be told whether seconds or milliseconds are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HumanDuration(pub Duration);

/// Why a text is not a span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDurationError {
    /// Nothing was written.
    #[error("a duration is missing: write a number and a unit, such as \"10s\"")]
    Empty,
    /// A number without a unit.
    #[error("`{0}` has no unit: write \"{0}s\" for seconds or \"{0}ms\" for milliseconds")]
    NoUnit(String),
    /// A unit that is not known.
    #[error("`{unit}` in `{text}` is not a unit of time: the units are ms, s, m, h, d and w")]
    UnknownUnit {
        /// What stands where a unit should.
        unit: String,
        /// The whole text.
        text: String,
    },
    /// Something that is no whole number where one should be.
    #[error(
        "`{0}` is not a duration: write whole numbers with units, such as \"500ms\", \"10s\" or \"1m 30s\""
    )]
    NotANumber(String),
    /// More than can be counted.
    #[error("`{0}` is too long a duration")]
    TooLong(String),
}

// === impl HumanDuration ===

impl HumanDuration {
    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// So many milliseconds.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }
}

impl From<HumanDuration> for Duration {
    fn from(duration: HumanDuration) -> Self {
        duration.0
    }
}

impl FromStr for HumanDuration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(ParseDurationError::Empty);
        }
        let too_long = || ParseDurationError::TooLong(text.to_owned());
        let mut milliseconds: u128 = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at(digits);
            if number.is_empty() {
                return Err(ParseDurationError::NotANumber(text.to_owned()));
            }
            let number: u64 = number.parse().map_err(|_| too_long())?;
            let after = after.trim_start();
            let letters = after.bytes().take_while(|byte| !byte.is_ascii_digit() && *byte != b' ').count();
            let (unit, remainder) = after.split_at_checked(letters).unwrap_or((after, ""));
            milliseconds += u128::from(number) * scale(unit, text)?;
            rest = remainder.trim_start();
        }
        u64::try_from(milliseconds).map(Self::from_millis).map_err(|_| too_long())
    }
}

fn scale(unit: &str, text: &str) -> Result<u128, ParseDurationError> {
    if unit.is_empty() {
        return Err(ParseDurationError::NoUnit(text.to_owned()));
    }
    UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale).ok_or_else(|| {
        if unit.starts_with(['.', ',', '-']) {
            ParseDurationError::NotANumber(text.to_owned())
        } else {
            ParseDurationError::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() }
        }
    })
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_millis();
        if total == 0 {
            return f.write_str("0s");
        }
        let (seconds, millis) = (total / 1000, total % 1000);
        let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s"), (millis, "ms")];
        let mut separator = "";
        for (number, unit) in parts.into_iter().filter(|(number, _)| *number > 0) {
            write!(f, "{separator}{number}{unit}")?;
            separator = " ";
        }
        Ok(())
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = HumanDuration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration with a unit, such as \"500ms\", \"10s\" or \"1m 30s\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                Err(E::custom(ParseDurationError::NoUnit(number.to_string())))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A span of time with a unit (ms, s, m, h, d, w), such as \"500ms\", \"10s\" or \"1m 30s\".",
            "pattern": "^\\s*([0-9]+\\s*(ms|s|sec|m|min|h|d|w)\\s*)+$",
            "examples": ["500ms", "10s", "1m 30s"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Duration, String> {
        text.parse::<HumanDuration>().map(|duration| duration.0).map_err(|error| error.to_string())
    }

    fn error(text: &str) -> String {
        parse(text).expect_err("it is not a duration")
    }

    #[test]
    fn parts_with_units_add_up() {
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("1h5m"), Ok(Duration::from_secs(3900)));
        assert_eq!(parse(" 2 min "), Ok(Duration::from_secs(120)));
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(error("10"), "`10` has no unit: write \"10s\" for seconds or \"10ms\" for milliseconds");
        assert!(error("10 lightyears").starts_with("`lightyears` in `10 lightyears` is not a unit"));
        assert!(error("1.5s").contains("whole numbers"));
        assert!(error("-1s").contains("whole numbers"));
        assert!(error("").contains("missing"));
        assert!(error("99999999999999999999s").contains("too long"));
        assert!(error("18446744073709551615w").contains("too long"));
        assert!(error("10é").contains("not a unit"));
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for text in ["500ms", "10s", "1m 30s", "2h", "1s 1ms", "0s"] {
            assert_eq!(
                text.parse::<HumanDuration>().map(|duration| duration.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn a_bare_number_in_the_file_is_refused_with_the_way_out() {
        let error = serde_json::from_str::<HumanDuration>("30").expect_err("it is refused");
        assert!(error.to_string().contains("write \"30s\" for seconds"), "{error}");
    }
}
