//! Values written as text: durations, byte sizes, addresses and URLs.

use std::{borrow::Cow, fmt, net::SocketAddr, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration such as `500ms`, `30s`, `5m`, `2h` or `1d`; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DurationText(pub(crate) Duration);

/// A number of bytes such as `512 KiB`, `100 MiB` or `10 GiB`; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteSize(pub(crate) u64);

/// An IP address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) SocketAddr);

/// The base URL of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeUrl(pub(crate) http::Uri);

const DURATION_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

const BYTE_UNITS: [(&str, u64); 9] = [
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
];

/// Reads `<whole number> <unit>` as a count of the smallest unit.
fn amount(text: &str, units: &[(&str, u64)]) -> Result<u64, &'static str> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err("it must start with a whole number");
    }
    let unit = unit.trim().to_ascii_lowercase();
    let factor = match units.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => *factor,
        None if unit.is_empty() => return Err("its unit is missing"),
        None => return Err("its unit is unknown"),
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)) {
        None => Err("it is too large"),
        Some(0) => Err("it must be more than zero"),
        Some(amount) => Ok(amount),
    }
}

/// Prints an amount in the largest unit that divides it.
fn in_largest_unit<'a>(amount: u64, units: impl Iterator<Item = &'a (&'a str, u64)>) -> (u64, &'a str) {
    let divides = units.filter(|(_, factor)| amount.is_multiple_of(*factor));
    divides.max_by_key(|(_, factor)| *factor).map_or((amount, ""), |(unit, factor)| (amount / factor, unit))
}

// === impl DurationText ===

impl FromStr for DurationText {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        amount(text, &DURATION_UNITS).map(|milliseconds| Self(Duration::from_millis(milliseconds)))
    }
}

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (number, unit) = in_largest_unit(milliseconds, DURATION_UNITS.iter());
        write!(f, "{number}{unit}")
    }
}

// === impl ByteSize ===

impl FromStr for ByteSize {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        amount(text, &BYTE_UNITS).map(Self)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = in_largest_unit(self.0, BYTE_UNITS[..5].iter());
        let unit = match unit {
            "kib" => "KiB",
            "mib" => "MiB",
            "gib" => "GiB",
            "tib" => "TiB",
            _ => "B",
        };
        write!(f, "{number} {unit}")
    }
}

// === impl Address ===

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "it must be an IP address and a port")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// === impl NodeUrl ===

impl FromStr for NodeUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: http::Uri = text.parse().map_err(|_| "it is not a URL")?;
        match uri.scheme_str() {
            Some("http" | "https") => {}
            Some(_) => return Err("its scheme must be http or https"),
            None => return Err("it must start with http:// or https://"),
        }
        let authority = uri.authority().ok_or("its host is missing")?;
        if authority.as_str().contains('@') {
            return Err("it must not carry a user or password; a node's key goes into `key`");
        }
        if authority.host().is_empty() || authority.host() == "[]" {
            return Err("its host is missing");
        }
        // The port of an authority is not checked by the parser of URLs.
        let port = authority.as_str()[authority.host().len()..].strip_prefix(':');
        if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
            return Err("its port must be a number from 1 to 65535");
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err("it must end after the host and port");
        }
        Ok(Self(uri))
    }
}

impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One value of the file that is written as text: its serde form, its schema, its check and its example.
macro_rules! text_values {
    ($($type:ident, $format:literal, $hint:literal;)+) => {
        $(
            impl<'de> Deserialize<'de> for $type {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let text = Cow::<'de, str>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                }
            }

            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl JsonSchema for $type {
                fn schema_name() -> Cow<'static, str> {
                    stringify!($type).into()
                }

                fn inline_schema() -> bool {
                    true
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({ "type": "string", "format": $format })
                }
            }
        )+

        /// Holds a text against one of the formats of the schema: what is wrong with it, and what is allowed.
        pub(crate) fn check_format(format: &str, text: &str) -> Result<(), (&'static str, &'static str)> {
            match format {
                $($format => text.parse::<$type>().map(drop).map_err(|problem| (problem, $hint)),)+
                _ => Ok(()),
            }
        }
    };
}

text_values! {
    DurationText, "duration-text", "a whole number and one of ms, s, m, h, d, such as `500ms` or `30s`";
    ByteSize, "byte-size", "a whole number and one of B, KiB, MiB, GiB, TiB, KB, MB, GB, TB, such as `100 MiB`";
    Address, "socket-address", "an address such as `127.0.0.1:7700`, `0.0.0.0:7700` or `[::]:7700`";
    NodeUrl, "node-url", "a URL such as `http://10.0.0.1:7700` or `https://search-1.example.com`";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_printed_in_the_largest_unit() {
        for (text, milliseconds, printed) in [
            ("500ms", 500, "500ms"),
            ("30s", 30_000, "30s"),
            (" 90 s ", 90_000, "90s"),
            ("120s", 120_000, "2m"),
        ] {
            let duration: DurationText = text.parse().expect("a duration");
            assert_eq!(duration.0, Duration::from_millis(milliseconds));
            assert_eq!(duration.to_string(), printed);
        }
    }

    #[test]
    fn amounts_without_number_unit_or_value_are_refused() {
        assert_eq!("5".parse::<DurationText>(), Err("its unit is missing"));
        assert_eq!("5 weeks".parse::<DurationText>(), Err("its unit is unknown"));
        assert_eq!("s".parse::<DurationText>(), Err("it must start with a whole number"));
        assert_eq!("-5s".parse::<DurationText>(), Err("it must start with a whole number"));
        assert_eq!("0s".parse::<DurationText>(), Err("it must be more than zero"));
        assert_eq!("99999999999999999999s".parse::<DurationText>(), Err("it is too large"));
        assert_eq!("18446744073709551615 KiB".parse::<ByteSize>(), Err("it is too large"));
    }

    #[test]
    fn byte_sizes_know_both_kinds_of_units() {
        for (text, bytes, printed) in
            [("100 MiB", 104_857_600, "100 MiB"), ("1kb", 1_000, "1000 B"), ("2048 KiB", 2 << 20, "2 MiB")]
        {
            let size: ByteSize = text.parse().expect("a size");
            assert_eq!((size.0, size.to_string().as_str()), (bytes, printed));
        }
    }

    #[test]
    fn node_urls_are_a_scheme_a_host_and_a_port() {
        for url in ["http://127.0.0.1:7701", "https://search.example.com/", "http://[::1]:7700"] {
            url.parse::<NodeUrl>().expect(url);
        }
        for (url, problem) in [
            ("127.0.0.1:7701", "it must start with http:// or https://"),
            ("ftp://host", "its scheme must be http or https"),
            ("http://", "it is not a URL"),
            ("http://:7700", "its host is missing"),
            ("http://host:77000", "its port must be a number from 1 to 65535"),
            ("http://host:", "its port must be a number from 1 to 65535"),
            ("http://host/path", "it must end after the host and port"),
            ("http://me:pw@host", "it must not carry a user or password; a node's key goes into `key`"),
        ] {
            assert_eq!(url.parse::<NodeUrl>(), Err(problem), "{url}");
        }
    }
}
