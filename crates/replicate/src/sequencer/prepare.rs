//! The decision on one entry.

use std::sync::Arc;

use miroir_log::{Entry, Log, LogError, Method, Operation, Selection};
use miroir_protocol::{
    document::DocumentError,
    error::ResponseError,
    unequal::{unequal_attributes, with_not},
};
use serde_json::Value;

use super::{
    rehearsal::{Edit, Rehearsals},
    swap,
};
use crate::{
    fleet_state::{FleetState, Present},
    head::{Head, HeadIndex},
    payloads::{Doubtful, Open, PayloadError, Payloads, payload_lost},
    prepared::{Effect, Prepared},
    progress::Progress,
    topology::CurrentTopology,
};

/// Either what the entry does or the error its task gets.
type Decision = Result<Effect, ResponseError>;

pub(super) struct Preparer {
    log: Arc<dyn Log>,
    payloads: Arc<Payloads>,
    fleet: FleetState,
    rehearsals: Rehearsals,
    progress: Arc<Progress>,
}

impl Preparer {
    pub(super) fn new(
        log: Arc<dyn Log>,
        payloads: Arc<Payloads>,
        topology: CurrentTopology,
        progress: Arc<Progress>,
    ) -> Self {
        let fleet = FleetState::new(topology.clone(), progress.clone());
        let rehearsals = Rehearsals::new(topology, progress.clone(), payloads.clone(), log.id());
        Self { log, payloads, fleet, rehearsals, progress }
    }

    /// Decides one entry. `None` where that depends on what the nodes hold once everything before it is done, and that is
    /// not all done yet. Fails only where the log or the payload cannot be read; the decision is then open.
    pub(super) async fn prepare(&self, head: &Head, entry: &Entry) -> Result<Option<Prepared>, LogError> {
        let Some(uid) = entry.index_uid.as_deref() else {
            return Ok(Some(match &entry.operation {
                Operation::IndexSwap { swaps } => match swap::check(head, swaps) {
                    Ok(()) => Prepared::Apply(Effect::default()),
                    Err(error) => Prepared::Refused { error, creates_index: false },
                },
                _ => Prepared::Settled,
            }));
        };
        let index = head.index(uid);
        let decision = match &entry.operation {
            Operation::IndexCreation { primary_key } => Some(create_index(uid, index, primary_key)),
            Operation::IndexUpdate { primary_key, new_uid } => {
                self.update_index(head, entry, uid, primary_key.as_ref(), new_uid.as_deref()).await
            }
            Operation::DocumentAdditionOrUpdate { allow_index_creation: false, .. } if index.is_none() => {
                Some(Err(ResponseError::index_not_found(uid)))
            }
            Operation::DocumentAdditionOrUpdate { .. } => self.add_documents(entry, uid, index).await?,
            Operation::SettingsUpdate { settings, allow_index_creation, .. } => {
                Some(change_settings(uid, index, settings, *allow_index_creation))
            }
            Operation::DocumentEdition { .. } => self.edit_documents(entry, uid, index).await,
            Operation::DocumentDeletion { selection: Selection::ByFilter { filter } } => {
                self.delete_by_filter(entry, uid, index, filter).await
            }
            _ => Some(match index {
                Some(index) => Ok(Effect { primary_key: index.primary_key.clone(), ..Effect::default() }),
                None => Err(ResponseError::index_not_found(uid)),
            }),
        };
        let may_create =
            matches!(entry.operation, Operation::DocumentAdditionOrUpdate { allow_index_creation: true, .. });
        Ok(decision.map(|decision| match decision {
            Ok(effect) => Prepared::Apply(effect),
            Err(error) => Prepared::Refused { error, creates_index: may_create && index.is_none() },
        }))
    }

    /// Whether everything before the entry is done.
    fn is_quiet_before(&self, uid: u32) -> bool {
        *self.progress.finished().borrow() >= uid
    }

    async fn update_index(
        &self,
        head: &Head,
        entry: &Entry,
        uid: &str,
        wanted: Option<&String>,
        new_uid: Option<&str>,
    ) -> Option<Decision> {
        let Some(index) = head.index(uid) else { return Some(Err(ResponseError::index_not_found(uid))) };
        if let Some(new_uid) = new_uid.filter(|new_uid| *new_uid != uid && head.index(new_uid).is_some()) {
            return Some(Err(ResponseError::index_already_exists(new_uid)));
        }
        // An index allows another primary key while it is empty.
        if let (Some(wanted), Some(key)) = (wanted, &index.primary_key)
            && key != wanted
        {
            if !self.is_quiet_before(entry.uid) {
                return None;
            }
            if !self.fleet.is_empty_at(entry.uid, uid).await {
                let error = ResponseError::from(DocumentError::PrimaryKeyExists(key.clone()));
                return Some(Err(of_index(uid, error)));
            }
        }
        Some(Ok(Effect {
            sets_primary_key: wanted.filter(|key| index.primary_key.as_ref() != Some(key)).cloned(),
            primary_key: wanted.or(index.primary_key.as_ref()).cloned(),
            ..Effect::default()
        }))
    }

    async fn edit_documents(&self, entry: &Entry, uid: &str, index: Option<&HeadIndex>) -> Option<Decision> {
        let Operation::DocumentEdition { function, context, filter } = &entry.operation else { return None };
        let Some(index) = index else { return Some(Err(ResponseError::index_not_found(uid))) };
        // Without a primary key there are no documents.
        if let Some(primary_key) = index.primary_key.as_deref().filter(|key| self.rehearsals.are_needed(key))
        {
            if !self.is_quiet_before(entry.uid) {
                return None;
            }
            let (context, filter) = (context.as_ref(), filter.as_ref());
            let edit = Edit { uid: entry.uid, index: uid, primary_key, function, context, filter };
            if let Some(error) = self.rehearsals.failure(edit).await {
                return Some(Err(error));
            }
        }
        let filter = match filter {
            Some(filter) => self.told(entry.uid, uid, index, filter).await?,
            None => None,
        };
        Some(Ok(Effect { primary_key: index.primary_key.clone(), filter, ..Effect::default() }))
    }

