//! Some shards brought to one node: copied, brought up to date, handed over.
//!
//! Until the map is swapped nobody reads the new copies, so whatever goes wrong the wave starts again from nothing. See
//! `docs/rebalancing.md` for why the copies are right when it is.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use miroir_log::{Operation, Selection};
use miroir_nodes::Node;
use miroir_shard::{Move, OwnerState, ShardId, ShardMap, SlotSet, slots_filter};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Mover,
    remote::{MoveError, Remote},
};
use crate::{
    applier::{Errand, ErrandError, NodeTasks, Span, Starts, exchanged},
    progress::Hold,
    work::Work,
};

/// How many documents are read and written at once, about.
const CHUNK: u64 = 1_000;
/// How close to the log's end the copies must be before the rest is done in one go.
const CLOSE: u32 = 256;
/// How often a chunk is read again because of what was written meanwhile.
const REREADS: u32 = 200;
const REREAD: Duration = Duration::from_millis(20);
/// How long tasks may be kept waiting for a node that is about to be read.
const HANDOVER: Duration = Duration::from_secs(5);
/// How long the node may take to catch up before that.
const CATCH_UP: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(5);

/// What is moved together.
pub(super) struct Wave<'a> {
    mover: &'a Mover,
    moves: &'a [Move],
    to: Node,
    tasks: NodeTasks,
    slots: Arc<SlotSet>,
    starts: Starts,
    generation: u64,
    _hold: Hold,
}

impl<'a> Wave<'a> {
    /// All of `moves` go to the node `to`.
    pub(super) fn new(mover: &'a Mover, moves: &'a [Move], to: Node) -> Self {
        let map = &mover.topology.load().map;
        let slots: SlotSet = moves.iter().flat_map(|step| map.slots_of(step.shard)).collect();
        let slots = Arc::new(slots);
        let starts = Starts { slots: slots.clone(), since: u32::MAX, indexes: BTreeMap::new() };
        // Nothing that any node still has to apply is let go of from here on.
        let hold = mover.progress.hold(mover.least_applied());
        let (tasks, generation) = (mover.tasks_of(&to), mover.generation());
        Self { mover, moves, to, tasks, slots, starts, generation, _hold: hold }
    }

    /// Brings the shards over, up to the swap of the map.
    pub(super) async fn run(mut self) -> Result<(), MoveError> {
        self.order(Errand::Part { slots: self.slots.clone() }).await?;
        self.mover.announce(self.moves, &self.to).await?;
        self.clear().await?;
        self.starts.since = self.mover.least_applied();
        for step in self.moves {
            self.copy_shard(step.shard, None).await?;
        }
        let joined = self.catch_up().await?;
        self.hand_over(joined).await
    }

    /// Removes what an earlier try, or an earlier owner, has left of the shards.
    async fn clear(&self) -> Result<(), MoveError> {
        let indexes = Remote(&self.to).indexes().await?;
        let done = self.order(Errand::Clear { indexes, slots: self.slots.clone() }).await?;
        Remote(&self.to).done(&self.tasks, &done.tasks).await
    }

    /// Copies one shard, of all indexes or of one. Each index starts where its copy was read.
    async fn copy_shard(&mut self, shard: ShardId, only: Option<&str>) -> Result<(), MoveError> {
        let source = self.mover.source(shard, self.to.name())?;
        let mut indexes = Remote(&source).indexes().await?;
        indexes.retain(|index| only.is_none_or(|only| only == index));
        for index in &indexes {
            let map = self.mover.topology.load().map.clone();
            let slots: SlotSet = map.slots_of(shard).collect();
            let filter = slots_filter(&slots, map.code_bits());
            let count = Remote(&source).count(index, &filter).await?;
            let parts = usize::try_from(count.div_ceil(CHUNK)).unwrap_or(1).max(1);
            for part in split(&slots, parts) {
                self.still_wanted()?;
                self.copy_part(&source, index, Arc::new(part), map.code_bits()).await?;
            }
        }
        Ok(())
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
            let documents = Remote(source).documents(index, &filter).await?;
            let span = Span { first, last: self.mover.progress.sent(source.name()) };
            if self.is_converging(index, span).await? {
                break (documents, span);
            }
            reads += 1;
            if reads > REREADS {
                return Err(Remote(source).failed("its documents change all the time"));
            }
            sleep(REREAD).await;
        };
        if !documents.results.is_empty() {
            let payload = documents.payload();
            self.mover.copied(documents.total, payload.len() as u64);
            let errand = Errand::Put { index: index.to_owned(), documents: payload, span };
            match self.mover.crew.order(self.to.name(), errand).await {
                Ok(done) => Remote(&self.to).done(&self.tasks, &done.tasks).await?,
                // It is copied again, once the source has it as it is now.
                Err(ErrandError::Superseded(_)) => {}
                Err(error) => return Err(Remote(&self.to).failed(error)),
            }
        }
        self.starts.indexes.entry(index.to_owned()).or_default().push((slots, span.first));
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

