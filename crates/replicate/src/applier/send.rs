//! Sending a node what an entry is for it.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use miroir_nodes::Node;
use miroir_shard::SlotSet;

use super::{
    dispatch::NodeTask,
    error::ApplyError,
    firsts::{Firsts, Flight},
    node_tasks::NodeTasks,
    request::{Payload, Reply, Requests},
};
use crate::{
    payloads::{Payloads, payload_lost},
    steps::{Content, Done, Step},
    tag::{Tag, mark},
    work::Work,
};

/// Sends steps to one node.
pub(crate) struct Sender {
    node: Node,
    requests: Requests,
    payloads: Arc<Payloads>,
    tasks: NodeTasks,
    /// What the node has accepted already, by tag.
    accepted: BTreeMap<Tag, u32>,
    /// The last entry of which it has accepted anything. What had to end before that has ended, and must not be done again
    /// behind it.
    reached: u32,
    /// Whether an earlier try may have sent a part of what is sent next.
    retries: bool,
}

// === impl Sender ===

impl Sender {
    pub(crate) fn new(node: Node, payloads: Arc<Payloads>, log: String) -> Self {
        let accepted = BTreeMap::new();
        let tasks = NodeTasks::new(node.clone(), log.clone());
        let requests = Requests::new(node.clone(), log);
        Self { node, requests, payloads, tasks, accepted, reached: 0, retries: true }
    }

    /// Begins anew behind what the node has done. What it has accepted beyond is not sent again.
    pub(crate) fn begin(&mut self, accepted: BTreeMap<Tag, u32>) {
        self.has_accepted(accepted);
        self.retries = true;
    }

    fn has_accepted(&mut self, accepted: BTreeMap<Tag, u32>) {
        self.reached = accepted.keys().map(|tag| tag.first).max().unwrap_or(0);
        self.accepted = accepted;
    }

    /// The last entry of the group that went out together from `first` on, where the node has accepted it.
    pub(crate) fn accepted_range(&self, first: u32) -> Option<u32> {
        self.accepted_from(first).filter(|tag| tag.first == first).map(|tag| tag.last)
    }

    /// The first entry behind `next` that began a group which the node has accepted: what was for others than the node
    /// before it must not go out together with it now.
    pub(crate) fn next_accepted(&self, next: u32) -> u32 {
        self.accepted_from(next + 1).map_or(u32::MAX, |tag| tag.first)
    }

    /// Whether the node has accepted something of the entry `next` or of one behind it: as its own share was then.
    pub(crate) fn is_known_beyond(&self, next: u32) -> bool {
        self.accepted_from(next).is_some()
    }

    /// The first tag that the node has accepted of this entry or of one behind it.
    fn accepted_from(&self, first: u32) -> Option<&Tag> {
        self.accepted.range(Tag { first, last: 0, step: 0, mark: None }..).next().map(|(tag, _)| tag)
    }

    /// Sends the steps of a group of entries, but for those the node has accepted, and gives the node's tasks. A step
    /// that the node refuses ends the group, and so does the loss of its documents. Documents that the node has keep the
    /// place of their first write.
    pub(crate) async fn send(
        &mut self,
        group: &[Work],
        steps: &[Step],
        slots: &Arc<SlotSet>,
        code_bits: u32,
        firsts: &mut Firsts,
    ) -> Result<Vec<NodeTask>, ApplyError> {
        let mut tasks = Vec::with_capacity(steps.len());
        match self.send_steps(&mut tasks, group, steps, slots, code_bits, firsts).await {
            Err(ApplyError::Log(error)) if error.is_lost_payload() => {
                tasks.push(NodeTask::refused(payload_lost(&error), Done::Succeeded));
            }
            sent => sent?,
        }
        Ok(tasks)
    }

