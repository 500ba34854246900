//! The values that were found: grouped over the nodes, put in order, cut.

use std::{
    borrow::Cow,
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use crate::{
    FacetOrder,
    facets::{fold, normalize},
    scan::unescape,
};

/// A value of the facet.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// As a node wrote it.
    pub(super) text: &'a [u8],
    pub(super) count: u64,
    /// What a query is compared with, which comes first in the order; empty if there was no query.
    folded: Cow<'a, str>,
    /// What makes it the same value as another spelling.
    normal: Cow<'a, str>,
}

impl<'a> Found<'a> {
    /// A value as written. With a query a node walks the values in the order of what the query is compared with.
    pub(super) fn new(text: &'a [u8], count: u64, searched: bool) -> Self {
        let normal = normalize(unescape(text));
        let folded = if searched { fold(normal.clone()) } else { Cow::Borrowed("") };
        Self { text, count, folded, normal }
    }

    pub(super) fn normal(&self) -> &str {
        &self.normal
    }

    /// Whether the value begins with a query that was folded like it.
    pub(super) fn begins_with(&self, query: &str) -> bool {
        self.folded.starts_with(query)
    }

    fn order(&self, other: &Self) -> Ordering {
        self.folded.cmp(&other.folded).then_with(|| self.normal.cmp(&other.normal))
    }
}

/// The values of all nodes, given node after node, as one node would list them.
pub(super) fn arrange(values: &mut Vec<Found<'_>>, order: FacetOrder, max_values: usize) {
    values.sort_by(Found::order);
    values.dedup_by(|later, first| {
        let same = first.order(later).is_eq();
        first.count += if same { later.count } else { 0 };
        same
    });
    values.retain(|value| value.count > 0);
    match order {
        FacetOrder::Name => values.truncate(max_values),
        FacetOrder::Count => keep_most_frequent(values, max_values),
    }
}

/// A value with its count, ordered as a node orders them: by count, then by how they are spelled.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Counted {
    count: u64,
    spelling: String,
    place: usize,
}

/// Keeps the most frequent values, the most frequent first. Of values as frequent as the least one that is kept, a node
/// keeps those it met last.
fn keep_most_frequent(values: &mut Vec<Found<'_>>, max_values: usize) {
    let mut kept = BinaryHeap::with_capacity(values.len().min(max_values));
    for (place, value) in values.iter().enumerate() {
        let counted =
            Reverse(Counted { count: value.count, spelling: unescape(value.text).into_owned(), place });
        if kept.len() < max_values {
            kept.push(counted);
        } else if let Some(mut least) = kept.peek_mut()
            && least.0.count <= value.count
        {
            *least = counted;
        }
    }
    let places: Vec<usize> = kept.into_sorted_vec().into_iter().map(|Reverse(value)| value.place).collect();
    let mut all: Vec<_> = std::mem::take(values).into_iter().map(Some).collect();
    values.extend(places.into_iter().filter_map(|place| all.get_mut(place)?.take()));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of all nodes, arranged, as `value=count`.
    fn arranged(nodes: &[&[(&str, u64)]], searched: bool, order: FacetOrder, max_values: usize) -> String {
        let values = nodes.iter().copied().flatten();
        let mut values: Vec<_> =
            values.map(|(text, count)| Found::new(text.as_bytes(), *count, searched)).collect();
        arrange(&mut values, order, max_values);
        let text = |value: &Found<'_>| format!("{}={}", String::from_utf8_lossy(value.text), value.count);
        values.iter().map(text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn spellings_are_one_value() {
        let nodes: &[&[_]] = &[&[("Action", 3), ("drama", 2)], &[("action", 1), ("Drama", 5), ("Zoo", 1)]];
        assert_eq!(arranged(nodes, false, FacetOrder::Name, 9), "Action=4 drama=7 Zoo=1");
        assert_eq!(arranged(nodes, false, FacetOrder::Name, 1), "Action=4");
        assert_eq!(arranged(nodes, false, FacetOrder::Name, 0), "");
    }

    #[test]
    fn accents_count_for_the_order_only_without_a_query() {
        let nodes: &[&[_]] = &[&[("eb", 1), ("éa", 1)], &[("Ez", 1)]];
        assert_eq!(arranged(nodes, false, FacetOrder::Name, 9), "eb=1 Ez=1 éa=1");
        assert_eq!(arranged(nodes, true, FacetOrder::Name, 9), "éa=1 eb=1 Ez=1");
    }

    #[test]
    fn accents_make_values_of_their_own() {
        let nodes: &[&[_]] = &[&[("ea", 1), ("éa", 2)], &[("ea", 1)]];
        assert_eq!(arranged(nodes, true, FacetOrder::Name, 9), "ea=2 éa=2");
    }

    #[test]
    fn the_most_frequent_come_first_and_ties_from_the_end() {
        let nodes: &[&[_]] = &[&[("a", 1), ("b", 2), ("c", 1)], &[("c", 2), ("d", 3)]];
        assert_eq!(arranged(nodes, false, FacetOrder::Count, 9), "d=3 c=3 b=2 a=1");
        assert_eq!(arranged(nodes, false, FacetOrder::Count, 2), "d=3 c=3");
        assert_eq!(arranged(nodes, false, FacetOrder::Count, 0), "");
    }

    #[test]
    fn the_last_of_equals_is_kept() {
        let nodes: &[&[_]] = &[&[("a", 1), ("b", 1), ("c", 1)]];
        assert_eq!(arranged(nodes, false, FacetOrder::Count, 2), "c=1 b=1");
    }
}
