//! Asking the nodes of a read, and others where some fail.

use std::{collections::BTreeSet, sync::OnceLock};

use bytes::Bytes;
use http::StatusCode;
use miroir_config::Partial;
use miroir_nodes::{
    Answer, Instead, Judged, Node, NodeError, NodeRequest, Outcome, Part, Reading, Uncovered, cover,
};
use miroir_protocol::error::{Code, ResponseError};
use miroir_replicate::Topology;
use miroir_shard::{NodeId, SLOT_FIELD, ShardId};
use tokio::time::Instant;

use super::{
    reserved::named_as_asked,
    targets::{Scope, Target, Targets},
};
use crate::state::Gateway;

/// What the nodes answered, one answer for each node asked.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The answers' bodies.
    pub answers: Vec<Bytes>,
    /// Who gave them, in the same order.
    pub targets: Vec<Target>,
    /// Shards that are not in them: only where partial answers are allowed.
    pub missing: Vec<ShardId>,
}

/// How a read is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// When an answer is of no use any more.
    pub deadline: Instant,
    /// What is done where a shard cannot be read.
    pub partial: Partial,
    /// Whether the client wants answers to say which search they are to.
    pub include_metadata: bool,
}

impl Gathered {
    /// Shards that other answers lack, which are merged with these.
    pub(crate) fn add_missing(&mut self, missing: Vec<ShardId>) {
        self.missing.extend(missing);
        self.missing.sort_unstable();
        self.missing.dedup();
    }
}

/// Asks the nodes of a read what `request` makes of each one's filter. What a node does not give, or not as soon as it hardly
/// ever fails to, comes from other copies. What a node refuses is what the client is told.
pub(crate) async fn scatter(
    gateway: &Gateway,
    scope: &Scope<'_>,
    terms: Terms,
    request: impl Fn(&Target) -> NodeRequest + Send + Sync,
) -> Result<Gathered, ResponseError> {
    // One topology to the end: whoever moves shards waits for the reads that know another one.
    let topology = gateway.topology.load();
    let targets = Targets::of(gateway, &topology, scope);
    if !targets.missing.is_empty() && (terms.partial == Partial::Deny || targets.asked.is_empty()) {
        return Err(shards_unavailable(&targets.missing));
    }
    let absent = OnceLock::new();
    let scattered = Scattered { gateway, topology: &topology, scope, terms, request, absent };
    let parts = targets.asked.into_iter().map(|target| scattered.part(target)).collect();
    let covered = match cover(&scattered, parts).await {
        Ok(covered) => covered,
        Err(Uncovered::Refused(error)) => return Err(error),
        Err(Uncovered::Failed(_)) if Instant::now() >= terms.deadline => return Err(too_late()),
        Err(Uncovered::Failed(part)) => {
            if let Some(error) = scattered.absent.into_inner() {
                return Err(error);
            }
            let map = &topology.map;
            return Err(shards_unavailable(&scope.wanted(map, part.shards_in(map))));
        }
    };
    let missing = scattered.missing(&covered);
    if covered.is_empty() {
        return Err(shards_unavailable(&missing));
    }
    let (targets, answers) = covered.into_iter().unzip();
    Ok(Gathered { answers, targets, missing })
}

/// A read that is under way.
struct Scattered<'a, R> {
    gateway: &'a Gateway,
    topology: &'a Topology,
    scope: &'a Scope<'a>,
    terms: Terms,
    request: R,
    absent: OnceLock<ResponseError>,
}

impl<R: Fn(&Target) -> NodeRequest + Send + Sync> Scattered<'_, R> {
    fn part(&self, target: Target) -> Part<Target> {
        Part { node: target.node.clone(), request: (self.request)(&target), key: target }
    }

    /// The wanted shards that are in no answer.
    fn missing(&self, covered: &[(Target, Bytes)]) -> Vec<ShardId> {
        if self.terms.partial == Partial::Deny {
            return Vec::new();
        }
        let map = &self.topology.map;
        let there: BTreeSet<ShardId> = covered.iter().flat_map(|(target, _)| target.shards_in(map)).collect();
        let mut missing = self.scope.wanted(map, map.shards().collect());
        missing.retain(|shard| !there.contains(shard));
        missing
    }
}

impl<R: Fn(&Target) -> NodeRequest + Send + Sync> Reading for Scattered<'_, R> {
    type Key = Target;
    type Refusal = ResponseError;

    fn instead(&self, part: &Target, tried: &[Target]) -> Instead<Target> {
        let tried: Vec<NodeId> = tried.iter().map(|target| target.id).collect();
        let targets = Targets::instead(self.gateway, self.topology, self.scope, part, &tried);
        Instead {
            complete: targets.missing.is_empty(),
            parts: targets.asked.into_iter().map(|target| self.part(target)).collect(),
        }
    }

    fn judge(&self, node: &Node, result: Result<Answer, NodeError>) -> Judged<ResponseError> {
        sort(Outcome { node: node.clone(), result }).judged(&self.absent)
    }

    fn partial(&self) -> bool {
        self.terms.partial == Partial::Allow
    }

    fn deadline(&self) -> Instant {
        self.terms.deadline
    }
}

