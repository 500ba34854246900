//! Compares copies and mends those that are wrong.
//!
//! Copies are read one after another while writes go on. Where two differ, it is looked whether anything was written to
//! these documents meanwhile; only where nothing was, the difference counts. What is right is decided as [`verdict`] says,
//! and a copy is mended by its node's applier, which knows whether anything was written since.

mod verdict;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use miroir_nodes::Node;
use miroir_shard::{ShardId, Slot, SlotSet, slots_filter};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use self::verdict::{Verdict, Version};
use super::{
    Mover,
    plan::Plan,
    remote::{MoveError, Remote},
};
use crate::{
    applier::{Errand, Span},
    work::Work,
};

/// How often copies are compared that differ because of what was written meanwhile.
const ATTEMPTS: u32 = 20;
const AGAIN: Duration = Duration::from_millis(50);
/// How often everything is compared without being asked for.
pub(super) const ROUND: Duration = Duration::from_secs(6 * 3600);
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
    /// Compares all copies of everything, and mends what differs where that is wanted.
    pub(super) async fn scan(&self, mend: bool) {
        let start = Instant::now();
        *self.report.lock() = Report { state: "running", ..Report::default() };
        let result = self.scan_all(mend).await;
        let mut report = self.report.lock();
        report.state = if result.is_ok() { "done" } else { "broken off" };
        report.error = result.err().map(|error| error.to_string());
        report.seconds = start.elapsed().as_secs_f64();
        if report.differing > 0 {
            let Report { differing, mended, undecided, .. } = &*report;
            tracing::warn!(differing, mended, undecided, "copies differ");
        }
    }

    async fn scan_all(&self, mend: bool) -> Result<(), MoveError> {
        let map = self.topology.load().map.clone();
        let indexes: Vec<String> = self.log.catalog().indexes.keys().cloned().collect();
        for shard in map.shards() {
            if self.copies_of(shard).len() < 2 {
                self.report.lock().alone += 1;
                continue;
            }
            for index in &indexes {
                self.undisturbed(map.epoch())?;
                self.scan_shard(index, shard, mend).await?;
            }
            self.report.lock().shards += 1;
        }
        Ok(())
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

    async fn scan_shard(&self, index: &str, shard: ShardId, mend: bool) -> Result<(), MoveError> {
        let began = Instant::now();
        for attempt in 1.. {
            let nodes = self.copies_of(shard);
            let Some((copies, span)) = self.read_copies(index, shard, &nodes).await? else {
                sleep(AGAIN).await;
                if attempt > ATTEMPTS {
                    return Ok(());
                }
                continue;
            };
            let differing = differing(&copies);
            if differing.is_empty() {
                self.report.lock().documents += copies.first().map_or(0, |copy| copy.versions.len() as u64);
                break;
            }
            let slots: Arc<SlotSet> = Arc::new(differing.iter().map(|id| Slot::of(id)).collect());
            if !self.is_quiet(index, &slots, span).await? {
                if attempt > ATTEMPTS {
                    // It is looked at again with the next scan.
                    return Ok(());
                }
                sleep(AGAIN).await;
                continue;
            }
            self.settle(index, shard, &copies, &differing, (slots, span), mend).await?;
            break;
        }
        // Searches and writes come first.
        sleep(began.elapsed() / 2).await;
        Ok(())
    }

    /// Reads every copy of a shard. None where one cannot be said to be of a known span.
    async fn read_copies(
        &self,
        index: &str,
        shard: ShardId,
        nodes: &[Node],
    ) -> Result<Option<(Vec<Copy>, Span)>, MoveError> {
        let map = self.topology.load().map.clone();
        let slots: SlotSet = map.slots_of(shard).collect();
        let filter = slots_filter(&slots, map.code_bits());
        let mut span = Span { first: u32::MAX, last: 0 };
        let mut copies = Vec::new();
        for node in nodes {
            span.first = span.first.min(self.progress.applied(node.name()));
            // An index that one node does not have yet, or not any more, is being made or deleted.
            let Ok(documents) = Remote(node).documents(index, &filter).await else { return Ok(None) };
            span.last = span.last.max(self.progress.sent(node.name()));
            let key = self.primary_key(index);
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

    /// Says what differs, and mends it.
    async fn settle(
        &self,
        index: &str,
        shard: ShardId,
        copies: &[Copy],
        differing: &BTreeSet<String>,
        (slots, span): (Arc<SlotSet>, Span),
        mend: bool,
    ) -> Result<(), MoveError> {
        let mut foreign = Vec::new();
        for copy in copies {
            foreign.push(Remote(&copy.node).foreign_writes(index, self.log.id()).await?);
        }
        let deleted = self.deleted_since(index, copies, differing).await?;
        let mut right: BTreeMap<&str, Option<&Version>> = BTreeMap::new();
        for id in differing {
            let versions: Vec<Option<&Version>> = copies.iter().map(|copy| copy.versions.get(id)).collect();
            let verdict = verdict::of(&versions, &foreign, deleted.get(id).copied());
            let mut report = self.report.lock();
            report.differing += 1;
            if let Verdict::Right(version) = verdict {
                right.insert(id, version);
            } else {
                report.undecided += 1;
            }
            if report.named.len() < NAMED {
                let has: Vec<&str> = copies
                    .iter()
                    .filter(|copy| copy.versions.contains_key(id))
                    .map(|copy| copy.node.name())
                    .collect();
                report.named.push(json!({ "index": index, "shard": shard.0, "id": id, "heldBy": has }));
            }
        }
        if !mend {
            return Ok(());
        }
        let mut mended = BTreeSet::new();
        for copy in copies {
            if let Some((errand, ids)) = mending(index, copy, &right, &slots, span) {
                let name = copy.node.name();
                match self.crew.order(name, errand).await {
                    Ok(done) => {
                        Remote(&copy.node).done(&self.tasks_of(&copy.node), &done.tasks).await?;
                        mended.extend(ids);
                    }
                    // It has been written since, so it is right or will be looked at again.
                    Err(error) => tracing::info!(node = name, %error, index, "copy not mended"),
                }
            }
        }
        self.report.lock().mended += mended.len() as u64;
        Ok(())
    }

    /// Whether the log says that a document was deleted after the newest version of it was written; not in the map where
    /// it says nothing of it.
    async fn deleted_since(
        &self,
        index: &str,
        copies: &[Copy],
        differing: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, bool>, MoveError> {
        let newest = |id: &String| {
            let tasks = copies.iter().filter_map(|copy| copy.versions.get(id)?.task);
            tasks.max().unwrap_or(0)
        };
        let newest: BTreeMap<&String, u32> = differing.iter().map(|id| (id, newest(id))).collect();
        let mut deleted = BTreeMap::new();
        let mut next = newest.values().min().map_or(0, |task| task + 1);
        loop {
            let works = Work::read(&*self.log, next, 256).await?;
            let Some(last) = works.last().map(Work::uid) else { return Ok(deleted) };
            for work in works.iter().filter(|work| work.entry.index_uid.as_deref() == Some(index)) {
                for (id, task) in newest.iter().filter(|(_, task)| **task < work.uid()) {
                    if let Some(sure) = verdict::deletes(work, id, *task) {
                        deleted.insert((*id).clone(), sure);
                    }
                }
            }
            next = last + 1;
        }
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

/// What makes a copy right, and which documents that is about.
fn mending(
    index: &str,
    copy: &Copy,
    right: &BTreeMap<&str, Option<&Version>>,
    slots: &Arc<SlotSet>,
    span: Span,
) -> Option<(Errand, Vec<String>)> {
    let mut payload = Vec::new();
    let (mut ids, mut wrong) = (Vec::new(), Vec::new());
    for (id, version) in right {
        let own = copy.versions.get(*id).map(|version| version.digest);
        if own == version.map(|version| version.digest) {
            continue;
        }
        wrong.push((*id).to_owned());
        match version {
            Some(version) => {
                payload.extend_from_slice(version.text.as_bytes());
                payload.push(b'\n');
            }
            None => ids.push((*id).to_owned()),
        }
    }
    let (index, documents, slots) = (index.to_owned(), Bytes::from(payload), slots.clone());
    (!wrong.is_empty()).then(|| (Errand::Mend { index, documents, ids, slots, span }, wrong))
}
