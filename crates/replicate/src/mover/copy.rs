//! Copies of documents for a [`Wave`]: read from whoever is read for them, put where they go.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use miroir_log::{Operation, Selection};
use miroir_nodes::{HealthState, Node, probe};
use miroir_shard::{Move, SlotSet, slots_filter};
use tokio::time::{Instant, sleep};

use super::{
    remote::{MoveError, Remote},
    wave::{CATCH_UP, Wave},
};
use crate::{
    applier::{Errand, ErrandError, Span, exchanged},
    work::Work,
};

/// How many documents are read and written at once, about.
const CHUNK: u64 = 1_000;
/// How many chunks the node is given before it has to be done with them. It takes several that wait together in one go.
const AHEAD: usize = 8;
/// How often a chunk is read again because of what was written meanwhile.
const REREADS: u32 = 200;
const REREAD: Duration = Duration::from_millis(20);
/// How long a node may be away that copies are read from.
const AWAY: Duration = Duration::from_secs(60);
/// How often one is asked for again that was not given.
const RETRIES: u32 = 5;
const RETRY: Duration = Duration::from_secs(1);
/// How long it may take to show that its data are what they were.
const LOOK: Duration = Duration::from_secs(10);

impl Wave<'_> {
    /// Copies the shards, of all indexes or of one. Each index starts where its copy was read. What is copied is with the
    /// node in the end.
    pub(super) async fn copy(&mut self, only: Option<&BTreeSet<String>>) -> Result<(), MoveError> {
        let map = self.mover.topology.load().map.clone();
        let mut sources = BTreeMap::<String, (Node, SlotSet)>::new();
        for step in self.moves {
            let slots = map.slots_of(step.shard);
            if let Some(node) = self.source(step).await? {
                let source = sources.entry(node.name().to_owned());
                source.or_insert((node, SlotSet::default())).1.extend(slots);
            }
        }
        for (source, slots) in sources.values() {
            self.copy_from(source, slots, map.code_bits(), only).await?;
        }
        self.follow_to_the_end().await
    }

    /// Who gives a shard. A node that is busy, or away for a while, is waited for: what has been copied would be copied again.
    async fn source(&self, step: &Move) -> Result<Option<Node>, MoveError> {
        let find = || self.mover.busy_source(step.shard, self.to.name());
        // Where nobody has it any more it is what the log says from where the wave starts, which is before anything that
        // the node had not applied whose loss was accepted.
        let is_lost = || self.mover.is_given_up(step.shard);
        match self.until(AWAY, || find().is_ok() || is_lost()).await {
            Err(MoveError::Changed) => Err(MoveError::Changed),
            _ if is_lost() => Ok(find().ok()),
            _ => find().map(Some),
        }
    }

    async fn copy_from(
        &mut self,
        source: &Node,
        slots: &SlotSet,
        code_bits: u32,
        only: Option<&BTreeSet<String>>,
    ) -> Result<(), MoveError> {
        let mut indexes = Remote(source).indexes().await?;
        indexes.retain(|index| only.is_none_or(|only| only.contains(index)));
        let filter = slots_filter(slots, code_bits);
        for index in &indexes {
            let count = Remote(source).count(index, &filter).await?;
            let parts = usize::try_from(count.div_ceil(CHUNK)).unwrap_or(1).max(1);
            for part in split(slots, parts) {
                self.still_wanted()?;
                self.copy_part(source, index, Arc::new(part), code_bits).await?;
            }
        }
        self.vouch_for(source).await
    }

    /// A node may have come back without its data, or with older ones, since it was last looked at: what it has given then is
    /// not what it should have given.
    async fn vouch_for(&self, source: &Node) -> Result<(), MoveError> {
        for _ in 0..RETRIES {
            if probe(source, LOOK).await {
                return Ok(());
            }
            if source.health().state() == HealthState::Lost {
                break;
            }
            self.still_wanted()?;
            sleep(RETRY).await;
        }
        Err(Remote(source).failed("its data are not known to be what they were"))
    }

    /// Notes tasks of the node, and waits where there are many.
    async fn follow(&mut self, tasks: &[u32]) -> Result<(), MoveError> {
        self.open.extend(tasks);
        if self.open.len() < AHEAD { Ok(()) } else { self.follow_to_the_end().await }
    }

    async fn follow_to_the_end(&mut self) -> Result<(), MoveError> {
        let open = std::mem::take(&mut self.open);
        Remote(&self.to).done(&self.tasks, &open).await
    }

    async fn copy_part(
        &mut self,
        source: &Node,
        index: &str,
        slots: Arc<SlotSet>,
        code_bits: u32,
    ) -> Result<(), MoveError> {
        let began = Instant::now();
        let filter = slots_filter(&slots, code_bits);
        let mut reads = 0;
        let (documents, span) = loop {
            let first = self.mover.progress.applied(source.name());
            let read = Remote(source).documents(index, &filter).await;
            let span = Span { first, last: self.mover.progress.sent(source.name()) };
            reads += 1;
            match read {
                Ok(Some(documents)) if self.is_converging(index, span).await? => break (documents, span),
                // It was exchanged or deleted since it was listed, of which the log tells when it is done again. A node that has
                // lost it is found out in the end.
                Ok(None) => return Ok(()),
                Ok(_) if reads > REREADS => {
                    return Err(Remote(source).failed("its documents change all the time"));
                }
                Err(error) if reads > RETRIES || !source.health().is_trusted() => return Err(error),
                Ok(_) => sleep(REREAD).await,
                // It may be busy.
                Err(_) => sleep(RETRY).await,
            }
            self.still_wanted()?;
        };
        if !documents.results.is_empty() {
            let payload = documents.payload();
            self.mover.copied(documents.total, payload.len() as u64);
            let errand = Errand::Put { index: index.to_owned(), documents: payload, span };
            match self.mover.crew.order(self.to.name(), errand).await {
                Ok(done) => self.follow(&done.tasks).await?,
                // It is copied again, once the source has it as it is now.
                Err(ErrandError::Superseded(_)) => {}
                Err(error) => return Err(Remote(&self.to).failed(error)),
            }
        }
        self.starts.copied(index, slots, span);
        // Searches and writes come first: as long again as half of what it took.
        sleep(began.elapsed() / 2).await;
        Ok(())
    }

    /// Whether doing again what the log says from the beginning of the span on ends at the same documents, wherever in the
    /// span they were read. Writes of documents by their ids do; what depends on what else is there does not.
    async fn is_converging(&self, index: &str, span: Span) -> Result<bool, MoveError> {
        if span.last == u32::MAX {
            return Ok(false);
        }
        let mut next = span.first;
        while next < span.last {
            let works = Work::read(&*self.mover.log, next, 256).await?;
            let Some(last) = works.last().map(Work::uid) else { return Ok(true) };
            for work in works.iter().filter(|work| work.uid() < span.last && work.prepared.is_sent()) {
                let own = work.entry.index_uid.as_deref() == Some(index);
                if exchanged(work).contains(&index) || (own && !converges(&work.entry.operation)) {
                    return Ok(false);
                }
            }
            next = last + 1;
        }
        Ok(true)
    }

    /// Indexes have become others: what was copied of them is replaced by what they are now, wherever it has come to.
    pub(super) async fn copy_again(&mut self, changed: BTreeSet<String>) -> Result<(), MoveError> {
        let known = self.mover.progress.sent(self.to.name());
        let indexes = self.exchanged_with(changed).await?;
        // Those that become others from here on are told of when the log is done again.
        let (slots, since) = (self.slots.clone(), u32::MAX);
        let errand = Errand::Clear { indexes: indexes.clone(), slots, since };
        let done = self.order(errand).await?;
        Remote(&self.to).done(&self.tasks, &done.tasks).await?;
        for step in self.moves {
            if let Some(source) = self.source(step).await? {
                self.until(CATCH_UP, || self.mover.progress.applied(source.name()) >= known).await?;
            }
        }
        indexes.iter().for_each(|index| self.starts.again(index, known));
        self.copy(Some(&indexes)).await
    }

    /// Indexes with all those that they have changed places with since anything was copied: what was copied of one may be in
    /// another one now.
    async fn exchanged_with(&self, mut all: BTreeSet<String>) -> Result<BTreeSet<String>, MoveError> {
        let mut groups: Vec<Vec<String>> = Vec::new();
        let note = |work: &Work| groups.push(exchanged(work).into_iter().map(str::to_owned).collect());
        Work::look_through(&*self.mover.log, self.starts.first()..u32::MAX, note).await?;
        groups.retain(|group| group.len() > 1);
        let mut known = 0;
        while known < all.len() {
            known = all.len();
            let met = groups.iter().filter(|group| group.iter().any(|name| all.contains(name)));
            let met: Vec<String> = met.flatten().cloned().collect();
            all.extend(met);
        }
        Ok(all)
    }
}