/// Asks several nodes the same, one after another where one is slow or fails: each of them holds all that is asked for.
pub(super) async fn ask_any(
    nodes: Vec<Target>,
    request: &NodeRequest,
    deadline: Instant,
) -> Result<Option<Bytes>, ResponseError> {
    let copies = Copies { nodes, request, deadline, absent: OnceLock::new() };
    let Some(first) = copies.part(&[]) else { return Ok(None) };
    match cover(&copies, vec![first]).await {
        Ok(mut covered) => Ok(covered.pop().map(|(_, answer)| answer)),
        Err(Uncovered::Refused(error)) => Err(error),
        Err(Uncovered::Failed(_)) if Instant::now() >= deadline => Err(too_late()),
        Err(Uncovered::Failed(_)) => copies.absent.into_inner().map_or(Ok(None), Err),
    }
}

/// Nodes of which any one can answer.
struct Copies<'a> {
    nodes: Vec<Target>,
    request: &'a NodeRequest,
    deadline: Instant,
    absent: OnceLock<ResponseError>,
}

impl Copies<'_> {
    fn part(&self, tried: &[NodeId]) -> Option<Part<NodeId>> {
        let target = self.nodes.iter().find(|target| !tried.contains(&target.id))?;
        Some(Part { key: target.id, node: target.node.clone(), request: self.request.clone() })
    }
}

impl Reading for Copies<'_> {
    type Key = NodeId;
    type Refusal = ResponseError;

    fn instead(&self, _: &NodeId, tried: &[NodeId]) -> Instead<NodeId> {
        let parts: Vec<_> = self.part(tried).into_iter().collect();
        Instead { complete: !parts.is_empty(), parts }
    }

    fn judge(&self, node: &Node, result: Result<Answer, NodeError>) -> Judged<ResponseError> {
        sort(Outcome { node: node.clone(), result }).judged(&self.absent)
    }

    fn partial(&self) -> bool {
        false
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// What an outcome is to a read.
pub(super) enum Sorted {
    /// An answer.
    Answer(Bytes),
    /// The node understood the request and refuses it.
    Refused(ResponseError),
    /// The node does not know the index.
    Absent(ResponseError),
    /// The node cannot answer now.
    Failed,
}

impl Sorted {
    /// What it is to a read in parts. That an index is not there is believed where no copy knows it.
    fn judged(self, absent: &OnceLock<ResponseError>) -> Judged<ResponseError> {
        match self {
            Self::Answer(body) => Judged::Answer(body),
            Self::Refused(error) => Judged::Refused(error),
            Self::Absent(error) => {
                absent.get_or_init(|| error);
                Judged::Failed
            }
            Self::Failed => Judged::Failed,
        }
    }
}

pub(super) fn sort(outcome: Outcome) -> Sorted {
    let answer = match outcome.result {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(node = outcome.node.name(), %error, "node failed a read");
            return Sorted::Failed;
        }
    };
    if answer.status.is_success() && is_whole(&answer.body) {
        return Sorted::Answer(answer.body);
    }
    let refuses = answer.status.is_client_error()
        && !matches!(
            answer.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        );
    match serde_json::from_slice::<ResponseError>(&answer.body) {
        // The index is there, or was until a moment ago: the node may have lost it.
        Ok(error) if error.code_name() == "index_not_found" => {
            outcome.node.health().doubted();
            Sorted::Absent(error.with_status(answer.status))
        }
        Ok(error) if refuses => Sorted::Refused(
            error
                .with_status(answer.status)
                .without_attribute(SLOT_FIELD)
                .map_message(|text| named_as_asked(&text)),
        ),
        _ => {
            let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)]).into_owned();
            tracing::warn!(node = outcome.node.name(), status = %answer.status, body, "node failed a read");
            Sorted::Failed
        }
    }
}

/// Whether an answer can be one of a node: JSON that begins and ends. A proxy between, or a node that breaks down, may say
/// anything with a status of success.
fn is_whole(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    matches!((body.first(), body.last()), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')))
        && body.len() > 1
}

fn shards_unavailable(missing: &[ShardId]) -> ResponseError {
    let shards = shard_list(missing);
    ResponseError::new(
        Code::MiroirShardUnavailable,
        format!("No copy of these shards can be read now: {shards}. The answer would be incomplete."),
    )
}

/// The error of a read that ran out of time.
pub(crate) fn too_late() -> ResponseError {
    ResponseError::new(Code::MiroirTimeout, "The nodes did not answer in time.")
}

/// Shards as ranges: `0-84, 90`.
pub(crate) fn shard_list(shards: &[ShardId]) -> String {
    let runs = shards.chunk_by(|a, b| a.0 + 1 == b.0);
    let runs = runs.map(|run| match (run[0].0, run[run.len() - 1].0) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    });
    runs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_answer_of_a_node_is_told_apart() {
        for whole in [&b"{}"[..], b" {\"hits\":[]}\n", b"[]"] {
            assert!(is_whole(whole));
        }
        for rubbish in [
            &b""[..],
            b"{",
            b"<html></html>",
            b"{\"hits\":[",
            b"null",
            b"\x1f\x8b\x08",
            b"{]",
            b"\xef\xbb\xbf{}",
        ] {
            assert!(!is_whole(rubbish), "{rubbish:?}");
        }
    }

    #[test]
    fn shards_are_listed_as_ranges() {
        let shards: Vec<ShardId> = [0, 1, 2, 7, 9, 10].map(ShardId).into();
        assert_eq!(shard_list(&shards), "0-2, 7, 9-10");
        assert_eq!(shard_list(&[]), "");
    }
}
