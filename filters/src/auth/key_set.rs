//! The keys there are, at one moment.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use arc_swap::ArcSwap;
use hmac::{Hmac, Mac};
use miroir_protocol::keys::Key;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// Where the keys are found.
pub trait KeyStore: Send + Sync + 'static {
    /// The keys there are now. Called once for each request: it has to cost next to nothing.
    fn keys(&self) -> Arc<KeySet>;
}

/// The master key and the API keys, at one moment.
pub struct KeySet {
    master: Option<Box<str>>,
    by_uid: HashMap<Uuid, Arc<Key>>,
    /// By a hash of the key's value that nobody outside can compute: what a request sends is looked up without a trace
    /// in the time it takes, and compared in constant time.
    by_value: HashMap<u64, Vec<Valued>>,
    hasher: RandomState,
}

/// A key with the bytes of its value.
type Valued = ([u8; 32], Arc<Key>);

/// The value of a key, which its bearer sends: HMAC-SHA256 of the uid as text with the master key, in hexadecimal digits.
pub fn key_value(master_key: &str, uid: Uuid) -> String {
    key_bytes(master_key, uid).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn key_bytes(master_key: &str, uid: Uuid) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(master_key.as_bytes()).expect("a MAC takes keys of any length");
    mac.update(uid.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    mac.finalize().into_bytes().into()
}

/// The bytes that 64 hexadecimal digits stand for.
fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        let digits = &text[2 * place..2 * place + 2];
        // A sign would be taken as a part of the number.
        *byte = u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?;
    }
    Some(bytes)
}

// === impl KeySet ===

impl KeySet {
    /// These keys, whose values follow from this master key. Without one, no key opens anything.
    pub fn new(master_key: Option<&str>, keys: impl IntoIterator<Item = Key>) -> Self {
        let mut set = Self {
            master: master_key.map(Box::from),
            by_uid: HashMap::new(),
            by_value: HashMap::new(),
            hasher: RandomState::new(),
        };
        for key in keys.into_iter().map(Arc::new) {
            if let Some(master) = master_key {
                let value = key_bytes(master, key.uid);
                set.by_value.entry(set.hasher.hash_one(value)).or_default().push((value, key.clone()));
            }
            set.by_uid.insert(key.uid, key);
        }
        set
    }

    /// The master key.
    pub fn master_key(&self) -> Option<&str> {
        self.master.as_deref()
    }

    /// Whether this is the master key.
    pub fn is_master(&self, token: &str) -> bool {
        self.master.as_ref().is_some_and(|master| master.as_bytes().ct_eq(token.as_bytes()).into())
    }

    /// The key with this uid.
    pub fn by_uid(&self, uid: Uuid) -> Option<&Arc<Key>> {
        self.by_uid.get(&uid)
    }

    /// The key with this value.
    pub fn by_value(&self, value: &str) -> Option<&Arc<Key>> {
        let value = from_hex(value)?;
        let candidates = self.by_value.get(&self.hasher.hash_one(value))?;
        candidates.iter().find(|(own, _)| own.ct_eq(&value).into()).map(|(_, key)| key)
    }

    /// All keys, the newest first.
    pub fn newest_first(&self) -> Vec<&Arc<Key>> {
        let mut keys: Vec<_> = self.by_uid.values().collect();
        keys.sort_by_key(|key| (std::cmp::Reverse(key.created_at), key.uid));
        keys
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let master = self.master.as_ref().map(|_| "[set]");
        f.debug_struct("KeySet")
            .field("master", &master)
            .field("keys", &self.by_uid.len())
            .finish_non_exhaustive()
    }
}

// === impl KeyStore ===

impl KeyStore for Arc<KeySet> {
    fn keys(&self) -> Arc<KeySet> {
        self.clone()
    }
}

impl KeyStore for ArcSwap<KeySet> {
    fn keys(&self) -> Arc<KeySet> {
        self.load_full()
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn a_keys_value_is_the_one_meilisearch_gives_it() {
        let uid = "9e053497-b180-4b9f-bf10-a4a6fc4ca1b2".parse().expect("a uid");
        let expected = "b387a8dabdc80d4d2069718ca43bad8bcb1ce5d8bb85b31af17a5ea6348317dc";
        assert_eq!(key_value("masterKey", uid), expected);
    }

    #[test]
    fn keys_are_found_by_value_and_uid() {
        let keys = Key::defaults(OffsetDateTime::UNIX_EPOCH);
        let set = KeySet::new(Some("masterKey"), keys.clone());
        for key in &keys {
            let value = key_value("masterKey", key.uid);
            assert_eq!(set.by_value(&value).map(|key| key.uid), Some(key.uid));
            assert_eq!(set.by_value(&value.to_uppercase()).map(|key| key.uid), Some(key.uid));
            assert_eq!(set.by_uid(key.uid).map(|key| key.uid), Some(key.uid));
        }
        let others = [key_value("another", keys[0].uid), "+f".repeat(32), "é".repeat(32), String::new()];
        for value in others {
            assert!(set.by_value(&value).is_none(), "{value}");
        }
        let newest: Vec<Uuid> = set.newest_first().iter().map(|key| key.uid).collect();
        assert_eq!(newest, keys.iter().rev().map(|key| key.uid).collect::<Vec<_>>());
    }

    #[test]
    fn without_a_master_key_no_key_has_a_value() {
        let keys = Key::defaults(OffsetDateTime::UNIX_EPOCH);
        let set = KeySet::new(None, keys.clone());
        assert!(set.by_value(&key_value("", keys[0].uid)).is_none() && !set.is_master(""));
        assert!(set.by_uid(keys[0].uid).is_some());
    }

    #[test]
    fn keys_are_never_printed() {
        assert!(!format!("{:?}", KeySet::new(Some("secret"), [])).contains("secret"));
    }
}
