//! Totals and facets of searches that group their hits, from an answer to each search alone.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{
    FederatedQuery, FederatedSpec,
    alone::Rejected,
    facets::{ByIndex, read_facets},
    hits::Members,
};
use crate::{
    FacetSpec, MergeError, Paging, SearchSpec,
    envelope::Envelope,
    error::InNode,
    facets::{MANY_CANDIDATES, TiedFacet},
    scan::Cursor,
    search::{Documents, Left, Told, left},
};

/// Whether so many hits are found that how facets are listed depends on how many of them are in which index.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn are_many(answers: &[Bytes]) -> Result<bool, MergeError> {
    let found = facets_of(answers)?.1.into_iter().flatten().fold(0, u64::saturating_add);
    Ok(found > MANY_CANDIDATES)
}

/// The indexes for which the answers do not tell how one node would list a facet: see
/// [`facets_in_doubt`](crate::facets_in_doubt). None where a node found more than `most` documents.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn facets_in_doubt_of(
    answers: &[Bytes],
    spec: &FederatedSpec,
    most: u64,
) -> Result<Vec<String>, MergeError> {
    let (facets, found) = facets_of(answers)?;
    if answers.len() < 2 || found.iter().any(|found| found.is_none_or(|found| found > most)) {
        return Ok(Vec::new());
    }
    let mut in_doubt = Vec::new();
    for (index, facets) in &facets {
        if let Some(listed) = spec.facets.get(index.as_ref())
            && facets.are_in_doubt(listed)?
        {
            in_doubt.push(index.clone().into_owned());
        }
    }
    Ok(in_doubt)
}

/// The attributes, by index, whose lists by count hold equal counts: see [`tied_facets`](crate::tied_facets).
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn tied_facets_of(
    answers: &[Bytes],
    spec: &FederatedSpec,
) -> Result<BTreeMap<String, Vec<TiedFacet>>, MergeError> {
    let mut all = BTreeMap::new();
    if !spec.facets.values().any(FacetSpec::has_counts) {
        return Ok(all);
    }
    for (index, facets) in facets_of(answers)?.0 {
        let Some(listed) = spec.facets.get(index.as_ref()) else { continue };
        let tied = facets.tied(listed)?;
        if !tied.is_empty() {
            all.insert(index.into_owned(), tied);
        }
    }
    Ok(all)
}

/// The attributes that the answers list, by index: those that any of its documents ever had.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn listed_facets_of(answers: &[Bytes]) -> Result<BTreeMap<String, BTreeSet<String>>, MergeError> {
    let facets = facets_of(answers)?.0.into_iter();
    Ok(facets
        .map(|(index, facets)| (index.into_owned(), facets.names().map(str::to_owned).collect()))
        .collect())
}

/// The facets that the answers list, and how many documents each says are found.
fn facets_of(answers: &[Bytes]) -> Result<(ByIndex<'_>, Vec<Option<u64>>), MergeError> {
    let (mut facets, mut found) = (ByIndex::new(), Vec::with_capacity(answers.len()));
    for (node, text) in answers.iter().enumerate() {
        let (mut members, mut cursor) = (Members::default(), Cursor::new(text));
        let head = members.read_head(&mut cursor);
        head.and_then(|()| members.read_tail(&mut cursor, true)).in_node(node, 0)?;
        found.push(members.total);
        members
            .facets_by_index
            .map_or(Ok(()), |text| read_facets(node, text, &mut facets))
            .in_node(node, 0)?;
    }
    Ok((facets, found))
}

/// What is told of all hits, by index.
pub(super) struct Counted<'a>(BTreeMap<&'a str, All<'a>>);

/// All hits of an index.
enum All<'a> {
    Told(Told<'a>),
    /// In the order of insertion.
    Documents(Documents<'a>),
}

impl<'a> Counted<'a> {
    /// `rejected` are documents that are not counted.
    pub(super) fn of(spec: &'a FederatedSpec, rejected: &Rejected<'_>) -> Result<Self, MergeError> {
        let mut counted = BTreeMap::new();
        for (place, (index, answer)) in spec.counted.iter().enumerate() {
            counted.insert(index.as_str(), All::Told(Told::of(place, answer)?));
        }
        for (index, surveyed) in &spec.surveyed {
            if let Some(documents) = found(index, surveyed, spec, rejected.get(index.as_str()))? {
                counted.insert(index.as_str(), All::Documents(documents));
            }
        }
        Ok(Self(counted))
    }

    /// How many hits there are; `None` where those of an index were not counted.
    pub(super) fn total(&self, spec: &FederatedSpec) -> Option<u64> {
        let is_counted = |query: &FederatedQuery| self.0.contains_key(query.index.as_str());
        let totals = self.0.values().map(|all| match all {
            All::Told(told) => told.total,
            All::Documents(documents) => documents.len() as u64,
        });
        spec.queries.iter().all(is_counted).then(|| totals.fold(0, u64::saturating_add))
    }

    /// The distribution and the statistics of an index, if they were told.
    pub(super) fn facets_of(&self, index: &str) -> Option<(&'a [u8], &'a [u8])> {
        match self.0.get(index)? {
            All::Told(told) => told.facets,
            All::Documents(_) => None,
        }
    }

    /// The documents that are found in an index, if they are known.
    pub(super) fn documents_of(&self, index: &str) -> Option<&[(usize, &'a [u8])]> {
        match self.0.get(index)? {
            All::Told(_) => None,
            All::Documents(documents) => Some(documents),
        }
    }
}

/// The documents that any of the queries in an index finds and is left with under its `distinct`, in the order of insertion.
fn found<'a>(
    index: &str,
    surveyed: &'a [Vec<Bytes>],
    spec: &FederatedSpec,
    rejected: Option<&BTreeSet<&[u8]>>,
) -> Result<Option<Documents<'a>>, MergeError> {
    let mut all = BTreeMap::new();
    for (query, answers) in spec.queries_in(index).zip(surveyed) {
        let page = SearchSpec {
            paging: Paging::Page { page: 1, hits_per_page: spec.most_hits(index) },
            distinct: query.search.distinct.clone(),
            max_total_hits: query.search.max_total_hits,
            ..SearchSpec::default()
        };
        let Some(left) = left(answers, &page)? else { return Ok(None) };
        for Left { sequence, node, text } in left {
            if rejected.is_none_or(|rejected| !rejected.contains(sequence)) {
                all.entry(sequence).or_insert((node, text));
            }
        }
    }
    Ok(Some(all.into_values().collect()))
}