/// Whether doing it twice, or again after what came behind it and then that again, ends at the same.
fn converges(operation: &Operation) -> bool {
    match operation {
        Operation::DocumentAdditionOrUpdate { skip_creation, .. } => !skip_creation,
        Operation::DocumentDeletion { selection } => !matches!(selection, Selection::ByFilter { .. }),
        Operation::DocumentEdition { .. } => false,
        _ => true,
    }
}

/// The slots in so many parts, one at least.
fn split(slots: &SlotSet, parts: usize) -> Vec<SlotSet> {
    let all: Vec<_> = slots.iter().collect();
    let size = all.len().div_ceil(parts.max(1)).max(1);
    all.chunks(size).map(|part| part.iter().copied().collect()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::addition;

    #[test]
    fn only_writes_by_id_may_be_done_again() {
        let skipping = match addition(1) {
            Operation::DocumentAdditionOrUpdate { method, primary_key, payload, .. } => {
                Operation::DocumentAdditionOrUpdate {
                    method,
                    primary_key,
                    payload,
                    allow_index_creation: true,
                    skip_creation: true,
                }
            }
            other => other,
        };
        let deletion = |selection| Operation::DocumentDeletion { selection };
        assert!(converges(&addition(1)));
        assert!(converges(&deletion(Selection::ByIds { ids: vec!["1".to_owned()] })));
        assert!(converges(&deletion(Selection::All)));
        assert!(!converges(&deletion(Selection::ByFilter { filter: json!("a = 1") })));
        assert!(!converges(&skipping));
    }

    #[test]
    fn parts_are_all_of_it_once() {
        let slots: SlotSet = (100..164).filter_map(miroir_shard::Slot::new).collect();
        for parts in [1, 3, 64, 1_000] {
            let parts = split(&slots, parts);
            let all: Vec<_> = parts.iter().flat_map(|part| part.iter().collect::<Vec<_>>()).collect();
            assert_eq!(all, slots.iter().collect::<Vec<_>>());
        }
    }
}
