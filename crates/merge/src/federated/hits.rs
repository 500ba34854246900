//! One node's answer to a federated search, read from front to back as the merge needs it.

use std::cmp::Ordering;

use super::{FederatedQuery, FederatedSpec};
use crate::{
    MergeError,
    envelope::Envelope,
    error::InNode,
    keys::{Details, Weighted, Weights},
    kway::Source,
    record::{Record, Shape},
    scan::{Cursor, Scan, count, number},
    search::order_sequences,
};

/// A query, as its hits are read and written.
pub(super) struct Query<'s> {
    /// Its place in the client's request.
    pub(super) place: usize,
    pub(super) index: &'s str,
    pub(super) max_total_hits: usize,
    /// Of a hybrid search.
    hybrid: Option<Weights>,
    pub(super) shape: Shape<'s>,
}

/// An answer: opened before its first hit, then a source of hits, then closed for its other members.
pub(super) struct Hits<'a, 's> {
    node: usize,
    cursor: Cursor<'a>,
    queries: &'s [Query<'s>],
    is_first: bool,
    is_done: bool,
    record: Record<'a>,
    details: Details<'a>,
    /// Where the hit starts in the answer.
    base: usize,
    /// Which query found the hit.
    position: usize,
    weighted: Weighted<'a>,
    only_semantic: bool,
    members: Members<'a>,
}

/// A hit that was taken out of its answer.
pub(super) struct Hit<'a> {
    pub(super) node: usize,
    /// Where the hit starts in its answer.
    pub(super) base: usize,
    /// The place of the query that found it.
    pub(super) query: usize,
    pub(super) record: Record<'a>,
    pub(super) weighted: Weighted<'a>,
    pub(super) is_semantic: bool,
}

/// What follows the hits.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Members<'a> {
    pub(super) total: Option<u64>,
    pub(super) facets_by_index: Option<&'a [u8]>,
    pub(super) query_vectors: Option<&'a [u8]>,
    pub(super) semantic: bool,
}

impl<'s> Query<'s> {
    /// All queries as the client asked for them.
    pub(super) fn all(spec: &'s FederatedSpec) -> Vec<Self> {
        spec.queries.iter().enumerate().map(|(place, query)| Self::new(place, query, spec)).collect()
    }

    fn new(place: usize, query: &'s FederatedQuery, of_all: &'s FederatedSpec) -> Self {
        let (distinct, remote) = (of_all.distinct.as_deref(), of_all.remote.as_deref());
        let spec = &query.search;
        let mut shape = Shape::of_hit(&spec.strip, &spec.strip_formatted, spec.displayed.as_deref());
        (shape.show_score, shape.show_details) = (spec.show_ranking_score, spec.show_ranking_score_details);
        shape.watch = distinct.or(spec.distinct.as_deref());
        (shape.is_federated, shape.remote) = (true, remote);
        Self {
            place,
            hybrid: spec.semantic_ratio.map(Weights::of_ratio),
            index: &query.index,
            max_total_hits: spec.max_total_hits.unwrap_or(usize::MAX),
            shape,
        }
    }

    /// As its node answers where it is asked this query alone.
    pub(super) fn alone(mut self) -> Self {
        self.shape.query = Some(self.place);
        self
    }

    /// How its two halves are weighed, of a hybrid search.
    pub(super) fn weights(&self) -> Option<Weights> {
        self.hybrid
    }
}

impl<'a, 's> Hits<'a, 's> {
    /// Reads up to the hits.
    pub(super) fn open(node: usize, text: &'a [u8], queries: &'s [Query<'s>]) -> Result<Self, MergeError> {
        let mut answer = Self {
            node,
            cursor: Cursor::new(text),
            queries,
            is_first: true,
            is_done: false,
            record: Record::default(),
            details: Details::default(),
            base: 0,
            position: 0,
            weighted: Weighted::default(),
            only_semantic: false,
            members: Members::default(),
        };
        answer.members.read_head(&mut answer.cursor).in_node(node, 0)?;
        Ok(answer)
    }

    /// The same with only the hits that were found by their vector.
    pub(super) fn only_semantic(self) -> Self {
        Self { only_semantic: true, ..self }
    }

    /// Takes the current hit out of the answer.
    pub(super) fn take(&mut self) -> Hit<'a> {
        Hit {
            node: self.node,
            base: self.base,
            query: self.query().place,
            is_semantic: self.is_semantic(),
            record: std::mem::take(&mut self.record),
            weighted: std::mem::take(&mut self.weighted),
        }
    }

