//! Checks the key of a request as Meilisearch does: the master key, an API key, or a tenant token that a key has signed.
//! Hands on who is asking as the extension [`Identity`](crate::extensions::Identity), and what they may see as the
//! extension [`Access`].
//!
//! The filter knows the keys through a [`KeyStore`], which gives it a [`KeySet`]: an immutable value that costs nothing
//! to read. The decision itself is [`Guard::check`], which needs no HTTP service around it.

mod access;
mod error;
mod guard;
mod key_set;
mod service;
mod tenant_token;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    access::Access,
    error::AuthError,
    guard::Guard,
    key_set::{KeySet, KeyStore, key_value},
    service::{AuthLayer, AuthService},
    tenant_token::TokenError,
};
use crate::{Deps, Filter, FilterLayer, Phase, erase};

/// Parameters of the filter `auth`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// Paths that anybody may ask for.
    pub public: Vec<String>,
}

// === impl AuthConfig ===

impl Default for AuthConfig {
    fn default() -> Self {
        Self { public: vec!["/".to_owned(), "/health".to_owned()] }
    }
}

impl Filter for AuthConfig {
    const NAME: &'static str = "auth";
    const PHASE: Phase = Phase::Identity;

    fn validate(&self) -> Vec<String> {
        let wrong = self.public.iter().filter(|path| !path.starts_with('/'));
        wrong.map(|path| format!("`public`: the path `{path}` does not begin with a slash")).collect()
    }

    fn layer(&self, deps: &Deps) -> FilterLayer {
        erase::plain(AuthLayer::new(self, deps.keys.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_paths_begin_with_a_slash() {
        let config = AuthConfig { public: vec!["health".to_owned(), "/ok".to_owned()] };
        assert_eq!(config.validate(), ["`public`: the path `health` does not begin with a slash"]);
    }
}
