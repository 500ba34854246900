//! Whom a request is counted for.

use std::{borrow::Cow, net::IpAddr, str::FromStr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{By, RateLimitConfig};
use crate::extensions::{Identity, PeerAddr};

/// Whom a request is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// The bearer of the master key.
    MasterKey,
    /// The bearers of an API key, and of tenant tokens that it has signed.
    Key([u8; 16]),
    /// An IPv4 address.
    V4([u8; 4]),
    /// The first 64 bits of an IPv6 address: what one client is usually given.
    V6([u8; 8]),
    /// A request of which nothing is known; all of them count as one client.
    Unknown,
}

/// A network, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// Finds out whom a request is counted for.
#[derive(Clone, Debug)]
pub struct FindClient {
    by: By,
    trusted: Vec<IpNet>,
    header: HeaderName,
}

// === impl FindClient ===

impl FindClient {
    /// As these parameters say.
    pub fn new(config: &RateLimitConfig) -> Self {
        let trusted = config.trusted_proxies.iter().map(|network| network.0).collect();
        Self { by: config.by, trusted, header: config.client_header.0.clone() }
    }

    /// The client of a request with these headers and extensions.
    pub fn find(&self, headers: &HeaderMap, extensions: &http::Extensions) -> Client {
        if self.by == By::Key {
            match extensions.get() {
                Some(Identity::MasterKey) => return Client::MasterKey,
                Some(Identity::Key(uid)) => return Client::Key(*uid.as_bytes()),
                _ => {}
            }
        }
        let peer = extensions.get::<PeerAddr>().map(|peer| peer.0.ip());
        peer.map_or(Client::Unknown, |peer| Client::from(self.address(peer, headers)))
    }

    /// The address nearest to us that is no trusted proxy. Each proxy adds to the end of the header whom it was asked
    /// by, so only what trusted ones have written is read, from the end backwards.
    fn address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut nearest = peer.to_canonical();
        if !self.trusts(nearest) {
            return nearest;
        }
        let lines = headers.get_all(&self.header).iter().rev();
        let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        for hop in hops {
            let Some(address) = parse_hop(hop) else { break };
            nearest = address.to_canonical();
            if !self.trusts(nearest) {
                break;
            }
        }
        nearest
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// An address, bare or with a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.split(']').next());
    let without_port = || text.rsplit_once(':').map(|(address, _)| address);
    bare.unwrap_or(text).parse().ok().or_else(|| without_port()?.parse().ok())
}

// === impl Client ===

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

// === impl Network ===

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let network = text.parse::<IpNet>().ok();
        let network = network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        network
            .map(|network| Self(network.trunc()))
            .ok_or_else(|| format!("`{text}` is neither an address nor a network such as \"10.0.0.0/8\""))
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Network {
    fn schema_name() -> Cow<'static, str> {
        "Network".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An IP address, or a network such as \"10.0.0.0/8\".",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(config: &RateLimitConfig, peer: &str, forwarded: &[&str], identity: Option<Identity>) -> Client {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("a header"));
        }
        let mut extensions = http::Extensions::new();
        extensions.insert(PeerAddr((peer.parse::<IpAddr>().expect("an address"), 4000).into()));
        if let Some(identity) = identity {
            extensions.insert(identity);
        }
        FindClient::new(config).find(&headers, &extensions)
    }

    fn behind(networks: &[&str]) -> RateLimitConfig {
        let trusted_proxies = networks.iter().map(|network| network.parse().expect("a network")).collect();
        RateLimitConfig { trusted_proxies, ..Default::default() }
    }

    fn client(address: &str) -> Client {
        Client::from(address.parse::<IpAddr>().expect("an address"))
    }

    #[test]
    fn without_trusted_proxies_the_header_is_ignored() {
        let found = find(&RateLimitConfig::default(), "192.0.2.1", &["198.51.100.7"], None);
        assert_eq!(found, client("192.0.2.1"));
    }

    #[test]
    fn a_trusted_proxy_names_the_client() {
        let config = behind(&["10.0.0.0/8"]);
        assert_eq!(find(&config, "10.1.2.3", &["198.51.100.7"], None), client("198.51.100.7"));
        assert_eq!(find(&config, "10.1.2.3", &["198.51.100.7:80, 10.9.9.9"], None), client("198.51.100.7"));
        assert_eq!(find(&config, "::ffff:10.1.2.3", &["198.51.100.7"], None), client("198.51.100.7"));
    }

    #[test]
    fn what_a_client_claims_about_itself_does_not_count() {
        let config = behind(&["10.0.0.0/8"]);
        let forged = ["1.1.1.1, 198.51.100.7", "10.9.9.9"];
        assert_eq!(find(&config, "10.1.2.3", &forged, None), client("198.51.100.7"));
        assert_eq!(find(&config, "192.0.2.1", &["1.1.1.1"], None), client("192.0.2.1"));
    }

    #[test]
    fn rubbish_in_the_header_ends_the_way_back() {
        let config = behind(&["10.0.0.0/8"]);
        assert_eq!(find(&config, "10.1.2.3", &["1.1.1.1, rubbish, 10.9.9.9"], None), client("10.9.9.9"));
        assert_eq!(find(&config, "10.1.2.3", &[], None), client("10.1.2.3"));
    }

    #[test]
    fn ipv6_clients_count_by_network() {
        let config = behind(&["2001:db8:ffff::1"]);
        let one = find(&config, "2001:db8:1:2:3:4:5:6", &[], None);
        assert_eq!(one, find(&config, "2001:db8:1:2::9", &[], None));
        assert_ne!(one, find(&config, "2001:db8:1:3::9", &[], None));
        assert_eq!(one, find(&config, "2001:db8:ffff::1", &["[2001:db8:1:2::7]:80"], None));
    }

    #[test]
    fn keys_count_wherever_they_come_from() {
        let config = RateLimitConfig { by: By::Key, ..Default::default() };
        assert_eq!(find(&config, "192.0.2.1", &[], Some(Identity::MasterKey)), Client::MasterKey);
        let uid = uuid::Uuid::from_u128(7);
        let key = Client::Key(*uid.as_bytes());
        assert_eq!(find(&config, "192.0.2.1", &[], Some(Identity::Key(uid))), key);
        assert_eq!(find(&config, "192.0.2.1", &[], Some(Identity::Anonymous)), client("192.0.2.1"));
        let by_address = RateLimitConfig::default();
        assert_eq!(find(&by_address, "192.0.2.1", &[], Some(Identity::MasterKey)), client("192.0.2.1"));
    }

    #[test]
    fn a_request_without_a_peer_is_unknown() {
        let find = FindClient::new(&RateLimitConfig::default());
        assert_eq!(find.find(&HeaderMap::new(), &http::Extensions::new()), Client::Unknown);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        let error = serde_json::from_str::<Network>("\"10.0.0.0/99\"").expect_err("it is refused");
        assert!(error.to_string().contains("neither an address nor a network"), "{error}");
    }
}