    /// Reads what follows the hits; those that were not taken are stepped over.
    pub(super) fn close(&mut self) -> Result<Members<'a>, MergeError> {
        let among_hits = !self.is_done;
        self.members.read_tail(&mut self.cursor, among_hits).in_node(self.node, 0)?;
        Ok(self.members)
    }

    /// The query that found the current hit.
    pub(super) fn query(&self) -> &'s Query<'s> {
        // A hit of another query is an error when it is read.
        &self.queries[self.position]
    }

    /// Which query found the current hit.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Which of the given answers this is.
    pub(super) fn node(&self) -> usize {
        self.node
    }

    /// The current hit.
    pub(super) fn record(&self) -> &Record<'a> {
        &self.record
    }

    /// Whether the current hit was found by its vector.
    pub(super) fn is_semantic(&self) -> bool {
        self.details.is_semantic()
    }

    /// Appends what the client gets to see of the current hit.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), MergeError> {
        self.record.write(&self.query().shape, out).in_node(self.node, self.base)
    }

    fn read_hit(&mut self) -> Result<bool, MergeError> {
        if self.is_done || !self.cursor.element(&mut self.is_first).in_node(self.node, 0)? {
            self.is_done = true;
            return Ok(false);
        }
        let text = self.cursor.value().in_node(self.node, 0)?;
        self.base = self.cursor.at().saturating_sub(text.len());
        self.read_record(text).in_node(self.node, self.base)?;
        Ok(true)
    }

    fn read_record(&mut self, text: &'a [u8]) -> Scan<()> {
        let Federation { position, score, values } = Federation::of_hit(text, self.queries.len())?;
        self.position = position;
        self.weighted.read(score, values)?;
        let shape = &self.query().shape;
        self.record.read(&mut Cursor::new(text), shape)?;
        match self.record.details() {
            None => self.details.clear(),
            Some(details) => self.details.read(details)?,
        }
        Ok(())
    }
}

/// What a node says about a hit of several queries.
struct Federation<'a> {
    /// The place of the query that found it.
    position: usize,
    /// Its weighted score.
    score: f64,
    /// What it was weighed with, where the node tells.
    values: &'a [u8],
}

impl<'a> Federation<'a> {
    fn of_hit(hit: &'a [u8], queries: usize) -> Scan<Self> {
        let mut cursor = Cursor::new(hit);
        cursor.enter_object()?;
        let mut first = true;
        while let Some(key) = cursor.key(&mut first)? {
            if key == b"_federation" {
                return Self::read(&mut cursor, queries);
            }
            cursor.value()?;
        }
        cursor.fail("expected the member `_federation`")
    }

    fn read(cursor: &mut Cursor<'a>, queries: usize) -> Scan<Self> {
        let (mut position, mut score, mut values) = (None, None, &[][..]);
        cursor.enter_object()?;
        let mut first = true;
        while let Some(key) = cursor.key(&mut first)? {
            let value = cursor.value()?;
            match key {
                b"queriesPosition" => position = count(value).and_then(|place| usize::try_from(place).ok()),
                b"weightedRankingScore" => score = number(value),
                b"weightedScoreValues" => values = value,
                _ => {}
            }
        }
        match position.filter(|position| *position < queries) {
            Some(position) => Ok(Self { position, score: score.unwrap_or_default(), values }),
            None => cursor.fail("expected the position of a query"),
        }
    }
}

impl Source for Hits<'_, '_> {
    fn advance(&mut self) -> Result<bool, MergeError> {
        while self.read_hit()? {
            if !self.only_semantic || self.is_semantic() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn order(&self, other: &Self) -> Ordering {
        if self.position == other.position {
            let score = |hits: &Self| hits.record.score().and_then(number).unwrap_or_default();
            let by_rules = match self.query().hybrid {
                None => self.details.order(&other.details),
                Some(weights) => {
                    self.details.order_hybrid(score(self), &other.details, score(other), weights)
                }
            };
            return by_rules.then_with(|| order_sequences(self.record.sequence(), other.record.sequence()));
        }
        self.weighted.order(&other.weighted).then(self.position.cmp(&other.position))
    }
}

impl<'a> Envelope<'a> for Members<'a> {
    fn read(&mut self, key: &[u8], cursor: &mut Cursor<'a>) -> Scan<()> {
        let value = cursor.value()?;
        match key {
            b"estimatedTotalHits" | b"totalHits" => self.total = count(value),
            b"facetsByIndex" => self.facets_by_index = Some(value),
            b"queryVectors" => self.query_vectors = Some(value),
            b"semanticHitCount" => self.semantic = value != b"null",
            _ => {}
        }
        Ok(())
    }

    fn has_total(&self) -> bool {
        self.total.is_some()
    }
}
