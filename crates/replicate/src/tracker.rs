//! Finishes tasks, in log order, as soon as enough copies have applied them.

mod catalog;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use miroir_log::{Catalog, Entry, Finished, Log, LogError, Operation, Outcome, Selection};
use miroir_protocol::size_text;
use miroir_shard::Group;
use serde_json::{Value, json};
use time::OffsetDateTime;

use self::catalog::{catalog_changes, renames};
use crate::{
    completion::applied_everywhere,
    counts::{Counted, Counts},
    prepared::{Effect, Prepared},
    progress::Progress,
    release::Release,
    topology::{CurrentTopology, Topology},
    work::Work,
};

/// How many tasks are finished in one transaction.
const BATCH: usize = 512;
/// How often the fleet is looked at even where no node moves: a group that goes down stops being waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// The same while a task waits for it.
const LOOK_SOON: Duration = Duration::from_millis(100);

/// The one task that finishes tasks.
pub(crate) struct Tracker {
    log: Arc<dyn Log>,
    progress: Arc<Progress>,
    release: Arc<Release>,
    topology: CurrentTopology,
    next: u32,
    trimmed: u32,
}

impl Tracker {
    pub(crate) fn new(
        log: Arc<dyn Log>,
        progress: Arc<Progress>,
        release: Arc<Release>,
        topology: CurrentTopology,
    ) -> Self {
        let next = *progress.finished().borrow();
        Self { log, progress, release, topology, next, trimmed: 0 }
    }

    /// Finishes tasks until the log is closed.
    pub(crate) async fn run(mut self) {
        let mut moved = self.progress.moved();
        let progress = self.progress.clone();
        loop {
            moved.mark_unchanged();
            let prepared = progress.prepared().changed();
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
                biased;
                _ = moved.changed() => {}
                () = prepared => {}
                () = tokio::time::sleep(self.until_next_look()) => {}
            }
        }
    }

    fn until_next_look(&self) -> Duration {
        if self.next < self.release.position() { LOOK_SOON } else { LOOK_AGAIN }
    }

    /// Finishes the next few tasks; false where none is ready.
    async fn finish_some(&mut self) -> Result<bool, LogError> {
        // What has not been released may yet be canceled or decided in another way.
        let released = self.release.position();
        if self.next >= released {
            return Ok(false);
        }
        let applied = applied_everywhere(&self.topology.load(), &self.progress);
        // The next one may be refused, which takes no node.
        let ready = (applied.saturating_sub(self.next) as usize).clamp(1, BATCH);
        let works = Work::read(&*self.log, self.next, ready).await?;
        let mut catalog = self.log.catalog();
        let mut touched = BTreeMap::new();
        let mut finished = Vec::new();
        let (mut bytes, mut next) = (0, self.next);
        let ready =
            |work: &&Work| work.uid() < released && (work.uid() < applied || !work.prepared.is_sent());
        for work in works.iter().take_while(ready) {
            if deletes_tasks(work) {
                // What it is about has to have ended.
                if next > self.next {
                    break;
                }
                self.log.delete_tasks(work.uid()).await?;
                next = work.uid() + 1;
                break;
            }
            next = work.uid() + 1;
            bytes += work.bytes();
            if work.finished {
                continue;
            }
            let end = self.end_of(work, &catalog);
            for change in &end.catalog {
                Arc::make_mut(&mut catalog).apply(change);
            }
            note_touched(&mut touched, work);
            finished.push(end);
        }
        if next == self.next {
            return Ok(false);
        }
        if !finished.is_empty() {
            self.progress.require(&touched);
            self.log.finish(finished).await?;
        }
        self.progress.waited(bytes);
        self.next = next;
        self.progress.set_finished(self.next);
        works.iter().take_while(|work| work.uid() < next).for_each(|work| self.note_settings(work));
        Ok(true)
    }

    /// The nodes' settings are read back once they are said to have changed.
    fn note_settings(&self, work: &Work) {
        let changes =
            matches!(work.entry.operation, Operation::SettingsUpdate { .. }) || work.prepared.creates_index();
        if let Some(uid) = work.entry.index_uid.as_ref().filter(|_| changes) {
            self.progress.changed_settings().note(uid);
        }
    }

    /// Lets go of payloads that every node has applied, the lagging ones too. Done when there is nothing else to do.
    async fn trim(&mut self) -> Result<(), LogError> {
        let topology = self.topology.load();
        let applied = topology.fleet.iter().map(|node| self.progress.applied(node.name())).min();
        let below = applied.unwrap_or(0).min(self.next).min(self.progress.held());
        if below <= self.trimmed {
            return Ok(());
        }
        // What is not known to be applied once this process has died is needed again.
        let known = self.log.watermarks().await?;
        let known = topology.fleet.iter().map(|node| known.get(node.name()).map_or(0, |uid| uid + 1)).min();
        let below = below.min(known.unwrap_or(0));
        if below > self.trimmed {
            self.trimmed = self.log.trim(below).await?.max(below);
        }
        Ok(())
    }

    fn end_of(&self, work: &Work, catalog: &Catalog) -> Finished {
        let now = OffsetDateTime::now_utc();
        let counts = once_per_document(&self.topology.load(), &self.progress.counts(work.uid()));
        let error = match &*work.prepared {
            Prepared::Refused { error, .. } => Some(error),
            Prepared::Apply(effect) => effect.failure.as_ref(),
            Prepared::Settled => None,
        };
        Finished {
            uid: work.uid(),
            outcome: error.cloned().map_or(Outcome::Succeeded, Outcome::Failed),
            details: details(&work.entry, work.prepared.effect(), error.is_none(), counts),
            started_at: (!work.started).then_some(now),
            finished_at: now,
            catalog: catalog_changes(&work.entry, &work.prepared, catalog, now),
            renames: if error.is_none() { renames(&work.entry) } else { Vec::new() },
        }
    }
}

