//! The API keys: kept in the log's records, read through an immutable set that is swapped when one changes.

use std::sync::Arc;

use arc_swap::ArcSwap;
use miroir_filters::auth::{KeySet, KeyStore, key_value};
use miroir_log::{Log, LogError, RecordKind};
use miroir_protocol::{
    error::ResponseError,
    keys::{CreateKey, Key, KeyView, UpdateKey},
};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::write::log_error;

/// The API keys of the gateway.
pub(crate) struct ApiKeys {
    log: Arc<dyn Log>,
    current: ArcSwap<KeySet>,
    /// Held from before a key is looked up until the change is seen, so that changes follow one another.
    changing: Mutex<()>,
}

// === impl ApiKeys ===

impl ApiKeys {
    /// Reads the keys. Where there are none, as at the first start, the default ones are created.
    pub(crate) async fn open(log: Arc<dyn Log>, master_key: Option<&str>) -> Result<Self, LogError> {
        let records = log.records(RecordKind::Key).await?;
        let mut keys = Vec::with_capacity(records.len());
        for (id, record) in records {
            let key: Key = serde_json::from_value(record)
                .map_err(|error| LogError::Damaged(format!("the API key {id} cannot be read: {error}")))?;
            keys.push(key);
        }
        if keys.is_empty() {
            keys.extend(Key::defaults(OffsetDateTime::now_utc()));
            for key in &keys {
                log.put_record(RecordKind::Key, &key.uid.to_string(), record(key)?).await?;
            }
        }
        let current = ArcSwap::from_pointee(KeySet::new(master_key, keys));
        Ok(Self { log, current, changing: Mutex::new(()) })
    }

    /// All keys, the newest first.
    pub(crate) fn list(&self) -> Vec<KeyView> {
        let keys = self.current.load();
        keys.newest_first().into_iter().map(|key| view(&keys, key)).collect()
    }

    /// The key with this uid or value.
    pub(crate) fn get(&self, name: &str) -> Result<KeyView, ResponseError> {
        let keys = self.current.load();
        Ok(view(&keys, find(&keys, name)?))
    }

    /// Creates a key.
    pub(crate) async fn create(&self, asked: CreateKey) -> Result<KeyView, ResponseError> {
        let _changing = self.changing.lock().await;
        if let Some(uid) = asked.uid.filter(|uid| self.current.load().by_uid(*uid).is_some()) {
            return Err(ResponseError::api_key_already_exists(uid));
        }
        self.put(Key::new(asked, OffsetDateTime::now_utc())).await
    }

    /// Changes a key's name and description.
    pub(crate) async fn update(&self, name: &str, change: UpdateKey) -> Result<KeyView, ResponseError> {
        let _changing = self.changing.lock().await;
        let mut key = Key::clone(find(&self.current.load(), name)?);
        key.update(change, OffsetDateTime::now_utc());
        self.put(key).await
    }

    /// Deletes a key.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), ResponseError> {
        let _changing = self.changing.lock().await;
        let uid = find(&self.current.load(), name)?.uid;
        self.log.delete_record(RecordKind::Key, &uid.to_string()).await.map_err(|error| log_error(&error))?;
        self.publish(|keys| keys.retain(|key| key.uid != uid));
        Ok(())
    }

    /// Keeps a key, and only then lets it be seen.
    async fn put(&self, key: Key) -> Result<KeyView, ResponseError> {
        let kept = match record(&key) {
            Ok(record) => self.log.put_record(RecordKind::Key, &key.uid.to_string(), record).await,
            Err(error) => Err(error),
        };
        kept.map_err(|error| log_error(&error))?;
        let uid = key.uid;
        self.publish(|keys| {
            keys.retain(|key| key.uid != uid);
            keys.push(key);
        });
        self.get(&uid.to_string())
    }

    /// Swaps the set. Whoever calls it holds `changing`.
    fn publish(&self, change: impl FnOnce(&mut Vec<Key>)) {
        let before = self.current.load();
        let mut keys: Vec<Key> = before.newest_first().into_iter().map(|key| Key::clone(key)).collect();
        change(&mut keys);
        self.current.store(Arc::new(KeySet::new(before.master_key(), keys)));
    }
}

impl KeyStore for ApiKeys {
    fn keys(&self) -> Arc<KeySet> {
        self.current.load_full()
    }
}

fn record(key: &Key) -> Result<Value, LogError> {
    Ok(serde_json::to_value(key)?)
}

/// The key with this uid or value. One that is not there is named as it was asked for.
fn find<'a>(keys: &'a KeySet, name: &str) -> Result<&'a Arc<Key>, ResponseError> {
    match Uuid::parse_str(name) {
        Ok(uid) => keys.by_uid(uid).ok_or_else(|| ResponseError::api_key_not_found(&uid.to_string())),
        Err(_) => keys.by_value(name).ok_or_else(|| ResponseError::api_key_not_found(name)),
    }
}

fn view(keys: &KeySet, key: &Key) -> KeyView {
    key.view(keys.master_key().map(|master| key_value(master, key.uid)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use miroir_log::{SqliteLog, SqliteOptions};
    use miroir_protocol::keys::{Action, IndexUidPattern};
    use miroir_protocol::settings::Setting;
    use tempfile::TempDir;

    use super::*;

    const MASTER: &str = "masterKey";

    async fn open(directory: &TempDir) -> ApiKeys {
        let log = SqliteLog::open(SqliteOptions::new(directory.path())).expect("a log");
        ApiKeys::open(Arc::new(log), Some(MASTER)).await.expect("keys")
    }

    fn asked(uid: Option<Uuid>) -> CreateKey {
        CreateKey {
            description: None,
            name: Some("mine".to_owned()),
            uid,
            actions: vec![Action::Search],
            indexes: vec![IndexUidPattern::all()],
            expires_at: None,
        }
    }

    #[tokio::test]
    async fn the_default_keys_are_created_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let first = open(&directory).await.list();
        let names: Vec<_> = first.iter().filter_map(|key| key.name.as_deref()).collect();
        let expected = [
            "Default Search API Key",
            "Default Admin API Key",
            "Default Read-Only Admin API Key",
            "Default Chat API Key",
        ];
        assert_eq!(names, expected);
        assert_eq!(open(&directory).await.list(), first);
    }

    #[tokio::test]
    async fn changes_are_seen_at_once_and_after_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let keys = open(&directory).await;
        let made = keys.create(asked(None)).await.expect("a key");
        assert_eq!(keys.list().first(), Some(&made));
        let change = UpdateKey { name: Setting::Reset, ..UpdateKey::default() };
        let changed = keys.update(&made.key, change).await.expect("the key");
        assert_eq!((changed.name.as_deref(), changed.created_at), (None, made.created_at));
        let other = keys.create(asked(None)).await.expect("a key");
        keys.delete(&other.uid.to_string()).await.expect("it was there");
        drop(keys);
        let keys = open(&directory).await;
        assert_eq!(keys.get(&made.uid.to_string()), Ok(changed));
        let gone = keys.get(&other.key).expect_err("deleted");
        assert_eq!(gone.message(), format!("API key `{}` not found.", other.key));
    }

    #[tokio::test]
    async fn of_two_that_create_the_same_key_one_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let keys = open(&directory).await;
        let uid = Some(Uuid::from_u128(7));
        let (one, other) = tokio::join!(keys.create(asked(uid)), keys.create(asked(uid)));
        assert!(one.is_ok());
        assert_eq!(
            other.map_err(|error| error.code_name().to_owned()),
            Err("api_key_already_exists".to_owned())
        );
    }
}
