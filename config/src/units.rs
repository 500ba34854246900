//! Values written as text: durations, byte sizes, names, addresses and URLs.

use std::{borrow::Cow, fmt, net::SocketAddr, str::FromStr, time::Duration};

use miroir_filters::params;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration such as `500ms` or `1m 30s`; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DurationText(pub(crate) Duration);

/// A number of bytes such as `100MiB` or `1.5 GB`; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SizeText(pub(crate) u64);

/// An IP address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) SocketAddr);

/// The base URL of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeUrl(pub(crate) http::Uri);

/// The name of a node or of a group; it goes into headers, logs and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(pub(crate) String);

const LONGEST_NAME: usize = 64;

const ZERO: &str = "it must be more than zero";

// === impl DurationText ===

impl FromStr for DurationText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<params::HumanDuration>() {
            Ok(duration) if duration.0.is_zero() => Err(ZERO.to_owned()),
            Ok(duration) => Ok(Self(duration.0)),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        params::HumanDuration(self.0).fmt(f)
    }
}

// === impl SizeText ===

impl FromStr for SizeText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<params::ByteSize>() {
            Ok(size) if size.0 == 0 => Err(ZERO.to_owned()),
            Ok(size) => Ok(Self(size.0)),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl fmt::Display for SizeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        params::ByteSize(self.0).fmt(f)
    }
}

// === impl Address ===

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "it must be an IP address and a port".to_owned())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// === impl NodeUrl ===

impl FromStr for NodeUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        node_url(text).map(Self).map_err(str::to_owned)
    }
}

fn node_url(text: &str) -> Result<http::Uri, &'static str> {
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
    if matches!(authority.host(), "" | "[]") {
        return Err("its host is missing");
    }
    // The parser of URLs does not look at the port.
    let port = authority.as_str()[authority.host().len()..].strip_prefix(':');
    if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Err("its port must be a number from 1 to 65535");
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err("it must end after the host and port");
    }
    Ok(uri)
}

impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// === impl Name ===

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || text.len() > LONGEST_NAME || !text.chars().all(allowed) {
            return Err("it is not a name".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Values that are written as text: their serde form, their schema, and the check that every one of them goes through.
macro_rules! text_values {
    ($($type:ident, $format:literal, $allowed:literal;)+) => {
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

        /// What a text of one of the schema's formats looks like.
        pub(crate) fn describe_format(format: &str) -> Option<&'static str> {
            match format {
                $($format => Some($allowed),)+
                _ => None,
            }
        }

        /// Holds a text against one of the schema's formats.
        pub(crate) fn check_format(format: &str, text: &str) -> Result<(), String> {
            match format {
                $($format => text.parse::<$type>().map(drop),)+
                _ => Ok(()),
            }
        }
    };
}

text_values! {
    DurationText, "duration-text", "a duration such as `500ms`, `30s` or `1m 30s`";
    SizeText, "byte-size", "a size such as `512KiB`, `100MiB` or `10GB`";
    Address, "socket-address", "an address such as `127.0.0.1:7700`, `0.0.0.0:7700` or `[::]:7700`";
    NodeUrl, "node-url", "a URL such as `http://10.0.0.1:7700` or `http://search-1:7700`";
    Name, "name", "a name of 1 to 64 letters, digits, `-`, `_` and `.`";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_may_be_zero() {
        assert_eq!("0s".parse::<DurationText>(), Err(ZERO.to_owned()));
        assert_eq!("0 MiB".parse::<SizeText>(), Err(ZERO.to_owned()));
        assert_eq!("1m 30s".parse::<DurationText>(), Ok(DurationText(Duration::from_secs(90))));
        assert_eq!("100MiB".parse::<SizeText>(), Ok(SizeText(104_857_600)));
    }

    #[test]
    fn names_hold_nothing_that_needs_quoting() {
        for name in ["n1", "search-1.example_com", "1"] {
            name.parse::<Name>().expect(name);
        }
        for text in ["", "a b", "é", "a/b", &"x".repeat(65)] {
            text.parse::<Name>().expect_err(text);
        }
    }

    #[test]
    fn node_urls_are_a_scheme_a_host_and_a_port() {
        for url in [
            "http://127.0.0.1:7701",
            "http://search.example.com/",
            "https://search.example.com",
            "http://[::1]:7700",
        ] {
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
            assert_eq!(node_url(url), Err(problem), "{url}");
        }
    }
}