/// Whether an entry deletes tasks, now that those before it have ended.
fn deletes_tasks(work: &Work) -> bool {
    matches!(work.entry.operation, Operation::TaskDeletion { .. }) && !work.finished
}

/// Counts over one copy of everything. Of the groups the one that has counted most is taken, as others may lag behind.
fn once_per_document(topology: &Topology, counts: &BTreeMap<String, Counted>) -> Counts {
    if counts.is_empty() {
        return Counts::default();
    }
    let of_group = |(place, group): (usize, &Group)| {
        let nodes = topology.map.nodes().iter().filter(|node| usize::from(node.group) == place);
        let counted = nodes.filter_map(|node| counts.get(&node.name)).collect();
        Counts::of_group(counted, u64::from(group.replicas.max(1)))
    };
    let groups = topology.map.groups().iter().enumerate().map(of_group);
    groups.max_by_key(|counts| counts.deleted + counts.edited + counts.compacted.0).unwrap_or_default()
}

fn note_touched(touched: &mut BTreeMap<String, u32>, work: &Work) {
    if !work.prepared.is_sent() {
        return;
    }
    if let Operation::IndexSwap { swaps } = &work.entry.operation {
        let names = swaps.iter().flat_map(|swap| [&swap.indexes.0, &swap.indexes.1]);
        touched.extend(names.map(|name| (name.clone(), work.uid() + 1)));
    }
    let Some(uid) = &work.entry.index_uid else { return };
    touched.insert(uid.clone(), work.uid() + 1);
    if let Operation::IndexUpdate { new_uid: Some(new_uid), .. } = &work.entry.operation {
        touched.insert(new_uid.clone(), work.uid() + 1);
    }
}

/// The details that are known at the end only.
fn details(entry: &Entry, effect: Option<&Effect>, succeeded: bool, counts: Counts) -> Option<Value> {
    let deleted = if succeeded { counts.deleted } else { 0 };
    match &entry.operation {
        Operation::DocumentAdditionOrUpdate { payload, .. } => {
            let indexed = if succeeded { effect.map_or(0, |effect| effect.documents) } else { 0 };
            Some(json!({ "receivedDocuments": payload.documents, "indexedDocuments": indexed }))
        }
        Operation::DocumentDeletion { selection } => Some(match selection {
            Selection::All => json!({ "deletedDocuments": deleted }),
            Selection::ByIds { ids } => json!({
                "providedIds": ids.len(),
                // Whatever two nodes counted that both had the shard for a moment.
                "deletedDocuments": deleted.min(ids.len() as u64),
                "originalFilter": null,
            }),
            Selection::ByFilter { filter } => json!({
                "providedIds": 0, "deletedDocuments": deleted, "originalFilter": filter.to_string(),
            }),
        }),
        Operation::DocumentEdition { function, context, filter } => Some(json!({
            "deletedDocuments": succeeded.then_some(deleted),
            "editedDocuments": if succeeded { counts.edited } else { 0 },
            "originalFilter": filter.as_ref().map(Value::to_string),
            "context": context,
            "function": function,
        })),
        Operation::IndexDeletion => Some(json!({ "deletedDocuments": deleted })),
        Operation::IndexCompaction if succeeded && counts.compacted.0 > 0 => {
            let (before, after) = counts.compacted;
            Some(json!({ "preCompactionSize": size_text(before), "postCompactionSize": size_text(after) }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
