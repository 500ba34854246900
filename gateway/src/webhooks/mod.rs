//! Webhooks: who is told of finished tasks, and the telling.
//!
//! Tasks that end go on a list in the log, in the transaction that ends them. Each webhook has a worker of its own that
//! takes them off in order: many at once where many have ended, once each. A task leaves the list when every webhook has
//! it or has been given up on, so a restart may tell it a second time, and never not at all.

mod delivery;
mod sender;

use std::{collections::BTreeMap, sync::Arc};

use miroir_log::{Log, LogError, RecordKind};
use miroir_protocol::{
    error::ResponseError,
    webhooks::{Webhook, WebhookChange, WebhookView, check_editable, not_found},
};
use serde_json::json;
use tokio::sync::{Mutex, watch};
use uuid::Uuid;

pub(crate) use self::sender::Sender;
use crate::write::log_error;

/// All webhooks by their uuids.
pub(crate) type All = BTreeMap<Uuid, Webhook>;

/// The webhooks, as the log keeps them. Clones share them.
#[derive(Clone)]
pub(crate) struct Webhooks {
    log: Arc<dyn Log>,
    all: Arc<watch::Sender<All>>,
    /// Changes are made one after another.
    turn: Arc<Mutex<()>>,
}

// === impl Webhooks ===

impl Webhooks {
    /// Those that the log holds. From here on, the log lists the tasks that end, where anyone wants to know.
    pub(crate) async fn load(log: Arc<dyn Log>) -> Result<Self, LogError> {
        let mut all = All::new();
        for (uuid, value) in log.records(RecordKind::Webhook).await? {
            let damaged = |error: String| LogError::Damaged(format!("webhook {uuid}: {error}"));
            let parsed = uuid.parse().map_err(|error: uuid::Error| damaged(error.to_string()))?;
            let webhook = serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
            all.insert(parsed, webhook);
        }
        log.keep_ends(!all.is_empty());
        Ok(Self { log, all: Arc::new(watch::Sender::new(all)), turn: Arc::default() })
    }

    /// All of them, as they are shown.
    pub(crate) fn list(&self) -> Vec<WebhookView> {
        self.all.borrow().iter().map(|(uuid, webhook)| webhook.view(*uuid)).collect()
    }

    /// One of them.
    pub(crate) fn get(&self, uuid: Uuid) -> Result<WebhookView, ResponseError> {
        self.all.borrow().get(&uuid).map(|webhook| webhook.view(uuid)).ok_or_else(|| not_found(uuid))
    }

    /// A new one.
    pub(crate) async fn create(&self, change: WebhookChange) -> Result<WebhookView, ResponseError> {
        let _turn = self.turn.lock().await;
        let uuid = Uuid::new_v4();
        let webhook = change.create(uuid, self.all.borrow().len())?;
        self.put(uuid, webhook).await
    }

    /// Changes one.
    pub(crate) async fn update(
        &self,
        uuid: Uuid,
        change: WebhookChange,
    ) -> Result<WebhookView, ResponseError> {
        check_editable(uuid)?;
        let _turn = self.turn.lock().await;
        let webhook = self.all.borrow().get(&uuid).cloned().ok_or_else(|| not_found(uuid))?;
        self.put(uuid, change.apply(uuid, webhook)?).await
    }

    /// Removes one.
    pub(crate) async fn delete(&self, uuid: Uuid) -> Result<(), ResponseError> {
        check_editable(uuid)?;
        let _turn = self.turn.lock().await;
        let id = uuid.to_string();
        let deleted = self.log.delete_record(RecordKind::Webhook, &id).await;
        if !deleted.map_err(|error| log_error(&error))? {
            return Err(not_found(uuid));
        }
        self.all.send_modify(|all| drop(all.remove(&uuid)));
        self.log.keep_ends(!self.all.borrow().is_empty());
        Ok(())
    }

    async fn put(&self, uuid: Uuid, webhook: Webhook) -> Result<WebhookView, ResponseError> {
        let value = json!(webhook);
        let put = self.log.put_record(RecordKind::Webhook, &uuid.to_string(), value).await;
        put.map_err(|error| log_error(&error))?;
        self.log.keep_ends(true);
        let view = webhook.view(uuid);
        self.all.send_modify(|all| drop(all.insert(uuid, webhook)));
        Ok(view)
    }

    fn subscribe(&self) -> watch::Receiver<All> {
        self.all.subscribe()
    }
}
