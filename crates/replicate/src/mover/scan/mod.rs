//! Compares copies and mends those that are wrong.
//!
//! Copies are read one after another while writes go on. Where two differ, it is looked whether anything was written to
//! these documents meanwhile; only where nothing was, the difference counts. What is right is decided as [`verdict`] says,
//! and a copy is mended by its node's applier, which knows whether anything was written since.

mod deletions;
mod settle;
mod verdict;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use miroir_nodes::Node;
use miroir_shard::{ShardId, Slot, SlotSet, slots_filter};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use self::verdict::Version;
use super::{
    Mover,
    plan::Plan,
    remote::{MoveError, Remote},
};
use crate::{applier::Span, work::Work};

/// How often copies are compared that differ because of what was written meanwhile.
const ATTEMPTS: u32 = 20;
const AGAIN: Duration = Duration::from_millis(50);
/// How often everything is compared without being asked for.
pub(super) const ROUND: Duration = Duration::from_secs(6 * 3600);
/// How soon it is begun anew where it was broken off: by a change of the fleet, or a node that did not answer.
pub(super) const BROKEN_OFF: Duration = Duration::from_secs(60);
/// How many differences are named.
const NAMED: usize = 100;

/// What a scan has found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) state: &'static str,
    pub(crate) shards: usize,
    pub(crate) documents: u64,
    pub(crate) differing: u64,
    pub(crate) mended: u64,
    pub(crate) undecided: u64,
    /// Shards with one copy only.
    pub(crate) alone: usize,
    pub(crate) seconds: f64,
    pub(crate) error: Option<String>,
    pub(crate) named: Vec<Value>,
}

/// What is compared.
struct Scope<'a> {
    index: &'a str,
    shard: ShardId,
    /// Of the shard's slots these.
    slots: SlotSet,
    mend: Mend,
}

/// What is done about copies that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mend {
    /// It is told.
    Nothing,
    /// They become what is right, where that is known.
    Known,
    /// They become equal: where nobody can know what is right, what the first copy has.
    Everything,
}

/// One copy of some documents: by id the version there.
struct Copy {
    node: Node,
    versions: BTreeMap<String, Version>,
}

impl Report {
    pub(crate) fn view(&self) -> Value {
        json!({
            "state": if self.state.is_empty() { "none" } else { self.state },
            "shardsCompared": self.shards,
            "shardsWithOneCopy": self.alone,
            "documentsCompared": self.documents,
            "documentsDiffering": self.differing,
            "documentsMended": self.mended,
            "documentsUndecided": self.undecided,
            "seconds": self.seconds,
            "error": self.error,
            "differences": self.named,
        })
    }
}

// === impl Mover ===

impl Mover {
    /// Compares all copies of everything, and mends what differs where that is wanted. False where it was broken off.
    pub(super) async fn scan(&self, mend: bool) -> bool {
        let start = Instant::now();
        *self.report.lock() = Report { state: "running", ..Report::default() };
        let result = self.scan_all(if mend { Mend::Known } else { Mend::Nothing }).await;
        let (mut report, is_whole) = (self.report.lock(), result.is_ok());
        report.state = if is_whole { "done" } else { "broken off" };
        report.error = result.err().map(|error| error.to_string());
        report.seconds = start.elapsed().as_secs_f64();
        if report.differing > 0 {
            let Report { differing, mended, undecided, .. } = &*report;
            tracing::warn!(differing, mended, undecided, "copies differ");
        }
        is_whole
    }

    async fn scan_all(&self, mend: Mend) -> Result<(), MoveError> {
        let map = self.topology.load().map.clone();
        let indexes: Vec<String> = self.log.catalog().indexes.keys().cloned().collect();
        for shard in map.shards() {
            if self.copies_of(shard).len() < 2 {
                self.report.lock().alone += 1;
                continue;
            }
            for index in &indexes {
                self.undisturbed(map.epoch())?;
                let slots = map.slots_of(shard).collect();
                self.scan_shard(&Scope { index, shard, slots, mend }).await?;
            }
            self.report.lock().shards += 1;
        }
        Ok(())
    }

    /// Makes the copies of some slots of an index equal. What the last scan has found stays what it is. False where some
    /// of them could not be compared, or not be mended, now.
    pub(super) async fn make_equal(&self, index: &str, slots: &SlotSet) -> Result<bool, MoveError> {
        let map = self.topology.load().map.clone();
        let kept = self.report.lock().clone();
        let mut compared = Ok(true);
        for shard in map.shards().filter(|shard| self.copies_of(*shard).len() > 1) {
            let slots: SlotSet = map.slots_of(shard).filter(|slot| slots.contains(*slot)).collect();
            let scope = Scope { index, shard, slots, mend: Mend::Everything };
            if scope.slots.is_empty() {
                continue;
            }
            compared = match self.undisturbed(map.epoch()) {
                Ok(()) => self.scan_shard(&scope).await,
                Err(changed) => Err(changed),
            };
            if !matches!(compared, Ok(true)) {
                break;
            }
        }
        let found = std::mem::replace(&mut *self.report.lock(), kept);
        if found.differing > 0 {
            let Report { differing, mended, .. } = found;
            tracing::warn!(
                index,
                differing,
                mended,
                "copies differed after a write that failed on some nodes"
            );
        }
        compared
    }

