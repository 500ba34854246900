//! What the sender of a request may see.

use std::sync::Arc;

use miroir_protocol::keys::{Action, Key, SearchRules, both_filters};
use serde_json::Value;
use time::OffsetDateTime;

use super::{AuthError, KeySet, guard::check_search};

/// What the sender of a request may see. That the operation is allowed at all has been checked; what it names in its
/// body, and what its answer lists, is checked by whoever serves it.
///
/// Set by the filter `auth`. The default may see everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    key: Option<Arc<Key>>,
    rules: Option<Arc<SearchRules>>,
}

impl Access {
    /// All that is allowed by a key, and by the tenant token it has signed, if there is one.
    pub fn new(key: Arc<Key>, rules: Option<Arc<SearchRules>>) -> Self {
        Self { key: Some(key), rules }
    }

    /// Whether the index may be seen.
    pub fn allows(&self, index: &str) -> bool {
        self.key.as_ref().is_none_or(|key| key.is_for_index(index))
            && self.rules.as_ref().is_none_or(|rules| rules.allow(index))
    }

    /// Whether all indexes may be seen, and what is about none.
    pub fn allows_all(&self) -> bool {
        self.key.as_ref().is_none_or(|key| key.is_for_all_indexes())
            && self.rules.as_ref().is_none_or(|rules| rules.patterns().iter().any(|pattern| pattern.is_all()))
    }

    /// What may be seen, as bytes: two senders with the same see the same.
    pub(crate) fn scope(&self) -> Vec<u8> {
        let indexes = self.key.as_ref().map(|key| &key.indexes);
        serde_json::to_vec(&(indexes, self.rules.as_deref())).expect("patterns and filters are JSON")
    }

    /// Whether the index may be created, by itself or by a write to it.
    pub fn may_create(&self, index: &str) -> bool {
        self.key.as_ref().is_none_or(|key| key.has(Action::IndexesCreate)) && self.allows(index)
    }

    /// Whether the index may be searched now, with the keys there are now: for whoever goes on searching after the request
    /// was let in, which may have been for something else.
    pub fn check_search(&self, index: &str, keys: &KeySet, now: OffsetDateTime) -> Result<(), AuthError> {
        let Some(key) = &self.key else { return Ok(()) };
        let key = keys.by_uid(key.uid).ok_or(AuthError::InvalidKey)?;
        check_search(index, key, self.rules.as_deref(), now)
    }

    /// Adds what a tenant token says about searches in the index to the filter of one.
    pub fn restrict(&self, index: &str, filter: &mut Option<Value>) {
        let rule = self.rules.as_ref().and_then(|rules| rules.filter(index));
        if let Some(rule) = rule {
            *filter = both_filters(filter.take(), Some(rule.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use miroir_protocol::keys::{CreateKey, IndexUidPattern};
    use serde_json::json;

    fn key(actions: &[Action], index: &str) -> Arc<Key> {
        let asked = CreateKey {
            description: None,
            name: None,
            uid: None,
            actions: actions.to_vec(),
            indexes: vec![IndexUidPattern::try_from(index.to_owned()).expect("a pattern")],
            expires_at: None,
        };
        Arc::new(Key::new(asked, OffsetDateTime::UNIX_EPOCH))
    }

    #[test]
    fn the_master_key_sees_everything() {
        let access = Access::default();
        assert!(access.allows("any") && access.allows_all() && access.may_create("any"));
        let mut filter = Some(json!("a = 1"));
        access.restrict("any", &mut filter);
        assert_eq!(filter, Some(json!("a = 1")));
    }

    #[test]
    fn those_who_may_see_the_same_have_the_same_scope() {
        let scope = |index: &str, rules: Option<serde_json::Value>| {
            let rules = rules.map(|rules| Arc::new(serde_json::from_value(rules).expect("rules")));
            Access::new(key(&[Action::Search], index), rules).scope()
        };
        let rule = |user: u32| Some(json!({ "movies": { "filter": format!("user = {user}") } }));
        assert_eq!(scope("mov*", rule(1)), scope("mov*", rule(1)));
        let scopes = [
            Access::default().scope(),
            scope("*", None),
            scope("mov*", None),
            scope("*", rule(1)),
            scope("*", rule(2)),
        ];
        for (place, one) in scopes.iter().enumerate() {
            assert!(!scopes[..place].contains(one), "{place}");
        }
    }

    #[test]
    fn a_key_sees_its_indexes() {
        let access = Access::new(key(&[Action::DocumentsAdd], "mov*"), None);
        assert!(access.allows("movies") && !access.allows("books") && !access.allows_all());
        assert!(!access.may_create("movies"));
        let access = Access::new(key(&[Action::IndexesAll], "mov*"), None);
        assert!(access.may_create("movies") && !access.may_create("books"));
    }

    #[test]
    fn searches_are_checked_by_the_keys_there_are() {
        let check =
            |access: &Access, keys: &KeySet| access.check_search("movies", keys, OffsetDateTime::UNIX_EPOCH);
        let searcher = key(&[Action::Search], "mov*");
        let set = |key: &Arc<Key>| KeySet::new(Some("master"), [Key::clone(key)]);
        let access = Access::new(searcher.clone(), None);
        assert_eq!(check(&access, &set(&searcher)), Ok(()));
        assert_eq!(check(&access, &KeySet::new(Some("master"), [])), Err(AuthError::InvalidKey));
        let chatter = key(&[Action::ChatCompletions], "*");
        assert_eq!(check(&Access::new(chatter.clone(), None), &set(&chatter)), Err(AuthError::InvalidKey));
        let other = key(&[Action::Search], "books");
        let refused = check(&Access::new(other.clone(), None), &set(&other));
        assert!(matches!(refused, Err(AuthError::KeyForOtherIndexes { .. })));
        let rules = serde_json::from_value(json!(["books"])).expect("rules");
        let refused = check(&Access::new(searcher.clone(), Some(Arc::new(rules))), &set(&searcher));
        assert!(matches!(refused, Err(AuthError::TokenForOtherIndexes { .. })));
        assert_eq!(check(&Access::default(), &KeySet::new(None, [])), Ok(()));
    }

    #[test]
    fn a_token_narrows_its_key() {
        let rules = serde_json::from_value(json!({ "movies": { "filter": "user = 1" }, "b*": null }));
        let access = Access::new(key(&[Action::Search], "*"), Some(Arc::new(rules.expect("rules"))));
        assert!(access.allows("movies") && access.allows("books") && !access.allows("airports"));
        assert!(!access.allows_all());
        let mut filter = Some(json!(["a = 1"]));
        access.restrict("movies", &mut filter);
        assert_eq!(filter, Some(json!(["a = 1", "user = 1"])));
        let mut filter = None;
        access.restrict("books", &mut filter);
        assert_eq!(filter, None);
    }
}
