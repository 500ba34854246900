//! A read in parts, each of which may come from another node where one is slow or fails.
//!
//! All parts are asked at once. A node that takes longer than it hardly ever does is not waited for alone: what it was asked
//! is asked of others too, and the first whole answer counts. Only a share of all reads is asked twice, unless the node
//! answers nothing at all. A node that fails is replaced in the same way. The other parts are not asked again, and no part is
//! in the outcome twice.

use std::{future::Future, pin::Pin};

use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use tokio::time::{Instant, sleep};

use crate::{
    error::NodeError,
    latency::{LONGEST, Latency},
    node::Node,
    request::{Answer, NodeRequest},
};

/// What one node is asked.
#[derive(Clone, Debug)]
pub struct Part<K> {
    /// What the part is, to whoever asks.
    pub key: K,
    /// Who is asked.
    pub node: Node,
    /// What it is asked.
    pub request: NodeRequest,
}

/// Parts that stand in for another one.
#[derive(Debug)]
pub struct Instead<K> {
    /// Who is asked what.
    pub parts: Vec<Part<K>>,
    /// Whether they are all of it.
    pub complete: bool,
}

/// What an answer is to the read.
#[derive(Debug)]
pub enum Judged<E> {
    /// It is in the outcome.
    Answer(Bytes),
    /// Nobody could answer the request: everyone would say the same.
    Refused(E),
    /// The node cannot answer it now.
    Failed,
}

/// Why there is no outcome.
#[derive(Debug, PartialEq)]
pub enum Uncovered<K, E> {
    /// The request is refused.
    Refused(E),
    /// Nobody gave this part.
    Failed(K),
}

/// How parts are asked.
pub trait Reading: Sync {
    /// What a part is.
    type Key: Clone + Send + Sync;
    /// What a refusal is.
    type Refusal: Send;

    /// What is asked instead of a part, of nodes other than those of `tried`.
    fn instead(&self, key: &Self::Key, tried: &[Self::Key]) -> Instead<Self::Key>;

    /// Judges what came of asking.
    fn judge(&self, node: &Node, result: Result<Answer, NodeError>) -> Judged<Self::Refusal>;

    /// Whether a part may be left out that nobody gives.
    fn partial(&self) -> bool;

    /// When an answer is of no use any more.
    fn deadline(&self) -> Instant;
}

type Covered<R> =
    Result<Vec<(<R as Reading>::Key, Bytes)>, Uncovered<<R as Reading>::Key, <R as Reading>::Refusal>>;

/// Asks all parts and gives an answer for each, or for what stood in for it, in the order of the parts. Dropping the future
/// cancels what is under way.
pub async fn cover<R: Reading>(reading: &R, parts: Vec<Part<R::Key>>) -> Covered<R> {
    cover_all(reading, parts, Vec::new()).await
}

async fn cover_all<R: Reading>(reading: &R, parts: Vec<Part<R::Key>>, tried: Vec<R::Key>) -> Covered<R> {
    let mut asked = parts.into_iter().map(|part| cover_one(reading, part, &tried));
    if asked.len() == 1
        && let Some(only) = asked.next()
    {
        return only.await;
    }
    if !reading.partial() {
        return Ok(try_join_all(asked).await?.into_iter().flatten().collect());
    }
    let mut covered = Vec::new();
    for outcome in join_all(asked).await {
        match outcome {
            Ok(answers) => covered.extend(answers),
            Err(Uncovered::Failed(_)) => {}
            Err(refused) => return Err(refused),
        }
    }
    Ok(covered)
}

async fn cover_one<R: Reading>(reading: &R, part: Part<R::Key>, tried: &[R::Key]) -> Covered<R> {
    let mut first = std::pin::pin!(ask(reading, &part));
    let latency = part.node.latency();
    tokio::select! {
        biased;
        judged = &mut first => return settle(reading, &part, judged, tried).await,
        () = out_of_patience(latency) => {}
    }
    part.node.health().unanswered();
    let instead = reading.instead(&part.key, &with(tried, &part.key));
    if !instead.complete || instead.parts.is_empty() {
        let judged = first.await;
        return settle(reading, &part, judged, tried).await;
    }
    let asked_others = Instant::now();
    let mut other = others(reading, instead.parts, with(tried, &part.key));
    tokio::select! {
        biased;
        judged = &mut first => match judged {
            Judged::Failed => other.await,
            judged => settle(reading, &part, judged, tried).await,
        },
        covered = &mut other => match covered {
            Err(Uncovered::Failed(_)) => finish(part.key.clone(), first.await),
            covered => {
                let slowness = part.node.health().slowness();
                slowness.was_slow(&part.request, asked_others.elapsed(), latency.patience());
                covered
            }
        },
    }
}

/// Ends when others are to be asked too: the node takes longer than it hardly ever does, and may be asked for twice, or
/// it has answered nothing at all for as long as anybody is waited for. One that is slow as all are, under load, is
/// waited for: twice the load would not make it faster.
async fn out_of_patience(latency: &Latency) {
    let mut answered = latency.answered();
    let patience = latency.patience();
    sleep(patience).await;
    if latency.may_hedge() {
        return;
    }
    sleep(LONGEST.saturating_sub(patience)).await;
    while latency.answered() != answered && !latency.may_hedge() {
        answered = latency.answered();
        sleep(LONGEST).await;
    }
}

/// What is made of a node's outcome where nobody else has been asked yet.
async fn settle<R: Reading>(
    reading: &R,
    part: &Part<R::Key>,
    judged: Judged<R::Refusal>,
    tried: &[R::Key],
) -> Covered<R> {
    if !matches!(judged, Judged::Failed) || Instant::now() >= reading.deadline() {
        return finish(part.key.clone(), judged);
    }
    let tried = with(tried, &part.key);
    let instead = reading.instead(&part.key, &tried);
    if instead.parts.is_empty() || !(instead.complete || reading.partial()) {
        return Err(Uncovered::Failed(part.key.clone()));
    }
    others(reading, instead.parts, tried).await
}

fn finish<K, E>(key: K, judged: Judged<E>) -> Result<Vec<(K, Bytes)>, Uncovered<K, E>> {
    match judged {
        Judged::Answer(body) => Ok(vec![(key, body)]),
        Judged::Refused(error) => Err(Uncovered::Refused(error)),
        Judged::Failed => Err(Uncovered::Failed(key)),
    }
}

/// Boxed: what stands in for a part may need others to stand in for it.
fn others<'a, R: Reading>(
    reading: &'a R,
    parts: Vec<Part<R::Key>>,
    tried: Vec<R::Key>,
) -> Pin<Box<dyn Future<Output = Covered<R>> + Send + 'a>>
where
    R::Key: 'a,
{
    Box::pin(cover_all(reading, parts, tried))
}

async fn ask<R: Reading>(reading: &R, part: &Part<R::Key>) -> Judged<R::Refusal> {
    let start = Instant::now();
    let left = reading.deadline().saturating_duration_since(start);
    let result = part.node.ask(&part.request, left).await;
    if result.is_ok() {
        let took = start.elapsed();
        if took <= part.node.latency().patience() {
            part.node.health().slowness().was_quick();
        }
        part.node.latency().record(took);
    }
    reading.judge(&part.node, result)
}

fn with<K: Clone>(tried: &[K], key: &K) -> Vec<K> {
    tried.iter().chain([key]).cloned().collect()
}