    async fn delete_by_filter(
        &self,
        entry: &Entry,
        uid: &str,
        index: Option<&HeadIndex>,
        filter: &Value,
    ) -> Option<Decision> {
        let Some(index) = index else { return Some(Err(ResponseError::index_not_found(uid))) };
        let filter = self.told(entry.uid, uid, index, filter).await?;
        Some(Ok(Effect { primary_key: index.primary_key.clone(), filter, ..Effect::default() }))
    }

    /// A filter as nodes are to be told it, if that is not as the client wrote it: a node that has none of the documents with an
    /// attribute finds nothing by `!=`, where one node with all of them does. `None` where it is not known yet whether any
    /// has; a node that does not answer is not waited for.
    async fn told(
        &self,
        position: u32,
        uid: &str,
        index: &HeadIndex,
        filter: &Value,
    ) -> Option<Option<Value>> {
        let names = unequal_attributes(filter);
        if names.is_empty() {
            return Some(None);
        }
        let is_quiet = self.is_quiet_before(position);
        let attributes = self.fleet.attributes(uid, index.only_grows_from).await;
        let is_known = |name: &String| attributes.known.contains(name);
        let is_decided = is_quiet || attributes.is_one_silent || names.iter().all(is_known);
        is_decided.then(|| with_not(filter, |name| attributes.known.contains(name)))
    }

    async fn add_documents(
        &self,
        entry: &Entry,
        uid: &str,
        index: Option<&HeadIndex>,
    ) -> Result<Option<Decision>, LogError> {
        let Operation::DocumentAdditionOrUpdate { primary_key: wanted, payload, .. } = &entry.operation
        else {
            return Ok(None);
        };
        let known = index.and_then(|index| index.primary_key.as_ref());
        // A write without documents has nothing that could have another key.
        if let (Some(known), Some(wanted)) = (known, wanted)
            && known != wanted
            && payload.documents > 0
        {
            return Ok(Some(Err(DocumentError::PrimaryKeyExists(known.clone()).into())));
        }
        let mut effect = Effect { creates_index: index.is_none(), ..Effect::default() };
        effect.primary_key = known.or(wanted.as_ref()).cloned();
        if payload.documents > 0 {
            if effect.primary_key.is_none() {
                effect.primary_key = match self.payloads.infer_primary_key(payload).await {
                    Ok(key) => key,
                    Err(error) => return refused(error),
                };
            }
            let key = effect.primary_key.clone().unwrap_or_default();
            let new = HeadIndex::default();
            let rules = &index.unwrap_or(&new).rules;
            let split = match self.payloads.split(entry.uid, payload, &key, Some(rules)).await {
                Ok(split) => split,
                Err(error) => return refused(error),
            };
            effect.documents = split.documents();
            if split.is_doubtful() {
                match self.judge(entry, uid, index, &key).await {
                    Ok(None) => {}
                    Ok(Some(error)) => return Ok(Some(Err(of_index(uid, error)))),
                    Err(Open::Unknown) => return Ok(None),
                    Err(Open::Payload(error)) => return refused(error),
                }
            }
        }
        if !effect.creates_index && known.is_none() {
            effect.sets_primary_key.clone_from(&effect.primary_key);
        }
        Ok(Some(Ok(effect)))
    }

    /// What documents that may be refused are refused with. Where everything before them is done, by what there is then: a
    /// change of settings that was to be made before may have failed.
    async fn judge(
        &self,
        entry: &Entry,
        uid: &str,
        index: Option<&HeadIndex>,
        key: &str,
    ) -> Result<Option<ResponseError>, Open> {
        let Operation::DocumentAdditionOrUpdate { method, skip_creation, payload, .. } = &entry.operation
        else {
            return Ok(None);
        };
        let is_quiet = self.is_quiet_before(entry.uid);
        let catalog = self.log.catalog();
        let now = catalog.index(uid).filter(|_| is_quiet);
        let now = now.map(|record| HeadIndex::default().with_settings(&record.settings));
        let new = HeadIndex::default();
        let rules = &now.as_ref().or(index).unwrap_or(&new).rules;
        let (merges, skips_new) = (*method == Method::Update, *skip_creation);
        let doubtful = Doubtful { payload, primary_key: key, rules, merges, skips_new };
        let present = Present {
            fleet: &self.fleet,
            index: uid,
            primary_key: key,
            position: index.map(|index| if is_quiet { entry.uid } else { index.only_grows_from }),
            patient: is_quiet,
        };
        match self.payloads.judge(doubtful, &present).await? {
            Some(_) if !is_quiet => Err(Open::Unknown),
            decided => Ok(decided),
        }
    }
}

/// An error that comes from inside of an index.
fn of_index(uid: &str, error: ResponseError) -> ResponseError {
    error.map_message(|text| format!("Index `{uid}`: {text}"))
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

/// A document's error is the task's, and so is the loss of the documents; any other one of the disk is not the client's.
fn refused(error: PayloadError) -> Result<Option<Decision>, LogError> {
    match error {
        PayloadError::Document(error) => Ok(Some(Err(error))),
        PayloadError::Log(error) if error.is_lost_payload() => Ok(Some(Err(payload_lost(&error)))),
        PayloadError::Log(error) => Err(error),
    }
}
