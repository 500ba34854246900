//! Totals and facets of searches that group their hits, from an answer to each search alone.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{FederatedSpec, hits::Members};
use crate::{
    MergeError, envelope::Envelope, error::InNode, facets::MANY_CANDIDATES, scan::Cursor, search::Told,
};

/// Whether so many hits are found that how facets are listed depends on how many of them are in which index.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn are_many(answers: &[Bytes]) -> Result<bool, MergeError> {
    let mut found = 0u64;
    for (node, text) in answers.iter().enumerate() {
        let (mut members, mut cursor) = (Members::default(), Cursor::new(text));
        let head = members.read_head(&mut cursor);
        head.and_then(|()| members.read_tail(&mut cursor, true)).in_node(node, 0)?;
        found = found.saturating_add(members.total.unwrap_or_default());
    }
    Ok(found > MANY_CANDIDATES)
}

/// What is told of all hits, by index.
pub(super) struct Counted<'a>(BTreeMap<&'a str, Told<'a>>);

impl<'a> Counted<'a> {
    pub(super) fn of(spec: &'a FederatedSpec) -> Result<Self, MergeError> {
        let answers = spec.counted.iter().enumerate();
        let told = answers.map(|(place, (index, answer))| Ok((index.as_str(), Told::of(place, answer)?)));
        told.collect::<Result<_, _>>().map(Self)
    }

    /// How many hits there are; `None` where it was not counted.
    pub(super) fn total(&self) -> Option<u64> {
        let totals = self.0.values().map(|told| told.total);
        (!self.0.is_empty()).then(|| totals.fold(0, u64::saturating_add))
    }

    /// The distribution and the statistics of an index, if they were counted.
    pub(super) fn facets_of(&self, index: &str) -> Option<(&'a [u8], &'a [u8])> {
        self.0.get(index)?.facets
    }
}