    async fn send_steps(
        &mut self,
        tasks: &mut Vec<NodeTask>,
        group: &[Work],
        steps: &[Step],
        slots: &Arc<SlotSet>,
        code_bits: u32,
        firsts: &mut Firsts,
    ) -> Result<(), ApplyError> {
        let (first, last) = (&group[0].entry, &group[group.len() - 1].entry);
        let mark = Some(mark(first, last));
        let (first, last) = (first.uid, last.uid);
        let mut number = 0;
        // The node's task for the step before, where an earlier try had sent that already.
        let mut resumed = None;
        let is_past = first < self.reached;
        let retries = self.retries;
        // Nothing goes out behind an untagged step before that has ended: only the first thing that is sent was under way.
        self.retries &= is_past || steps.is_empty();
        for step in steps {
            if (is_past && !step.is_tagged()) || (step.is_for_retries && !retries) {
                number += 1;
                continue;
            }
            let payloads = match &step.content {
                Content::Json(body) => vec![Payload::Json(body.as_ref())],
                // Whose they are does not matter to who gets none of them.
                Content::Documents if slots.is_empty() => Vec::new(),
                Content::Documents => {
                    let pieces = self.payloads.pieces(group, slots, code_bits).await?;
                    pieces.into_iter().map(Payload::Documents).collect()
                }
            };
            for mut payload in payloads {
                let mut flight = Flight::new(&group[group.len() - 1].entry, slots);
                if let Payload::Documents(piece) = &mut payload {
                    firsts.learn(&self.node, &self.tasks, &mut flight, piece).await?;
                }
                let tag = Tag { first, last, step: number, mark };
                let known = self.accepted.contains_key(&tag);
                let task = self.found_or_sent(tag, step, &payload, resumed).await?;
                resumed = task.uid.filter(|_| known);
                number += 1;
                if let Some(uid) = task.uid {
                    firsts.has_sent(flight, uid);
                }
                let refused = task.error().is_some();
                tasks.push(task);
                if refused {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The node's task for a part of a step, where `resumed` is the one for the step before if an earlier try had sent that.
    async fn found_or_sent(
        &mut self,
        tag: Tag,
        step: &Step,
        payload: &Payload<'_>,
        resumed: Option<u32>,
    ) -> Result<NodeTask, ApplyError> {
        let found = match (step.found_as, resumed) {
            (Some(kind), Some(before)) => self.tasks.newest_of(kind).await?.filter(|uid| *uid > before),
            _ => None,
        };
        match found {
            Some(uid) => Ok(NodeTask::found(uid, step.done)),
            None => self.task(tag, step, payload).await,
        }
    }

    /// Sends a step that stands for no entry, with documents where it has some.
    pub(crate) async fn send_alone(
        &mut self,
        step: &Step,
        documents: Option<Bytes>,
    ) -> Result<NodeTask, ApplyError> {
        let payload = match (&step.content, documents) {
            (_, Some(documents)) => Payload::Copies(documents),
            (Content::Json(body), None) => Payload::Json(body.as_ref()),
            (Content::Documents, None) => Payload::Copies(Bytes::new()),
        };
        let none = Tag { first: 0, last: 0, step: 0, mark: None };
        Ok(match self.requests.send(none, step, &payload).await? {
            Reply::Accepted(uid) => NodeTask::accepted(uid, step.done),
            Reply::Refused(error) => NodeTask::refused(error, step.done),
        })
    }

    /// The node's task for a part of a step: the one it has accepted already, or a new one.
    async fn task(&mut self, tag: Tag, step: &Step, payload: &Payload<'_>) -> Result<NodeTask, ApplyError> {
        if let Some(uid) = self.accepted.remove(&tag).filter(|_| step.is_tagged()) {
            return Ok(NodeTask::found(uid, step.done));
        }
        Ok(match self.requests.send(tag, step, payload).await? {
            Reply::Accepted(uid) => {
                if step.is_tagged() {
                    // What the node has accepted for later entries comes before this one there, so it must come again.
                    self.has_accepted(BTreeMap::new());
                }
                NodeTask::accepted(uid, step.done)
            }
            Reply::Refused(error) => NodeTask::refused(error, step.done),
        })
    }
}
