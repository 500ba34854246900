//! One node's answer to a search, read from front to back as the merge needs it.

use std::cmp::Ordering;

use crate::{
    MergeError,
    envelope::Envelope,
    error::InNode,
    keys::{Details, Weights, first_score},
    kway::Source,
    record::{Record, Shape},
    scan::{Cursor, Scan, count, number},
    whereabouts::Item,
};

/// An answer: opened before its first hit, then a source of hits, then closed for its other members.
pub(crate) struct Answer<'a, 's> {
    node: usize,
    cursor: Cursor<'a>,
    shape: &'s Shape<'s>,
    ranking: Ranking,
    state: State,
    record: Record<'a>,
    details: Details<'a>,
    score: f64,
    only_semantic: bool,
    /// Whether the node tells what it weighed each hit with.
    weighted: bool,
    members: Members<'a>,
}

/// What hits are compared by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ranking {
    /// There is one answer only: its order is the order.
    None,
    /// Rule by rule.
    Rules,
    /// A hybrid search.
    Hybrid(Weights),
}

/// Where the cursor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the hits, before the first one.
    FirstHit,
    /// In the hits, after one.
    Hits,
    /// After the hits.
    Tail,
}

/// What follows the hits.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Members<'a> {
    pub(crate) query: Option<&'a [u8]>,
    pub(crate) query_vector: Option<&'a [u8]>,
    pub(crate) total: Option<u64>,
    pub(crate) facet_distribution: Option<&'a [u8]>,
    pub(crate) facet_stats: Option<&'a [u8]>,
    pub(crate) semantic: bool,
    pub(crate) degraded: bool,
}

impl<'a, 's> Answer<'a, 's> {
    /// Reads up to the hits.
    pub(crate) fn open(
        node: usize,
        text: &'a [u8],
        shape: &'s Shape<'s>,
        ranking: Ranking,
    ) -> Result<Self, MergeError> {
        let mut answer = Self {
            node,
            cursor: Cursor::new(text),
            shape,
            ranking,
            state: State::FirstHit,
            record: Record::default(),
            details: Details::default(),
            score: 0.0,
            only_semantic: false,
            weighted: false,
            members: Members::default(),
        };
        answer.members.read_head(&mut answer.cursor).in_node(node, 0)?;
        Ok(answer)
    }

    /// The same with only the hits that were found by their vector.
    pub(crate) fn only_semantic(self) -> Self {
        Self { only_semantic: true, ..self }
    }

    /// The same of hits with what their node weighed them with.
    pub(crate) fn weighted(self, weighted: bool) -> Self {
        Self { weighted, ..self }
    }

    /// Reads what follows the hits; those that were not taken are stepped over.
    pub(crate) fn close(&mut self) -> Result<Members<'a>, MergeError> {
        let among_hits = self.state != State::Tail;
        self.members.read_tail(&mut self.cursor, among_hits).in_node(self.node, 0)?;
        Ok(self.members)
    }

    /// Makes the next hit the current one.
    fn read_hit(&mut self) -> Scan<bool> {
        let mut first = self.state == State::FirstHit;
        if self.state == State::Tail {
            return Ok(false);
        }
        if !self.cursor.element(&mut first)? {
            self.state = State::Tail;
            return Ok(false);
        }
        self.state = State::Hits;
        self.record.read(&mut self.cursor, self.shape)?;
        if let Ranking::Hybrid(_) = self.ranking {
            let told = self.record.federation().filter(|_| self.weighted);
            let first = told.map(first_score).transpose()?.flatten();
            self.score = first.or_else(|| self.record.score().and_then(number)).unwrap_or(0.0);
        }
        Ok(true)
    }

    fn read_details(&mut self) -> Result<(), MergeError> {
        match self.record.details() {
            None => self.details.clear(),
            Some(text) => {
                self.details.read(text).in_node(self.node, self.record.base())?;
            }
        }
        Ok(())
    }

    /// The current hit.
    pub(crate) fn record(&self) -> &Record<'a> {
        &self.record
    }

    /// The rules of the current hit, read if the ranking did not need them.
    pub(crate) fn details(&mut self) -> Result<&Details<'a>, MergeError> {
        if let Ranking::None = self.ranking {
            self.read_details()?;
        }
        Ok(&self.details)
    }

    /// Whether the current hit was found by its vector.
    pub(crate) fn is_semantic(&mut self) -> Result<bool, MergeError> {
        if let Ranking::None = self.ranking {
            let text = self.record.details().unwrap_or_default();
            if memchr::memmem::find(text, b"\"vectorSort\"").is_none() {
                return Ok(false);
            }
        }
        Ok(self.details()?.is_semantic())
    }

    /// Which of the given answers this is.
    pub(crate) fn node(&self) -> usize {
        self.node
    }
}

impl Source for Answer<'_, '_> {
    fn advance(&mut self) -> Result<bool, MergeError> {
        loop {
            if !self.read_hit().in_node(self.node, 0)? {
                return Ok(false);
            }
            if !matches!(self.ranking, Ranking::None) {
                self.read_details()?;
            }
            if !self.only_semantic || self.details.is_semantic() {
                return Ok(true);
            }
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        let by_rules = match self.ranking {
            Ranking::None => Ordering::Equal,
            Ranking::Rules => self.details.order(&other.details),
            Ranking::Hybrid(weights) => {
                self.details.order_hybrid(self.score, &other.details, other.score, weights)
            }
        };
        by_rules.then_with(|| order_sequences(self.record.sequence(), other.record.sequence()))
    }
}

impl<'a> Item<'a> for Answer<'a, '_> {
    fn answer(&self) -> usize {
        self.node
    }

    fn item(&self) -> &Record<'a> {
        &self.record
    }
}

/// Which of two places in the order of insertion comes first (`Less`); unknown ones come last.
pub(crate) fn order_sequences(left: &[u8], right: &[u8]) -> Ordering {
    left.is_empty().cmp(&right.is_empty()).then_with(|| left.cmp(right))
}

impl<'a> Envelope<'a> for Members<'a> {
    fn read(&mut self, key: &[u8], cursor: &mut Cursor<'a>) -> Scan<()> {
        let value = cursor.value()?;
        match key {
            b"query" => self.query = Some(value),
            b"queryVector" => self.query_vector = Some(value),
            b"estimatedTotalHits" | b"totalHits" => self.total = count(value),
            b"facetDistribution" => self.facet_distribution = Some(value),
            b"facetStats" => self.facet_stats = Some(value),
            b"semanticHitCount" => self.semantic = value != b"null",
            b"degraded" => self.degraded = value == b"true",
            _ => {}
        }
        Ok(())
    }

    fn has_total(&self) -> bool {
        self.total.is_some()
    }
}
