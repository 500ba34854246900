//! A key as it is kept, and what it allows.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Action, CreateKey, IndexUidPattern, KeyView, UpdateKey};
use crate::settings::Setting;

/// A key. What clients send, the key's value, is not in it: it follows from the uid and the master key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// Its uid.
    pub uid: Uuid,
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it allows.
    pub actions: Vec<Action>,
    /// In which indexes.
    pub indexes: Vec<IndexUidPattern>,
    /// Until when.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl Key {
    /// The key that a request asks for, with a random uid if it names none.
    pub fn new(asked: CreateKey, now: OffsetDateTime) -> Self {
        Self {
            uid: asked.uid.unwrap_or_else(Uuid::new_v4),
            name: asked.name,
            description: asked.description,
            actions: asked.actions,
            indexes: asked.indexes,
            expires_at: asked.expires_at,
            created_at: now,
            updated_at: now,
        }
    }

    /// The keys of a server that has none, oldest first, with random uids.
    pub fn defaults(now: OffsetDateTime) -> [Self; 4] {
        let keys: [(&str, &str, &[Action]); 4] = [
            (
                "Default Chat API Key",
                "Use it to chat and search from the frontend",
                &[Action::ChatCompletions, Action::Search],
            ),
            (
                "Default Read-Only Admin API Key",
                "Use it to read information across the whole database. Caution! Do not expose this key on a public \
                 frontend",
                &[Action::AllGet, Action::KeysGet],
            ),
            (
                "Default Admin API Key",
                "Use it for anything that is not a search operation. Caution! Do not expose it on a public frontend",
                &[Action::All],
            ),
            ("Default Search API Key", "Use it to search from the frontend", &[Action::Search]),
        ];
        let mut age = Duration::ZERO;
        keys.map(|(name, description, actions)| {
            // Lists are ordered by it, so no two may be the same.
            age += Duration::NANOSECOND;
            let asked = CreateKey {
                description: Some(description.to_owned()),
                name: Some(name.to_owned()),
                uid: None,
                actions: actions.to_vec(),
                indexes: vec![IndexUidPattern::all()],
                expires_at: None,
            };
            Self::new(asked, now + age)
        })
    }

    /// Changes what can be changed.
    pub fn update(&mut self, change: UpdateKey, now: OffsetDateTime) {
        for (field, change) in [(&mut self.name, change.name), (&mut self.description, change.description)] {
            match change {
                Setting::NotSet => {}
                Setting::Reset => *field = None,
                Setting::Set(text) => *field = Some(text),
            }
        }
        self.updated_at = now;
    }

    /// Whether the key is good for every index.
    pub fn is_for_all_indexes(&self) -> bool {
        self.indexes.iter().any(IndexUidPattern::is_all)
    }

    /// Whether the key is good for this index, whatever it allows there.
    pub fn is_for_index(&self, uid: &str) -> bool {
        self.indexes.iter().any(|pattern| pattern.matches(uid))
    }

    /// Whether the key allows an action in an index, or without one. What is about no index and is checked index by
    /// index later is allowed by a key for any of them.
    pub fn allows(&self, action: Action, index: Option<&str>, now: OffsetDateTime) -> bool {
        let in_scope = match index {
            _ if self.is_for_all_indexes() => true,
            Some(index) => self.is_for_index(index),
            None => action.is_checked_by_index() && !self.indexes.is_empty(),
        };
        in_scope && self.has(action) && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether the action is among those the key has.
    pub fn has(&self, action: Action) -> bool {
        self.actions.iter().any(|had| had.allows(action))
    }

    /// The key as it is shown.
    pub fn view(&self, value: String) -> KeyView {
        KeyView {
            name: self.name.clone(),
            description: self.description.clone(),
            key: value,
            uid: self.uid,
            actions: self.actions.clone(),
            indexes: self.indexes.clone(),
            expires_at: self.expires_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2030-01-01 0:00 UTC);

    fn key(actions: &[Action], indexes: &[&str]) -> Key {
        let indexes = indexes.iter().map(|index| (*index).to_owned().try_into().expect("a pattern"));
        let asked = CreateKey {
            description: None,
            name: None,
            uid: None,
            actions: actions.to_vec(),
            indexes: indexes.collect(),
            expires_at: Some(datetime!(2031-01-01 0:00 UTC)),
        };
        Key::new(asked, NOW)
    }

    #[test]
    fn a_key_is_good_for_its_actions_in_its_indexes() {
        let key = key(&[Action::Search, Action::DocumentsAdd], &["mov*", "books"]);
        assert!(key.allows(Action::Search, Some("movies"), NOW));
        assert!(key.allows(Action::Search, Some("books"), NOW));
        assert!(!key.allows(Action::Search, Some("books2"), NOW));
        assert!(!key.allows(Action::SettingsGet, Some("movies"), NOW));
    }

    #[test]
    fn without_an_index_a_key_for_some_does_what_is_checked_later() {
        let key = key(&[Action::Search, Action::DocumentsAdd], &["mov*"]);
        assert!(key.allows(Action::Search, None, NOW));
        assert!(!key.allows(Action::DocumentsAdd, None, NOW));
        assert!(!self::key(&[Action::Search], &[]).allows(Action::Search, None, NOW));
    }

    #[test]
    fn a_key_ends() {
        let key = key(&[Action::All], &["*"]);
        assert!(key.allows(Action::Search, None, datetime!(2030-12-31 23:59 UTC)));
        assert!(!key.allows(Action::Search, None, datetime!(2031-01-01 0:00 UTC)));
    }

    #[test]
    fn names_are_set_reset_and_left() {
        let mut key = Key { name: Some("old".to_owned()), ..key(&[Action::All], &["*"]) };
        let change = UpdateKey { description: Setting::Set("new".to_owned()), name: Setting::NotSet };
        key.update(change, datetime!(2030-06-01 0:00 UTC));
        assert_eq!((key.name.as_deref(), key.description.as_deref()), (Some("old"), Some("new")));
        key.update(UpdateKey { description: Setting::Reset, name: Setting::Reset }, NOW);
        assert_eq!((key.name, key.description), (None, None));
    }

    #[test]
    fn a_new_server_has_four_keys() {
        let keys = Key::defaults(NOW);
        assert!(keys.windows(2).all(|pair| pair[0].created_at < pair[1].created_at));
        assert!(keys[3].allows(Action::Search, None, NOW) && !keys[3].allows(Action::Version, None, NOW));
    }
}