    /// Does again on the copies what the log says since they were read, ever closer to its end, and makes them the node's
    /// own from there on. Gives the entry from which on they are.
    async fn catch_up(&mut self) -> Result<u32, MoveError> {
        let mut from = self.starts.first();
        loop {
            self.still_wanted()?;
            let behind = self.mover.progress.sent(self.to.name()).saturating_sub(from);
            let join = behind <= CLOSE;
            let starts = Arc::new(self.starts.clone());
            let errand = Errand::Replay { starts, from, join };
            match self.mover.crew.order(self.to.name(), errand).await {
                Ok(done) => {
                    Remote(&self.to).done(&self.tasks, &done.tasks).await?;
                    if join {
                        return Ok(done.position);
                    }
                    from = done.position;
                }
                Err(ErrandError::Superseded(index)) => self.copy_again(&index).await?,
                Err(error) => return Err(Remote(&self.to).failed(error)),
            }
        }
    }

    /// An index has become another one: what was copied of it is replaced by what it is now.
    async fn copy_again(&mut self, index: &str) -> Result<(), MoveError> {
        let known = self.mover.progress.sent(self.to.name());
        let errand = Errand::Clear { indexes: vec![index.to_owned()], slots: self.slots.clone() };
        let done = self.order(errand).await?;
        Remote(&self.to).done(&self.tasks, &done.tasks).await?;
        let sources: Vec<Node> = self
            .moves
            .iter()
            .map(|step| self.mover.source(step.shard, self.to.name()))
            .collect::<Result<_, _>>()?;
        for source in &sources {
            self.until(CATCH_UP, || self.mover.progress.applied(source.name()) >= known).await?;
        }
        // Where the index is gone, nothing of it counts before this.
        let nothing = (self.slots.clone(), known);
        self.starts.indexes.insert(index.to_owned(), Vec::new());
        for step in self.moves {
            self.copy_shard(step.shard, Some(index)).await?;
        }
        if let Some(parts) = self.starts.indexes.get_mut(index).filter(|parts| parts.is_empty()) {
            parts.push(nothing);
        }
        Ok(())
    }

    /// Swaps the map, once the node has everything that clients were told is there. From a moment before that on no task
    /// finishes without the node, so that it is read at once.
    async fn hand_over(&self, joined: u32) -> Result<(), MoveError> {
        let (progress, to) = (&self.mover.progress, self.to.name());
        let close = || {
            progress.applied(to) >= joined && progress.sent(to).saturating_sub(progress.applied(to)) <= CLOSE
        };
        self.until(CATCH_UP, close).await?;
        progress.gate(to);
        // No task is about to finish that no node has applied yet.
        let furthest = self.mover.most_applied();
        let caught_up = self.until(HANDOVER, || progress.applied(to) >= furthest).await;
        let swapped = match caught_up {
            Ok(()) => match self.still_wanted() {
                Ok(()) => self.mover.swap(self.moves, &self.to).await,
                changed => changed,
            },
            Err(error) => Err(error),
        };
        progress.ungate(to);
        swapped
    }

    /// Whether the plan still wants it.
    fn still_wanted(&self) -> Result<(), MoveError> {
        if self.mover.generation() == self.generation { Ok(()) } else { Err(MoveError::Changed) }
    }

    async fn until(&self, most: Duration, holds: impl Fn() -> bool) -> Result<(), MoveError> {
        let waiting = async {
            while !holds() {
                self.still_wanted()?;
                sleep(LOOK).await;
            }
            Ok(())
        };
        let waited = timeout(most, waiting).await;
        waited.unwrap_or_else(|_| Err(Remote(&self.to).failed("it does not catch up")))
    }

    async fn order(&self, errand: Errand) -> Result<crate::applier::Done, MoveError> {
        let done = self.mover.crew.order(self.to.name(), errand).await;
        done.map_err(|error| Remote(&self.to).failed(error))
    }
}

/// The map in which the shards of `moves` are in these states where they come from and where they go to.
pub(super) fn with_states(
    map: &ShardMap,
    moves: &[Move],
    to: &str,
    state: OwnerState,
    from: Option<OwnerState>,
) -> ShardMap {
    let mut next = map.clone();
    for step in moves {
        if let Some(node) = next.node_id(to) {
            next = next.with_owner(step.shard, node, Some(state));
        }
        if let (Some(state), Some(node)) = (from, step.from.as_deref().and_then(|name| next.node_id(name))) {
            next = next.with_owner(step.shard, node, Some(state));
        }
    }
    next.with_epoch(map.epoch() + 1)
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
    use crate::testing::{addition, layout};

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

    #[test]
    fn a_map_is_swapped_in_one_epoch() {
        let map = ShardMap::place(&layout(&[2], 1)).expect("a map");
        let from = map.node_id("g0n0").expect("a node");
        let moves: Vec<Move> = map
            .shards_of(from)
            .map(|(shard, _)| Move {
                shard,
                group: "g0".to_owned(),
                from: Some("g0n0".to_owned()),
                to: Some("g0n1".to_owned()),
            })
            .collect();
        let swapped = with_states(&map, &moves, "g0n1", OwnerState::Readable, Some(OwnerState::Draining));
        assert_eq!(swapped.epoch(), map.epoch() + 1);
        assert!(swapped.shards_of(from).all(|(_, state)| state == OwnerState::Draining));
    }
}
