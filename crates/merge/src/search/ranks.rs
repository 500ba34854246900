//! What a list of facet values by count depends on beside the counts: see [`FacetRanks`].

use bytes::Bytes;

use super::{
    answer::{Answer, Ranking},
    spec::{Paging, SearchSpec},
    stats,
};
use crate::{
    MergeError,
    error::InNode,
    facets::{Distribution, FacetRanks, Stats, TiedFacet},
    record::Shape,
};

/// The attributes whose values are listed by count, with equal counts among them: in which order these come, and which are left
/// where the list is cut between them, is told by [`all values of the index`](facet_ranks).
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn tied_facets(answers: &[Bytes], spec: &SearchSpec) -> Result<Vec<TiedFacet>, MergeError> {
    let Some(facets) = spec.facets.as_ref().filter(|facets| facets.has_counts()) else {
        return Ok(Vec::new());
    };
    let (distribution, stats) = facets_of(answers)?;
    distribution.tied(facets, &stats)
}

/// Whether the answers alone do not tell how one node would list the facets: see [`merge_surveyed`](crate::merge_surveyed). Not
/// where a node found more than `most` documents, or where totals and facets are estimates.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn facets_in_doubt(answers: &[Bytes], spec: &SearchSpec, most: u64) -> Result<bool, MergeError> {
    let Some(facets) = spec.facets.as_ref().filter(|_| answers.len() > 1) else { return Ok(false) };
    if spec.distinct.is_some() && matches!(spec.paging, Paging::Window { .. }) {
        return Ok(false);
    }
    for (node, answer) in answers.iter().enumerate() {
        if Told::of(node, answer)?.total > most {
            return Ok(false);
        }
    }
    let (distribution, stats) = facets_of(answers)?;
    distribution.is_in_doubt(facets, &stats)
}

/// How many documents one node's search found.
///
/// # Errors
///
/// If the answer is cut, or not what Meilisearch sends.
pub fn total_hits(answer: &[u8]) -> Result<u64, MergeError> {
    Ok(Told::of(0, answer)?.total)
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
    use crate::{FacetOrder, FacetSpec, merge_search, merge_surveyed};

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
    fn lists_with_equal_counts_are_found() {
        let answers =
            [answer(r#"{"a":{"x":3,"y":1},"b":{"x":1}}"#), answer(r#"{"a":{"y":1,"z":2},"b":{"y":2}}"#)];
        let tied = |max_values| {
            let tied = tied_facets(&answers, &spec(max_values)).unwrap().into_iter();
            tied.map(|facet| format!("{} {}", facet.attribute, facet.is_cut)).collect::<Vec<_>>()
        };
        assert_eq!(tied(1), ["a false"]);
        assert_eq!(tied(2), ["a true"]);
        assert_eq!(tied(3), ["a false"]);
        let by_name = SearchSpec { facets: Some(FacetSpec::default()), ..spec(2) };
        assert!(tied_facets(&answers, &by_name).unwrap().is_empty());
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

    #[test]
    fn facets_that_nodes_tell_too_little_of_are_told_by_all_documents() {
        let answers = [
            answer(r#"{"a":{"Red":1},"n":{"1":1,"2":1}}"#).to_vec(),
            answer(r#"{"a":{"red":2},"n":{"3":1,"2":1}}"#).to_vec(),
        ];
        let answers = answers.map(|answer| {
            let answer = String::from_utf8(answer).unwrap();
            Bytes::from(answer.replace(r#""facetStats":{}"#, r#""facetStats":{"n":{"min":1.0,"max":9.0}}"#))
        });
        let plain =
            SearchSpec { facets: Some(FacetSpec { max_values: 9, ..FacetSpec::default() }), ..spec(0) };
        let in_doubt =
            |answers: &[Bytes], spec: &SearchSpec, most| facets_in_doubt(answers, spec, most).unwrap();
        assert!(in_doubt(&answers, &plain, 9));
        // By how strings are spelled, by a string that reads as a number, and by neither.
        for (first, second, doubt) in [
            (r#"{"a":{"Red":1}}"#, r#"{"a":{"red":1}}"#, true),
            (r#"{"a":{"Red":1}}"#, r#"{"a":{"Red":1}}"#, false),
        ] {
            assert_eq!(in_doubt(&[answer(first), answer(second)], &plain, 9), doubt);
        }
        assert!(in_doubt(&[answers[1].clone(), answers[1].clone()], &plain, 9));
        assert!(!in_doubt(&answers, &plain, 8), "too many");
        let grouped = SearchSpec { distinct: Some("n".to_owned()), ..plain.clone() };
        assert!(!in_doubt(&answers, &grouped, 9), "an estimate");

        let document = |n: &str, a: &str, value: &str| {
            format!(r#"{{"id":"{n}","a":"{a}","n":{value},"_miroir":{{"n":"{n}"}}}}"#)
        };
        let survey = |documents: &[String]| {
            let (all, total) = (documents.join(","), documents.len());
            Bytes::from(format!(r#"{{"hits":[{all}],"query":"","totalHits":{total}}}"#))
        };
        let surveyed = [
            survey(&[document("!", "Red", "2"), document(";", "x", "1")]),
            survey(&[document(",", "red", "\"2\""), document(":", "red", "3")]),
        ];
        let merged = String::from_utf8(merge_surveyed(&answers, &surveyed, &plain).unwrap()).unwrap();
        let facets = r#""facetDistribution":{"a":{"Red":3,"x":1},"n":{"1":1,"2":1,"3":1}},"facetStats":{"n":{"min":1.0,"max":3.0}}"#;
        assert!(merged.contains(facets), "{merged}");
    }
}
