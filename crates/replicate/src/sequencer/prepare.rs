//! The decision on one entry.

use std::sync::Arc;

use miroir_log::{Entry, LogError, Operation, PayloadRef};
use miroir_protocol::{document::DocumentError, error::ResponseError};
use serde_json::Value;

use super::swap;
use crate::{
    fleet_state::FleetState,
    head::{Head, HeadIndex},
    payloads::{PayloadError, Payloads},
    prepared::{Effect, Prepared},
    progress::Progress,
};

/// Either what the entry does or the error its task gets.
type Decision = Result<Effect, ResponseError>;

pub(super) struct Preparer {
    payloads: Arc<Payloads>,
    fleet: FleetState,
    progress: Arc<Progress>,
}

impl Preparer {
    pub(super) fn new(payloads: Arc<Payloads>, fleet: FleetState, progress: Arc<Progress>) -> Self {
        Self { payloads, fleet, progress }
    }

    /// Whether the decision depends on what the nodes hold once everything before the entry is done: only where a
    /// primary key would change, which an index allows while it is empty.
    pub(super) fn needs_quiet(head: &Head, entry: &Entry) -> bool {
        let Operation::IndexUpdate { primary_key: Some(wanted), .. } = &entry.operation else { return false };
        let index = entry.index_uid.as_deref().and_then(|uid| head.index(uid));
        index.is_some_and(|index| index.primary_key.as_ref().is_some_and(|key| key != wanted))
    }

    /// Decides one entry. Fails only where the log or the payload cannot be read; the decision is then open.
    pub(super) async fn prepare(&self, head: &Head, entry: &Entry) -> Result<Prepared, LogError> {
        let Some(uid) = entry.index_uid.as_deref() else {
            return Ok(match &entry.operation {
                Operation::IndexSwap { swaps } => match swap::check(head, swaps) {
                    Ok(()) => Prepared::Apply(Effect::default()),
                    Err(error) => Prepared::Refused { error, creates_index: false },
                },
                _ => Prepared::Settled,
            });
        };
        let index = head.index(uid);
        let decision = match &entry.operation {
            Operation::IndexCreation { primary_key } => create_index(uid, index, primary_key),
            Operation::IndexUpdate { primary_key, new_uid } => {
                self.update_index(head, entry, uid, primary_key.as_ref(), new_uid.as_deref()).await
            }
            Operation::DocumentAdditionOrUpdate { primary_key, payload, allow_index_creation, .. } => {
                if index.is_none() && !allow_index_creation {
                    Err(ResponseError::index_not_found(uid))
                } else {
                    self.add_documents(entry.uid, index, primary_key.as_ref(), payload).await?
                }
            }
            Operation::SettingsUpdate { settings, allow_index_creation, .. } => {
                change_settings(uid, index, settings, *allow_index_creation)
            }
            _ => match index {
                Some(index) => Ok(Effect { primary_key: index.primary_key.clone(), ..Effect::default() }),
                None => Err(ResponseError::index_not_found(uid)),
            },
        };
        let may_create =
            matches!(entry.operation, Operation::DocumentAdditionOrUpdate { allow_index_creation: true, .. });
        Ok(match decision {
            Ok(effect) => Prepared::Apply(effect),
            Err(error) => Prepared::Refused { error, creates_index: may_create && index.is_none() },
        })
    }

    async fn update_index(
        &self,
        head: &Head,
        entry: &Entry,
        uid: &str,
        wanted: Option<&String>,
        new_uid: Option<&str>,
    ) -> Decision {
        let index = head.index(uid).ok_or_else(|| ResponseError::index_not_found(uid))?;
        if let Some(new_uid) = new_uid.filter(|new_uid| *new_uid != uid && head.index(new_uid).is_some()) {
            return Err(ResponseError::index_already_exists(new_uid));
        }
        if Self::needs_quiet(head, entry)
            && let Some(key) = &index.primary_key
        {
            self.wait_for_all_before(entry.uid).await;
            if !self.fleet.is_empty_at(entry.uid, uid).await {
                let error = ResponseError::from(DocumentError::PrimaryKeyExists(key.clone()));
                return Err(error.map_message(|text| format!("Index `{uid}`: {text}")));
            }
        }
        Ok(Effect {
            sets_primary_key: wanted.filter(|key| index.primary_key.as_ref() != Some(key)).cloned(),
            primary_key: wanted.or(index.primary_key.as_ref()).cloned(),
            ..Effect::default()
        })
    }

    async fn wait_for_all_before(&self, uid: u32) {
        // The sender lives as long as the progress that this holds.
        let _ = self.progress.finished().wait_for(|finished| *finished >= uid).await;
    }

    async fn add_documents(
        &self,
        entry_uid: u32,
        index: Option<&HeadIndex>,
        wanted: Option<&String>,
        payload: &PayloadRef,
    ) -> Result<Decision, LogError> {
        let known = index.and_then(|index| index.primary_key.as_ref());
        if let (Some(known), Some(wanted)) = (known, wanted)
            && known != wanted
        {
            return Ok(Err(DocumentError::PrimaryKeyExists(known.clone()).into()));
        }
        let mut effect =
            Effect { creates_index: index.is_none(), documents: payload.documents, ..Effect::default() };
        effect.primary_key = known.or(wanted).cloned();
        if payload.documents > 0 {
            if effect.primary_key.is_none() {
                effect.primary_key = match self.payloads.infer_primary_key(payload).await {
                    Ok(key) => key,
                    Err(error) => return refused(error),
                };
            }
            let key = effect.primary_key.clone().unwrap_or_default();
            if let Err(error) = self.payloads.split(entry_uid, payload, &key).await {
                return refused(error);
            }
        }
        if !effect.creates_index && known.is_none() {
            effect.sets_primary_key.clone_from(&effect.primary_key);
        }
        Ok(Ok(effect))
    }
}

fn create_index(uid: &str, index: Option<&HeadIndex>, primary_key: &Option<String>) -> Decision {
    match index {
        Some(_) => Err(ResponseError::index_already_exists(uid)),
        None => Ok(Effect { creates_index: true, primary_key: primary_key.clone(), ..Effect::default() }),
    }
}

fn change_settings(uid: &str, index: Option<&HeadIndex>, change: &Value, creates: bool) -> Decision {
    let new = HeadIndex::default();
    let known =
        index.or_else(|| creates.then_some(&new)).ok_or_else(|| ResponseError::index_not_found(uid))?;
    Ok(Effect {
        creates_index: index.is_none(),
        primary_key: known.primary_key.clone(),
        embedders: known.embedders_after(change),
        ..Effect::default()
    })
}

/// A document's error is the task's; one of the disk is not the client's.
fn refused(error: PayloadError) -> Result<Decision, LogError> {
    match error {
        PayloadError::Document(error) => Ok(Err(error)),
        PayloadError::Log(error) => Err(error),
    }
}
