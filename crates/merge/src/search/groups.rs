//! How many hits there are under `distinct`.

use super::answer::Members;
use crate::{
    MergeError,
    error::InNode,
    facets::{Stats, count_groups},
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