    /// A scan makes way for changes of the fleet.
    fn undisturbed(&self, epoch: u64) -> Result<(), MoveError> {
        let busy = self.plan.lock().as_ref().is_some_and(Plan::is_open);
        if busy || self.topology.load().map.epoch() != epoch { Err(MoveError::Changed) } else { Ok(()) }
    }

    fn copies_of(&self, shard: ShardId) -> Vec<Node> {
        let topology = self.topology.load();
        let readable = topology.map.shard_owners(shard).filter(|owner| owner.state.is_read());
        let nodes = readable.filter_map(|owner| topology.fleet.get(&topology.map.node(owner.node)?.name));
        let usable = nodes.filter(|node| node.health().answers() && node.health().is_trusted());
        usable.map(Node::with_own_connections).collect()
    }

    /// False where the copies could not be compared, as they were written to all the time, or not mended.
    async fn scan_shard(&self, scope: &Scope<'_>) -> Result<bool, MoveError> {
        let began = Instant::now();
        let mut settled = true;
        for attempt in 1.. {
            // It is looked at again with the next scan.
            if attempt > ATTEMPTS {
                return Ok(false);
            }
            let nodes = self.copies_of(scope.shard);
            let Some((copies, span)) = self.read_copies(scope, &nodes).await? else {
                sleep(AGAIN).await;
                continue;
            };
            let differing = differing(&copies);
            if differing.is_empty() {
                self.report.lock().documents += copies.first().map_or(0, |copy| copy.versions.len() as u64);
                break;
            }
            let slots: Arc<SlotSet> = Arc::new(differing.iter().map(|id| Slot::of(id)).collect());
            if !self.is_quiet(scope.index, &slots, span).await? {
                sleep(AGAIN).await;
                continue;
            }
            settled = self.settle(scope, &copies, &differing, (slots, span)).await?;
            break;
        }
        // Searches and writes come first.
        sleep(began.elapsed() / 2).await;
        Ok(settled)
    }

    /// Reads every copy of a shard. None where one cannot be said to be of a known span.
    async fn read_copies(
        &self,
        scope: &Scope<'_>,
        nodes: &[Node],
    ) -> Result<Option<(Vec<Copy>, Span)>, MoveError> {
        let filter = slots_filter(&scope.slots, self.topology.load().map.code_bits());
        let mut span = Span { first: u32::MAX, last: 0 };
        let mut copies = Vec::new();
        for node in nodes {
            span.first = span.first.min(self.progress.applied(node.name()));
            // An index that one node does not have yet, or not any more, is being made or deleted.
            let Ok(Some(documents)) = Remote(node).documents(scope.index, &filter).await else {
                return Ok(None);
            };
            span.last = span.last.max(self.progress.sent(node.name()));
            let key = self.primary_key(scope.index);
            let versions = documents.results.iter().filter_map(|text| Version::read(text, key.as_deref()));
            copies.push(Copy { node: node.clone(), versions: versions.collect() });
        }
        Ok((span.last != u32::MAX).then_some((copies, span)))
    }

    fn primary_key(&self, index: &str) -> Option<String> {
        self.log.catalog().index(index).and_then(|record| record.primary_key.clone())
    }

    /// Whether nothing in the span concerns these slots.
    async fn is_quiet(&self, index: &str, slots: &Arc<SlotSet>, span: Span) -> Result<bool, MoveError> {
        let mut next = span.first;
        while next < span.last {
            let works = Work::read(&*self.log, next, 256).await?;
            let Some(last) = works.last().map(Work::uid) else { return Ok(true) };
            for work in works.iter().filter(|work| work.uid() < span.last) {
                if self.crew.payloads().concerns(work, index, slots).await? {
                    return Ok(false);
                }
            }
            next = last + 1;
        }
        Ok(true)
    }
}

/// The ids that not all copies have in the same version.
fn differing(copies: &[Copy]) -> BTreeSet<String> {
    let ids = copies.iter().flat_map(|copy| copy.versions.keys());
    let differs = |id: &&String| {
        let mut digests = copies.iter().map(|copy| copy.versions.get(*id).map(|version| version.digest));
        let first = digests.next();
        digests.any(|digest| Some(digest) != first)
    };
    ids.filter(differs).cloned().collect()
}
