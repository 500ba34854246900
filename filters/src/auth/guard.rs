//! The decision: who sends a request, and whether they may.

use std::{borrow::Cow, sync::Arc};

use http::{HeaderMap, HeaderValue, Method, header::AUTHORIZATION};
use miroir_protocol::{
    Operation,
    keys::{Action, Key, SearchRules},
};
use time::OffsetDateTime;

use super::{
    Access, AuthConfig, AuthError, KeySet, TokenError, key_set::key_value, tenant_token::TenantToken,
};
use crate::extensions::Identity;

/// What stands before paths that are Miroir's own, which only those who may do everything can ask for.
const OWN: &str = "_miroir";

/// Decides who is asking and whether they may.
#[derive(Clone, Debug)]
pub struct Guard {
    public: Arc<[String]>,
}

/// What a request asks for, as far as keys have a say in it.
struct Asked<'a> {
    /// What a key needs, all of it.
    actions: &'static [Action],
    index: Option<Cow<'a, str>>,
    /// Whether it is for those only who may do everything.
    own: bool,
}

// === impl Guard ===

impl Guard {
    /// A guard with these parameters.
    pub fn new(config: &AuthConfig) -> Self {
        Self { public: config.public.clone().into() }
    }

    /// Who sends a request with this method, path and these headers, and what they may see.
    ///
    /// What is at no path of the API, or not with that method, is let through: it has no answer but that. Without a
    /// master key everything is open but the management of keys. A header that is there but is no bearer token is
    /// refused even then, as Meilisearch does.
    pub fn check(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        keys: &KeySet,
        now: OffsetDateTime,
    ) -> Result<(Identity, Access), AuthError> {
        let everything = |identity| Ok((identity, Access::default()));
        let asked = match Asked::of(method, path) {
            Some(asked) if !self.is_public(path) => asked,
            _ => return everything(Identity::Anonymous),
        };
        let token = headers.get(AUTHORIZATION).map(bearer_token).transpose()?;
        if keys.master_key().is_none() {
            return if asked.manages_keys() {
                Err(AuthError::MissingMasterKey)
            } else {
                everything(Identity::Anonymous)
            };
        }
        let token = token.ok_or(AuthError::MissingHeader)?;
        if keys.is_master(token) {
            return everything(Identity::MasterKey);
        }
        let (key, rules) = asked.bearer(token, keys, now)?;
        asked.check(&key, rules.as_deref(), now)?;
        Ok((Identity::Key(key.uid), Access::new(key, rules)))
    }

    fn is_public(&self, path: &str) -> bool {
        self.public.iter().any(|public| public == path || segments(public).eq(segments(path)))
    }
}

// === impl Asked ===

impl<'a> Asked<'a> {
    fn of(method: &Method, path: &'a str) -> Option<Self> {
        if segments(path).next() == Some(OWN) {
            return Some(Self { actions: &[Action::All], index: None, own: true });
        }
        let operation = Operation::of(method, path).ok()?;
        let actions = operation.row().actions;
        (!actions.is_empty()).then(|| Self { actions, index: operation.index_uid(), own: false })
    }

    fn manages_keys(&self) -> bool {
        use Action::{KeysCreate, KeysDelete, KeysGet, KeysUpdate};
        self.actions.iter().any(|action| matches!(action, KeysCreate | KeysDelete | KeysGet | KeysUpdate))
    }

    /// The key that was sent, or that signed what was sent.
    fn bearer(
        &self,
        token: &str,
        keys: &KeySet,
        now: OffsetDateTime,
    ) -> Result<(Arc<Key>, Option<Arc<SearchRules>>), AuthError> {
        let tenants = [Action::Search, Action::ChatCompletions];
        if self.actions.iter().any(|action| tenants.contains(action)) {
            match TenantToken::read(token) {
                // A token of another shape is a key.
                Err(TokenError::Shape) => {}
                Err(error) => return Err(AuthError::Token(error)),
                Ok(token) => return tenant(token, keys, now),
            }
        }
        Ok((keys.by_value(token).ok_or(AuthError::InvalidKey)?.clone(), None))
    }

    /// Whether the key, and the rules of its token, allow what is asked. The token's own indexes are known to its
    /// bearer, so they come first and are told; those of the key behind it are not told.
    fn check(&self, key: &Key, rules: Option<&SearchRules>, now: OffsetDateTime) -> Result<(), AuthError> {
        if let Some(index) = self.index.as_deref() {
            if let Some(rules) = rules.filter(|rules| !rules.allow(index)) {
                let allowed = rules.patterns().iter().map(|pattern| pattern.as_str().to_owned()).collect();
                return Err(AuthError::TokenForOtherIndexes { index: index.to_owned(), allowed });
            }
            if !key.is_for_index(index) {
                return Err(for_other_indexes(key, rules.is_some(), index));
            }
        }
        let mut actions = self.actions.iter();
        let allowed = actions.all(|action| key.allows(*action, self.index.as_deref(), now))
            && (!self.own || key.is_for_all_indexes());
        if allowed { Ok(()) } else { Err(AuthError::InvalidKey) }
    }
}

/// Whether a key, and the rules of its token, allow a search in an index.
pub(super) fn check_search(
    index: &str,
    key: &Key,
    rules: Option<&SearchRules>,
    now: OffsetDateTime,
) -> Result<(), AuthError> {
    Asked { actions: &[Action::Search], index: Some(index.into()), own: false }.check(key, rules, now)
}

fn for_other_indexes(key: &Key, by_token: bool, index: &str) -> AuthError {
    let index = index.to_owned();
    if by_token {
        return AuthError::TokensKeyForOtherIndexes { index };
    }
    let mut allowed: Vec<String> = key.indexes.iter().map(|pattern| pattern.as_str().to_owned()).collect();
    allowed.sort_unstable();
    allowed.dedup();
    AuthError::KeyForOtherIndexes { index, allowed }
}

/// The key behind a tenant token, and what the token allows.
fn tenant(
    token: TenantToken<'_>,
    keys: &KeySet,
    now: OffsetDateTime,
) -> Result<(Arc<Key>, Option<Arc<SearchRules>>), AuthError> {
    let (uid, end) = (token.key_uid(), token.end());
    let value = key_value(keys.master_key().unwrap_or_default(), uid);
    let rules = token.verify(&value).map_err(AuthError::Token)?;
    let now = now.unix_timestamp();
    if let Some(end) = end.filter(|end| now > *end) {
        return Err(AuthError::TokenExpired { end, now });
    }
    let key = keys.by_uid(uid).ok_or(AuthError::InvalidKey)?;
    Ok((key.clone(), Some(Arc::new(rules))))
}

fn bearer_token(value: &HeaderValue) -> Result<&str, AuthError> {
    match value.to_str().unwrap_or_default().split_once(' ') {
        Some(("Bearer", token)) => Ok(token),
        None if value == "Bearer" => Err(AuthError::InvalidKey),
        _ => Err(AuthError::MissingHeader),
    }
}

/// The parts of a path; Meilisearch ignores doubled slashes and one at the end.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

#[cfg(test)]
mod tests;
