//! The queries of a federated search, asked one by one, and made one list as one node with all documents does.
//!
//! A node that is asked all queries tells a document that several of them find once, as the best one found it. Whether another
//! query keeps it under `distinct`, or needs it to leave out another document, cannot be told from that.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    ops::ControlFlow,
};

use bytes::Bytes;

use super::{
    FederatedSpec,
    hits::{Hit, Hits, Query},
};
use crate::{
    MergeError,
    error::InNode,
    keys::Weights,
    kway::merge,
    scan::number,
    search::{Distinct, GOOD_ENOUGH, Values, Window},
};

/// The nodes' answers to one query of a federated search, which they were asked alone, for its first hits.
#[derive(Debug, Clone, Default)]
pub struct Alone {
    /// To the query, of a hybrid one with a semantic ratio for which the words are [never
    /// enough](crate::words_may_be_enough).
    pub answers: Vec<Bytes>,
    /// To the same without vectors, where the words may be enough.
    pub by_words: Vec<Bytes>,
    /// How many hits nodes were asked for.
    pub limit: usize,
    /// Whether nodes grouped them.
    pub grouped: bool,
}

/// Whether the hits of a query are not known for sure, as nodes left out documents for others that are left out themselves, or
/// were asked for too few hits.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn is_in_doubt(alone: &Alone, place: usize, spec: &FederatedSpec) -> Result<bool, MergeError> {
    let query = Query::all(spec).into_iter().nth(place).map(Query::alone);
    let Some(query) = query else { return Ok(false) };
    Ok(List::of(alone, &query, spec)?.in_doubt)
}

/// Whether words are enough for a hybrid query: one node with all documents would not look at vectors.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn words_are_enough(alone: &Alone, place: usize, spec: &FederatedSpec) -> Result<bool, MergeError> {
    let query = Query::all(spec).into_iter().nth(place).map(Query::alone);
    let Some(query) = query else { return Ok(false) };
    Ok(by_words(alone, &query, spec)?.is_some())
}

/// Documents that are left out, by index: their places in the order of insertion.
pub(super) type Rejected<'a> = BTreeMap<&'a str, BTreeSet<&'a [u8]>>;

/// Appends the hits of the page, and tells what `distinct` of the whole left out.
pub(super) fn write_alone<'a>(
    alone: &'a [Alone],
    queries: &'a [Query<'a>],
    spec: &'a FederatedSpec,
    out: &mut Vec<u8>,
) -> Result<(u64, Rejected<'a>), MergeError> {
    let mut rejected = Rejected::new();
    let mut by_index: BTreeMap<&str, Vec<VecDeque<Hit<'a>>>> = BTreeMap::new();
    for (query, alone) in queries.iter().zip(alone) {
        by_index.entry(query.index).or_default().push(List::of(alone, query, spec)?.hits);
    }
    let mut lists = Vec::new();
    for (index, of_queries) in by_index {
        lists.push(of_index(index, of_queries, spec, &mut rejected));
    }
    let Window { skip, take } = spec.paging.window();
    let mut values = spec.distinct.as_ref().map(|_| Values::default());
    let (mut seen, mut written, mut semantic) = (0, 0, 0);
    while let Some(hit) = next(&mut lists) {
        let Some(query) = queries.get(hit.query) else { continue };
        if values.as_mut().is_some_and(|values| !values.keep(hit.record.watched())) {
            rejected.entry(query.index).or_default().insert(hit.record.sequence());
            continue;
        }
        if seen >= skip && written < take {
            if written > 0 {
                out.push(b',');
            }
            written += 1;
            hit.record.write(&query.shape, out).in_node(hit.node, hit.base)?;
            semantic += u64::from(hit.is_semantic);
        }
        seen += 1;
        if written == take && values.is_none() {
            break;
        }
    }
    Ok((semantic, rejected))
}

/// The hits of all queries in one index, up to the end of the page. Each document comes once, and leaves out others also where
/// it is left out itself.
fn of_index<'a>(
    index: &'a str,
    mut lists: Vec<VecDeque<Hit<'a>>>,
    spec: &FederatedSpec,
    rejected: &mut Rejected<'a>,
) -> VecDeque<Hit<'a>> {
    let most = spec.most_hits(index);
    let mut met = HashSet::<&[u8], foldhash::fast::RandomState>::default();
    let mut values = spec.distinct.as_ref().map(|_| Values::default());
    let mut kept = VecDeque::new();
    while kept.len() < most {
        let Some(hit) = next(&mut lists) else { break };
        let sequence = hit.record.sequence();
        if !sequence.is_empty() && !met.insert(sequence) {
            continue;
        }
        if values.as_mut().is_some_and(|values| !values.keep(hit.record.watched())) {
            rejected.entry(index).or_default().insert(sequence);
        } else {
            kept.push_back(hit);
        }
    }
    kept
}

