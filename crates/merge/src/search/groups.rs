//! How many hits there are under `distinct`.

use bytes::Bytes;

use super::{
    answer::{Answer, Members, Ranking},
    spec::SearchSpec,
};
use crate::{
    MergeError,
    error::InNode,
    facets::{FacetOrder, Stats, count_groups},
    kway::Source,
    record::Shape,
};

/// The number of documents that share no value of `attribute`, from what each node says about its own: it has one document
/// of each value, and those without one.
///
/// `None` where a node did not count the values.
pub(super) fn total(
    members: &[Members<'_>],
    stats: &Stats<'_>,
    attribute: &str,
) -> Result<Option<u64>, MergeError> {
    let mut without = 0u64;
    let mut counted = Vec::with_capacity(members.len());
    for (node, members) in members.iter().enumerate() {
        let Some(text) = members.facet_distribution else { return Ok(None) };
        let Some(groups) = count_groups(text, attribute, stats).in_node(node, 0)? else { return Ok(None) };
        without = without.saturating_add(members.total.unwrap_or_default().saturating_sub(groups.sum()));
        counted.push(groups);
    }
    let mut all = counted.into_iter().reduce(|all, more| all.joined(more));
    Ok(all.as_mut().map(|all| without.saturating_add(all.sum())))
}

/// Whether a document is known to be of several groups, as its distinct attribute holds a list, or a number and a string may
/// read alike: groups are then not as many as the attribute has values, and only [all documents](crate::merge_surveyed) tell how
/// many there are.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn groups_overlap(answers: &[Bytes], spec: &SearchSpec) -> Result<bool, MergeError> {
    let Some(distinct) = &spec.distinct else { return Ok(false) };
    let mut shape = Shape::of_hit(&[], &[], None);
    shape.watch = Some(distinct);
    for (node, text) in answers.iter().enumerate() {
        let mut answer = Answer::open(node, text, &shape, Ranking::None)?;
        while answer.advance()? {
            if answer.record().watched().len() > 1 {
                return Ok(true);
            }
        }
        let members = answer.close()?;
        let (Some(text), Some(total)) = (members.facet_distribution, members.total) else { continue };
        let mut stats = Stats::default();
        members.facet_stats.map_or(Ok(()), |text| stats.add(text)).in_node(node, 0)?;
        let groups = count_groups(text, distinct, &stats).in_node(node, 0)?;
        let order = spec.facets.as_ref().map_or_else(FacetOrder::default, |facets| facets.order_of(distinct));
        if groups.is_some_and(|groups| groups.sum() > total || groups.may_have_numerals(order)) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_found_among_the_hits_and_by_their_counts() {
        let spec = SearchSpec { distinct: Some("g".to_owned()), ..SearchSpec::default() };
        let answer = |groups: &str, counted: &str| {
            format!(
                r#"{{"hits":[{{"id":1,"g":{groups}}}],"query":"","totalHits":2,"facetDistribution":{{"g":{counted}}}}}"#
            )
        };
        let overlap = |answer: String| groups_overlap(&[answer.into()], &spec).unwrap();
        assert!(!overlap(answer("\"a\"", r#"{"a":1,"b":1}"#)));
        assert!(overlap(answer(r#"["a","b"]"#, r#"{"a":1,"b":1}"#)));
        assert!(overlap(answer("\"a\"", r#"{"a":1,"b":1,"c":1}"#)));
        assert!(!groups_overlap(&[], &SearchSpec::default()).unwrap());
    }
}
