//! What is said, and done, about copies that differ.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use miroir_shard::SlotSet;
use serde_json::json;
use tokio::time::timeout;

use super::{
    Copy, Mend, NAMED, Scope,
    verdict::{self, Verdict, Version},
};
use crate::{
    applier::{Errand, Span},
    mover::{
        Mover,
        remote::{MoveError, Remote},
    },
};

/// How long a node may take over what makes its copy right. Nothing else of the fleet changes meanwhile.
const MENDING: Duration = Duration::from_secs(120);

impl Mover {
    /// Says what differs, and mends it. False where a copy has not been mended that should have been.
    pub(super) async fn settle(
        &self,
        scope: &Scope<'_>,
        copies: &[Copy],
        differing: &BTreeSet<String>,
        (slots, span): (Arc<SlotSet>, Span),
    ) -> Result<bool, MoveError> {
        let Scope { index, shard, mend, .. } = *scope;
        let mut foreign = Vec::new();
        for copy in copies {
            foreign.push(Remote(&copy.node).foreign_writes(index, self.log.id()).await?);
        }
        let newest = |id: &String| copies.iter().filter_map(|copy| copy.versions.get(id)?.task).max();
        let written = differing.iter().map(|id| (id.as_str(), newest(id).unwrap_or(0))).collect();
        let deleted = self.deleted_since(index, &written).await?;
        let mut right: BTreeMap<&str, Option<&Version>> = BTreeMap::new();
        for id in differing {
            let versions: Vec<Option<&Version>> = copies.iter().map(|copy| copy.versions.get(id)).collect();
            let verdict = verdict::of(&versions, &foreign, deleted.get(id.as_str()).copied());
            let mut report = self.report.lock();
            report.differing += 1;
            match (verdict, mend) {
                (Verdict::Right(version), _) => _ = right.insert(id, version),
                (Verdict::Undecided, Mend::Everything) => {
                    right.insert(id, versions.first().copied().flatten());
                }
                (Verdict::Undecided, _) => report.undecided += 1,
            }
            if report.named.len() < NAMED {
                let held_by = holders(copies, id);
                report.named.push(json!({ "index": index, "shard": shard.0, "id": id, "heldBy": held_by }));
            }
        }
        if mend == Mend::Nothing {
            return Ok(true);
        }
        let mut all = true;
        let mut mended = BTreeSet::new();
        for copy in copies {
            if let Some((errand, ids)) = mending(index, copy, &right, &slots, span) {
                let name = copy.node.name();
                match timeout(MENDING, self.mend(copy, errand)).await {
                    Ok(Ok(())) => mended.extend(ids),
                    // It has been written since, or its node is busy with something else: it is looked at again.
                    Ok(Err(error)) => {
                        tracing::info!(node = name, %error, index, "copy not mended");
                        all = false;
                    }
                    Err(_) => {
                        tracing::info!(node = name, index, "copy not mended in time");
                        all = false;
                    }
                }
            }
        }
        self.report.lock().mended += mended.len() as u64;
        Ok(all)
    }

    /// Has a copy's node do what makes it right.
    async fn mend(&self, copy: &Copy, errand: Errand) -> Result<(), MoveError> {
        let remote = Remote(&copy.node);
        let done = self.crew.order(copy.node.name(), errand).await.map_err(|error| remote.failed(error))?;
        remote.done(&self.tasks_of(&copy.node), &done.tasks).await
    }
}

/// The nodes whose copies have a document.
fn holders<'a>(copies: &'a [Copy], id: &str) -> Vec<&'a str> {
    copies.iter().filter(|copy| copy.versions.contains_key(id)).map(|copy| copy.node.name()).collect()
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
