//! What a list of facet values by count depends on beside the counts: see [`FacetRanks`].

use bytes::Bytes;

use super::{
    answer::{Answer, Ranking},
    spec::SearchSpec,
    stats,
};
use crate::{
    MergeError,
    error::InNode,
    facets::{Distribution, FacetRanks, Stats},
    record::Shape,
};

/// The attributes whose values are listed by count, and cut between values with equal counts: which of them are left is
/// told by [`all values of the index`](facet_ranks).
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn facets_cut_in_ties(answers: &[Bytes], spec: &SearchSpec) -> Result<Vec<String>, MergeError> {
    let Some(facets) = spec.facets.as_ref().filter(|facets| facets.has_counts()) else {
        return Ok(Vec::new());
    };
    let (distribution, stats) = facets_of(answers)?;
    distribution.cut_in_ties(facets, &stats)
}

/// All values of an index, from the nodes' answers to a search that finds all documents.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn facet_ranks(answers: &[Bytes]) -> Result<FacetRanks, MergeError> {
    let (distribution, stats) = facets_of(answers)?;
    distribution.ranks(&stats)
}

/// What an answer tells of all hits.
pub(crate) struct Told<'a> {
    pub(crate) total: u64,
    /// The distribution and the statistics, where facets were asked for.
    pub(crate) facets: Option<(&'a [u8], &'a [u8])>,
}

impl<'a> Told<'a> {
    /// Reads an answer, the `node`th of several.
    pub(crate) fn of(node: usize, answer: &'a [u8]) -> Result<Self, MergeError> {
        let shape = Shape::of_hit(&[], &[], None);
        let members = Answer::open(node, answer, &shape, Ranking::None)?.close()?;
        let facets = members.facet_distribution.zip(members.facet_stats);
        Ok(Self { total: members.total.unwrap_or_default(), facets })
    }
}

fn facets_of(answers: &[Bytes]) -> Result<(Distribution<'_>, Stats<'_>), MergeError> {
    let shape = Shape::of_hit(&[], &[], None);
    let answers = answers.iter().enumerate();
    let members: Result<Vec<_>, _> =
        answers.map(|(node, text)| Answer::open(node, text, &shape, Ranking::None)?.close()).collect();
    let members = members?;
    let mut distribution = Distribution::default();
    for (node, members) in members.iter().enumerate() {
        members.facet_distribution.map_or(Ok(()), |text| distribution.add(node, text)).in_node(node, 0)?;
    }
    Ok((distribution, stats(&members)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FacetOrder, FacetSpec, Paging, merge_search};

    fn answer(facets: &str) -> Bytes {
        format!(r#"{{"hits":[],"query":"","estimatedTotalHits":9,"facetDistribution":{facets},"facetStats":{{}}}}"#)
            .into()
    }

    fn spec(max_values: usize) -> SearchSpec {
        SearchSpec {
            paging: Paging::Window { offset: 0, limit: 0 },
            facets: Some(FacetSpec { max_values, order: FacetOrder::Count, ..FacetSpec::default() }),
            ..SearchSpec::default()
        }
    }

    #[test]
    fn lists_that_are_cut_between_equal_counts_are_found() {
        let answers =
            [answer(r#"{"a":{"x":3,"y":1},"b":{"x":1}}"#), answer(r#"{"a":{"y":1,"z":2},"b":{"y":2}}"#)];
        let cut = |max_values| facets_cut_in_ties(&answers, &spec(max_values)).unwrap();
        assert_eq!((cut(1), cut(2), cut(3)), (vec![], vec!["a".to_owned()], vec![]));
        let by_name = SearchSpec { facets: Some(FacetSpec::default()), ..spec(2) };
        assert!(facets_cut_in_ties(&answers, &by_name).unwrap().is_empty());
    }

    #[test]
    fn values_that_are_alone_in_their_group_come_last() {
        let all: Vec<String> = (0..40).map(|number| format!(r#""v{number:02}":1"#)).collect();
        let ranks = facet_ranks(&[answer(&format!(r#"{{"a":{{{}}}}}"#, all.join(",")))]).unwrap();
        let found = [answer(r#"{"a":{"v01":1,"v02":1,"v20":1}}"#), answer(r#"{"a":{"v39":1,"v03":2}}"#)];
        let listed = |ranks| {
            let merged = merge_search(&found, &SearchSpec { facet_ranks: ranks, ..spec(3) }).unwrap();
            let merged = String::from_utf8(merged).unwrap();
            let (_, facets) = merged.split_once(r#""facetDistribution":{"a":"#).unwrap();
            facets.split_once('}').unwrap().0.to_owned()
        };
        assert_eq!(listed(Some(ranks)), r#"{"v03":2,"v02":1,"v01":1"#);
        assert_eq!(listed(None), r#"{"v03":2,"v39":1,"v20":1"#);
    }
}