/// The next hit of several lists: the best one, or of equals that of the first query.
fn next<'a>(lists: &mut [VecDeque<Hit<'a>>]) -> Option<Hit<'a>> {
    let heads = lists.iter_mut().filter(|list| !list.is_empty());
    let best = heads.min_by(|left, right| match (left.front(), right.front()) {
        (Some(left), Some(right)) => left.weighted.order(&right.weighted).then(left.query.cmp(&right.query)),
        (left, right) => left.is_none().cmp(&right.is_none()),
    });
    best?.pop_front()
}

/// The hits of one query over all nodes, up to the end of the page.
struct List<'a> {
    hits: VecDeque<Hit<'a>>,
    in_doubt: bool,
}

impl<'a> List<'a> {
    fn of(alone: &'a Alone, query: &'a Query<'a>, spec: &FederatedSpec) -> Result<Self, MergeError> {
        if let Some(enough) = by_words(alone, query, spec)? {
            return Ok(enough);
        }
        let halves = alone
            .answers
            .iter()
            .map(|text| (text, !alone.by_words.is_empty()))
            .chain(alone.by_words.iter().map(|text| (text, false)));
        Self::read(halves, alone, query, spec)
    }

    /// Of answers, and of each whether only hits by vector count.
    fn read(
        answers: impl Iterator<Item = (&'a Bytes, bool)>,
        alone: &Alone,
        query: &'a Query<'a>,
        spec: &FederatedSpec,
    ) -> Result<Self, MergeError> {
        let most = spec.most_hits(query.index);
        let opened: Result<Vec<_>, _> = answers
            .enumerate()
            .map(|(node, (text, only_semantic))| {
                let hits = Hits::open(node, text, std::slice::from_ref(query))?;
                Ok(if only_semantic { hits.only_semantic() } else { hits })
            })
            .collect();
        let mut opened = opened?;
        let mut read = vec![0; opened.len()];
        let mut list = Self { hits: VecDeque::new(), in_doubt: false };
        let mut distinct = query.shape.watch.map(|_| Distinct::default());
        let mut met = HashSet::<&[u8], foldhash::fast::RandomState>::default();
        if most == 0 {
            return Ok(list);
        }
        merge(&mut opened, |answer| {
            if let Some(read) = read.get_mut(answer.node()) {
                *read += 1;
            }
            let record = answer.record();
            let (text, sequence) = (record.text(), record.sequence());
            // The two halves of a hybrid search may both have found it.
            let is_met = !alone.by_words.is_empty() && !sequence.is_empty() && !met.insert(sequence);
            if is_met {
                return Ok(ControlFlow::Continue(()));
            }
            let (node, values) = (answer.node(), record.watched());
            if distinct.as_mut().is_none_or(|distinct| distinct.keep(node, text, values)) {
                list.hits.push_back(answer.take());
            } else {
                list.in_doubt |= alone.grouped && values.len() > 1;
            }
            Ok(if list.hits.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        list.in_doubt |= !alone.grouped && read.iter().any(|read| *read >= alone.limit);
        Ok(list)
    }
}

/// The hits by words of a hybrid query, where they are enough: as many as the page needs, and all of them good.
fn by_words<'a>(
    alone: &'a Alone,
    query: &'a Query<'a>,
    spec: &FederatedSpec,
) -> Result<Option<List<'a>>, MergeError> {
    let Some(weights) = query.weights().filter(|_| !alone.by_words.is_empty()) else { return Ok(None) };
    let list = List::read(alone.by_words.iter().map(|text| (text, false)), alone, query, spec)?;
    let Weights { keyword, .. } = weights;
    let is_good =
        |hit: &Hit<'_>| hit.record.score().and_then(number).unwrap_or_default() * keyword >= GOOD_ENOUGH;
    let enough = list.hits.len() == spec.most_hits(query.index) && list.hits.iter().all(is_good);
    Ok(enough.then_some(list))
}
