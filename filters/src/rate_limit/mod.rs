//! Limits how often each client may ask, by token buckets: a client may send `requests` at once, and gets one back
//! every `per / requests`.
//!
//! Every answer says what is left, in the fields of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` and
//! `RateLimit`. Who asks too often gets an error that carries them and `Retry-After`.
//!
//! The number of buckets is bounded. When there are too many, those that are nearest to full, which know least, go
//! first.

mod bucket;
mod buckets;
mod client;
mod service;

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    bucket::{Clock, Decision, Monotonic, Quota},
    buckets::Buckets,
    client::{Client, FindClient, Network},
    service::{RateLimitFuture, RateLimitLayer, RateLimitService, RateLimited},
};
use crate::{
    Deps, Filter, FilterLayer, Phase, erase,
    params::{HeaderField, HumanDuration},
};

/// Parameters of the filter `rate_limit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimitConfig {
    /// How many requests a client may send in the time of `per`, and at once.
    pub requests: NonZeroU32,
    /// In what time: whole seconds.
    pub per: HumanDuration,
    /// What a client is.
    pub by: By,
    /// How many clients are told apart at once.
    pub max_clients: NonZeroU32,
    /// Proxies whose word on the client's address is taken: addresses or networks, such as `10.0.0.0/8`.
    pub trusted_proxies: Vec<Network>,
    /// The header in which those proxies pass the client's address on.
    pub client_header: HeaderField,
}

/// What requests are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The key they carry, and the client's address where they carry none. Needs `auth` before it.
    Key,
    /// The client's address; an IPv6 network of 64 bits counts as one.
    Address,
}

// === impl RateLimitConfig ===

impl Default for RateLimitConfig {
    fn default() -> Self {
        Self {
            requests: NonZeroU32::new(1000).expect("it is not 0"),
            per: HumanDuration::from_secs(1),
            by: By::Address,
            max_clients: NonZeroU32::new(100_000).expect("it is not 0"),
            trusted_proxies: Vec::new(),
            client_header: HeaderField::from_static("x-forwarded-for"),
        }
    }
}

impl Filter for RateLimitConfig {
    const NAME: &'static str = "rate_limit";
    const PHASE: Phase = Phase::Policy;

    fn needs(&self) -> &'static [&'static str] {
        match self.by {
            By::Key => &["auth"],
            By::Address => &[],
        }
    }

    fn validate(&self) -> Vec<String> {
        let per = self.per.0;
        if per.as_secs() > 0 && per.subsec_nanos() == 0 {
            return Vec::new();
        }
        vec![format!("`per` must be whole seconds, and {} is not: clients are told it in seconds", self.per)]
    }

    fn layer(&self, _: &Deps) -> FilterLayer {
        erase::plain(RateLimitLayer::new(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_whole_seconds() {
        let config = RateLimitConfig { per: HumanDuration::from_millis(1500), ..Default::default() };
        assert_eq!(config.validate().len(), 1);
        assert!(RateLimitConfig::default().validate().is_empty());
    }

    #[test]
    fn keys_are_known_only_behind_auth() {
        let config = RateLimitConfig { by: By::Key, ..Default::default() };
        assert_eq!(Filter::needs(&config), ["auth"]);
        assert!(Filter::needs(&RateLimitConfig::default()).is_empty());
    }
}
