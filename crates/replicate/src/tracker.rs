//! Finishes tasks, in log order, as soon as enough copies have applied them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use miroir_log::{
    Catalog, CatalogChange, Entry, Finished, IndexRecord, Log, LogError, Operation, Outcome, Selection,
};
use miroir_protocol::settings::Settings;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    completion::applied_everywhere,
    prepared::{Effect, Prepared},
    progress::{NodeResult, Progress},
    topology::CurrentTopology,
    work::Work,
};

/// How many tasks are finished in one transaction.
const BATCH: usize = 512;
/// How often the fleet is looked at even where no node moves: a group that goes down stops being waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The one task that finishes tasks.
pub(crate) struct Tracker {
    log: Arc<dyn Log>,
    progress: Arc<Progress>,
    topology: CurrentTopology,
    next: u32,
    trimmed: u32,
}

impl Tracker {
    pub(crate) fn new(log: Arc<dyn Log>, progress: Arc<Progress>, topology: CurrentTopology) -> Self {
        let next = *progress.finished().borrow();
        Self { log, progress, topology, next, trimmed: 0 }
    }

    /// Finishes tasks until the log is closed.
    pub(crate) async fn run(mut self) {
        let mut moved = self.progress.moved();
        let mut prepared = self.progress.prepared();
        loop {
            moved.mark_unchanged();
            prepared.mark_unchanged();
            let step = match self.finish_some().await {
                Ok(false) => self.trim().await.map(|()| false),
                step => step,
            };
            match step {
                Ok(true) => continue,
                Ok(false) => {}
                Err(LogError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, next = self.next, "tasks not finished, trying again");
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            }
            tokio::select! {
                _ = moved.changed() => {}
                _ = prepared.changed() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// Finishes the next few tasks; false where none is ready.
    async fn finish_some(&mut self) -> Result<bool, LogError> {
        if self.next >= *self.progress.prepared().borrow() {
            return Ok(false);
        }
        let applied = applied_everywhere(&self.topology.load(), &self.progress);
        let mut catalog = Catalog::clone(&self.log.catalog());
        let mut touched = BTreeMap::new();
        let mut finished = Vec::new();
        let mut bytes = 0;
        for work in Work::read(&*self.log, self.next, BATCH).await? {
            let refused = matches!(*work.prepared, Prepared::Refused { .. });
            if work.uid() >= applied && !refused {
                break;
            }
            let end = self.end_of(&work, &catalog);
            for change in &end.catalog {
                catalog.apply(change);
            }
            note_touched(&mut touched, &work);
            bytes += work.entry.operation.payload().map_or(0, |payload| payload.bytes);
            finished.push(end);
        }
        let Some(last) = finished.last().map(|end| end.uid) else { return Ok(false) };
        self.progress.require(&touched);
        self.log.finish(finished).await?;
        self.progress.waited(bytes);
        self.next = last + 1;
        self.progress.set_finished(self.next);
        Ok(true)
    }

    /// Lets go of payloads that every node has applied, the lagging ones too. Done when there is nothing else to do.
    async fn trim(&mut self) -> Result<(), LogError> {
        let topology = self.topology.load();
        let applied = topology.fleet.iter().map(|node| self.progress.applied(node.name())).min();
        let below = applied.unwrap_or(0).min(self.next);
        if below > self.trimmed {
            self.trimmed = self.log.trim(below).await?.max(below);
        }
        Ok(())
    }

    fn end_of(&self, work: &Work, catalog: &Catalog) -> Finished {
        let now = OffsetDateTime::now_utc();
        let results = self.progress.results(work.uid());
        let error = match &*work.prepared {
            Prepared::Refused { error } => Some(error.clone()),
            Prepared::Apply(_) => results.values().find_map(|result| result.error.clone()),
        };
        let outcome = error.map_or(Outcome::Succeeded, Outcome::Failed);
        let succeeded = outcome == Outcome::Succeeded;
        let effect = work.prepared.effect();
        let changes = match effect {
            Some(effect) if succeeded => catalog_changes(&work.entry, effect, catalog, now),
            _ => Vec::new(),
        };
        Finished {
            uid: work.uid(),
            details: details(&work.entry, effect, succeeded, &self.once_per_document(&results)),
            outcome,
            started_at: None,
            finished_at: now,
            catalog: changes,
        }
    }

    /// Counts summed over one copy of everything: the first group's nodes.
    fn once_per_document(&self, results: &BTreeMap<String, NodeResult>) -> NodeResult {
        let topology = self.topology.load();
        let replicas = topology.map.groups().first().map_or(1, |group| u64::from(group.replicas.max(1)));
        let first_group = topology.map.nodes().iter().filter(|node| node.group == 0);
        let mut sum = NodeResult::default();
        for result in first_group.filter_map(|node| results.get(&node.name)) {
            sum.deleted += result.deleted;
            sum.edited += result.edited;
        }
        NodeResult { deleted: sum.deleted / replicas, edited: sum.edited / replicas, error: None }
    }
}

fn note_touched(touched: &mut BTreeMap<String, u32>, work: &Work) {
    let Some(uid) = &work.entry.index_uid else { return };
    if work.prepared.effect().is_none() {
        return;
    }
    touched.insert(uid.clone(), work.uid() + 1);
    if let Operation::IndexUpdate { new_uid: Some(new_uid), .. } = &work.entry.operation {
        touched.insert(new_uid.clone(), work.uid() + 1);
    }
}

/// What clients see of the indexes once the entry is applied.
fn catalog_changes(
    entry: &Entry,
    effect: &Effect,
    catalog: &Catalog,
    now: OffsetDateTime,
) -> Vec<CatalogChange> {
    let Some(uid) = &entry.index_uid else { return Vec::new() };
    if entry.operation == Operation::IndexDeletion {
        return vec![CatalogChange::Remove { uid: uid.clone() }];
    }
    let mut record = catalog.index(uid).cloned().unwrap_or_else(|| IndexRecord {
        uid: uid.clone(),
        primary_key: None,
        created_at: now,
        updated_at: now,
        settings: json!({}),
    });
    record.updated_at = now;
    record.primary_key.clone_from(&effect.primary_key);
    let mut changes = Vec::new();
    match &entry.operation {
        Operation::SettingsUpdate { settings, .. } => record.settings = changed(&record.settings, settings),
        Operation::IndexUpdate { new_uid: Some(new_uid), .. } if new_uid != uid => {
            changes.push(CatalogChange::Remove { uid: uid.clone() });
            record.uid.clone_from(new_uid);
        }
        _ => {}
    }
    changes.push(CatalogChange::Put(record));
    changes
}

/// The settings that clients see after a change. What cannot be read is the change's own: it was checked when it was
/// taken.
fn changed(settings: &Value, patch: &Value) -> Value {
    let read = |value: &Value| Settings::from_value(value.clone()).unwrap_or_default();
    let mut settings = read(settings);
    settings.apply(&read(patch));
    settings.to_value()
}

/// The details that are known at the end only.
fn details(entry: &Entry, effect: Option<&Effect>, succeeded: bool, counts: &NodeResult) -> Option<Value> {
    let deleted = if succeeded { counts.deleted } else { 0 };
    match &entry.operation {
        Operation::DocumentAdditionOrUpdate { payload, .. } => {
            let indexed = if succeeded { effect.map_or(0, |effect| effect.documents) } else { 0 };
            Some(json!({ "receivedDocuments": payload.documents, "indexedDocuments": indexed }))
        }
        Operation::DocumentDeletion { selection } => Some(match selection {
            Selection::All => json!({ "deletedDocuments": deleted }),
            Selection::ByIds { ids } => {
                json!({ "providedIds": ids.len(), "deletedDocuments": deleted, "originalFilter": null })
            }
            Selection::ByFilter { filter } => json!({
                "providedIds": 0, "deletedDocuments": deleted, "originalFilter": filter.to_string(),
            }),
        }),
        Operation::DocumentEdition { function, context, filter } => Some(json!({
            "deletedDocuments": deleted,
            "editedDocuments": if succeeded { counts.edited } else { 0 },
            "originalFilter": filter.as_ref().map(Value::to_string),
            "context": context,
            "function": function,
        })),
        Operation::IndexDeletion => Some(json!({ "deletedDocuments": deleted })),
        _ => None,
    }
}
