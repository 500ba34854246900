//! Asking the nodes of a read, and others where some fail.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use miroir_config::Partial;
use miroir_nodes::{Call, NodeError, NodeRequest, Outcome, fan_out};
use miroir_protocol::error::{Code, ResponseError};
use miroir_shard::{NodeId, SLOT_FIELD, ShardId};
use tokio::time::Instant;

use super::{
    reserved::named_as_asked,
    targets::{Scope, Target, Targets},
};
use crate::state::Gateway;

/// How long the nodes of a read are waited for while others could answer it.
const HEDGE_AFTER: Duration = Duration::from_millis(300);

/// What the nodes answered, one answer for each node asked.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// The answers' bodies.
    pub answers: Vec<Bytes>,
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
}

/// Asks the nodes of a read what `request` makes of each one's filter. Nodes that fail are left out and the read is
/// planned anew without them, as long as there is time and copies. Where those that were only slow turn out to be the
/// only ones, they are asked again and waited for. What a node refuses is what the client is told.
pub(crate) async fn scatter(
    gateway: &Gateway,
    scope: &Scope<'_>,
    terms: Terms,
    request: impl Fn(&Target) -> NodeRequest,
) -> Result<Gathered, ResponseError> {
    let mut failed = Vec::new();
    let mut slow = Vec::new();
    loop {
        let mut targets = Targets::of(gateway, scope, &failed);
        let only_slow = !targets.missing.is_empty() && !slow.is_empty();
        if only_slow {
            failed.retain(|node| !slow.contains(node));
            slow.clear();
            targets = Targets::of(gateway, scope, &failed);
        }
        if !targets.missing.is_empty() && (terms.partial == Partial::Deny || targets.asked.is_empty()) {
            return Err(shards_unavailable(&targets));
        }
        let left = terms.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(too_late());
        }
        let elsewhere = !only_slow && left > HEDGE_AFTER && targets.has_alternative(gateway, scope, &failed);
        let timeout = if elsewhere { HEDGE_AFTER } else { left };
        match ask(&targets, timeout, &request).await? {
            Round::Complete(answers) => return Ok(Gathered { answers, missing: targets.missing }),
            Round::Failed(failures) => {
                slow.extend(
                    failures.iter().filter(|(_, why)| elsewhere && *why == Why::Slow).map(|(node, _)| *node),
                );
                failed.extend(failures.into_iter().map(|(node, _)| node));
            }
        }
    }
}

/// What came of asking every target once.
enum Round {
    Complete(Vec<Bytes>),
    Failed(Vec<(NodeId, Why)>),
}

async fn ask(
    targets: &Targets,
    timeout: Duration,
    request: impl Fn(&Target) -> NodeRequest,
) -> Result<Round, ResponseError> {
    let calls: Vec<Call> = targets
        .asked
        .iter()
        .map(|target| Call { node: target.node.clone(), request: request(target) })
        .collect();
    let outcomes = fan_out(&calls, timeout).await;
    let mut answers = Vec::with_capacity(outcomes.len());
    let mut failed = Vec::new();
    let mut refused = None;
    for (target, outcome) in targets.asked.iter().zip(outcomes) {
        match sort(outcome) {
            Sorted::Answer(body) => answers.push(body),
            Sorted::Refused(error) => refused = refused.or(Some(error)),
            Sorted::Failed(why) => failed.push((target.id, why)),
        }
    }
    match refused {
        // Every node refuses the same request alike: no other node has to be asked.
        Some(error) => Err(error),
        None if failed.is_empty() => Ok(Round::Complete(answers)),
        None => Ok(Round::Failed(failed)),
    }
}

/// What an outcome is to a read.
pub(super) enum Sorted {
    /// An answer.
    Answer(Bytes),
    /// The node understood the request and refuses it.
    Refused(ResponseError),
    /// The node cannot answer now.
    Failed(Why),
}

/// Why a node has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It may yet: it was not waited for any longer.
    Slow,
    /// Anything else.
    Broken,
}

pub(super) fn sort(outcome: Outcome) -> Sorted {
    let answer = match outcome.result {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(node = outcome.node.name(), %error, "node failed a read");
            let slow = matches!(error, NodeError::Timeout(_));
            return Sorted::Failed(if slow { Why::Slow } else { Why::Broken });
        }
    };
    if answer.status.is_success() {
        return Sorted::Answer(answer.body);
    }
    let refuses = answer.status.is_client_error()
        && !matches!(
            answer.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        );
    match serde_json::from_slice::<ResponseError>(&answer.body) {
        Ok(error) if refuses => Sorted::Refused(
            error
                .with_status(answer.status)
                .without_attribute(SLOT_FIELD)
                .map_message(|text| named_as_asked(&text)),
        ),
        _ => {
            let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)]).into_owned();
            tracing::warn!(node = outcome.node.name(), status = %answer.status, body, "node failed a read");
            Sorted::Failed(Why::Broken)
        }
    }
}

fn shards_unavailable(targets: &Targets) -> ResponseError {
    let shards = shard_list(&targets.missing);
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
    fn shards_are_listed_as_ranges() {
        let shards: Vec<ShardId> = [0, 1, 2, 7, 9, 10].map(ShardId).into();
        assert_eq!(shard_list(&shards), "0-2, 7, 9-10");
        assert_eq!(shard_list(&[]), "");
    }
}
