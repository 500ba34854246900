//! `facetDistribution` and `facetStats` of several nodes as those of one.
//!
//! Exact as long as the nodes cut nothing: they need a `maxValuesPerFacet` wider than any facet. What cannot be told
//! from the answers, and how it is decided:
//! * a facet that holds both the number 5 and the string "5" lists one of them; their counts are added up;
//! * of several spellings of a string ("Drama", "drama") the first node's is given;
//! * by count, the order of values with equal counts depends on the shape of a node's index; here it is the reverse of
//!   the order by name, as it is in a small one.

mod normal;
mod stats;
mod values;

use std::{borrow::Cow, collections::BTreeMap, ops::RangeInclusive};

pub use self::values::FacetOrder;
pub(crate) use self::{
    normal::{fold, normalize},
    stats::Stats,
};

use self::values::{Value, Walk, arrange};
use crate::{
    MergeError,
    error::InNode,
    record::is_visible,
    scan::{Cursor, Scan, count, push_count, unescape, visit_leaves},
};

/// With more candidates than this, Meilisearch orders numbers by value.
const MANY_CANDIDATES: u64 = 3000;

/// How facet values are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FacetSpec {
    /// The logical `faceting.maxValuesPerFacet`.
    pub max_values: usize,
    /// `faceting.sortFacetValuesBy` for `*`.
    pub order: FacetOrder,
    /// `faceting.sortFacetValuesBy` for attributes by name.
    pub order_by: Vec<(String, FacetOrder)>,
}

impl FacetSpec {
    /// In which order the values of an attribute are given.
    pub fn order_of(&self, attribute: &str) -> FacetOrder {
        self.order_by.iter().find(|(name, _)| name == attribute).map_or(self.order, |(_, order)| *order)
    }

    fn walk(&self, attribute: &str, candidates: u64) -> Walk {
        match self.order_of(attribute) {
            FacetOrder::Count => Walk::Counts,
            FacetOrder::Name if candidates <= MANY_CANDIDATES => Walk::Documents,
            FacetOrder::Name => Walk::Names,
        }
    }
}

/// The merged `facetDistribution`.
#[derive(Default)]
pub(crate) struct Distribution<'a>(BTreeMap<Cow<'a, str>, Attribute<'a>>);

/// Of one attribute: its name as written, and each node's values.
struct Attribute<'a> {
    name: &'a [u8],
    nodes: Vec<(usize, &'a [u8])>,
}

/// What decides how the values are listed.
pub(crate) struct Listing<'l, 'a> {
    pub(crate) spec: &'l FacetSpec,
    /// How many documents the search found.
    pub(crate) candidates: u64,
    pub(crate) stats: &'l Stats<'a>,
    /// Hits that a node counted and that are to be taken off, with their nodes.
    pub(crate) duplicates: &'l [(usize, &'a [u8])],
}

impl<'a> Distribution<'a> {
    /// Adds what one node says.
    pub(crate) fn add(&mut self, node: usize, text: &'a [u8]) -> Scan<()> {
        let mut cursor = Cursor::new(text);
        cursor.enter_object()?;
        let mut first = true;
        while let Some(name) = cursor.key(&mut first)? {
            let values = cursor.value()?;
            let key = unescape(name);
            if is_visible(&key) {
                self.0.entry(key).or_insert(Attribute { name, nodes: Vec::new() }).nodes.push((node, values));
            }
        }
        Ok(())
    }

    /// Appends the object.
    pub(crate) fn write(&self, listing: &Listing<'_, 'a>, out: &mut Vec<u8>) -> Result<(), MergeError> {
        let mut values = Vec::new();
        out.push(b'{');
        for (index, (name, attribute)) in self.0.iter().enumerate() {
            attribute.read(name, listing, &mut values)?;
            arrange(&mut values, listing.spec.walk(name, listing.candidates), listing.spec.max_values);
            push_key(index, attribute.name, out);
            out.push(b'{');
            for (index, value) in values.drain(..).enumerate() {
                push_key(index, &value.text, out);
                push_count(out, value.count.unsigned_abs());
            }
            out.push(b'}');
        }
        out.push(b'}');
        Ok(())
    }
}

impl<'a> Attribute<'a> {
    /// All values of all nodes, and what is to be taken off them.
    fn read(
        &self,
        name: &str,
        listing: &Listing<'_, 'a>,
        values: &mut Vec<Value<'a>>,
    ) -> Result<(), MergeError> {
        let numbers = listing.stats.range(name);
        for (node, text) in &self.nodes {
            read_values(text, numbers.as_ref(), values).in_node(*node, 0)?;
        }
        for (node, hit) in listing.duplicates {
            let mut held = Vec::new();
            visit_leaves(hit, name, &mut |leaf| held.extend(Value::removal(leaf))).in_node(*node, 0)?;
            // A document counts once for a value that it holds twice.
            held.sort_by(|left, right| left.order(right, Walk::Names));
            held.dedup_by(|later, first| first.order(later, Walk::Names).is_eq());
            values.append(&mut held);
        }
        Ok(())
    }
}

fn read_values<'a>(
    text: &'a [u8],
    numbers: Option<&RangeInclusive<f64>>,
    values: &mut Vec<Value<'a>>,
) -> Scan<()> {
    let mut cursor = Cursor::new(text);
    cursor.enter_object()?;
    let mut first = true;
    while let Some(text) = cursor.key(&mut first)? {
        let count = count(cursor.value()?).and_then(|count| i64::try_from(count).ok());
        let Some(count) = count else { return cursor.fail("expected a count") };
        values.push(Value::new(text, count, numbers));
    }
    Ok(())
}

/// Appends `"key":`, after a comma unless it is the first.
fn push_key(index: usize, key: &[u8], out: &mut Vec<u8>) {
    let comma: &[u8] = if index > 0 { b",\"" } else { b"\"" };
    for part in [comma, key, b"\":"] {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(nodes: &[(&str, &str)], spec: &FacetSpec, candidates: u64) -> String {
        let mut stats = Stats::default();
        for (_, text) in nodes {
            stats.add(text.as_bytes()).unwrap();
        }
        let mut distribution = Distribution::default();
        for (node, (text, _)) in nodes.iter().enumerate() {
            distribution.add(node, text.as_bytes()).unwrap();
        }
        let mut out = Vec::new();
        let listing = Listing { spec, candidates, stats: &stats, duplicates: &[] };
        distribution.write(&listing, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn attributes_come_by_name_and_the_internal_ones_not_at_all() {
        let nodes = [
            (
                r#"{"year":{"1998":1},"_miroir.s":{"!":2},"genre":{}}"#,
                r#"{"year":{"min":1998.0,"max":1998.0}}"#,
            ),
            (
                r#"{"année \"x\"":{"a\"b":1},"year":{"1998":2,"2001":1}}"#,
                r#"{"year":{"min":1998.0,"max":2001.0}}"#,
            ),
        ];
        assert_eq!(
            merged(&nodes, &FacetSpec { max_values: 10, ..FacetSpec::default() }, 5),
            r#"{"année \"x\"":{"a\"b":1},"genre":{},"year":{"1998":3,"2001":1}}"#
        );
    }

    #[test]
    fn each_attribute_has_its_own_order() {
        let spec = FacetSpec {
            max_values: 2,
            order: FacetOrder::Count,
            order_by: vec![("a".to_owned(), FacetOrder::Name)],
        };
        let nodes =
            [(r#"{"a":{"x":1,"y":2},"b":{"x":1,"y":2}}"#, "{}"), (r#"{"a":{"z":9},"b":{"z":9}}"#, "{}")];
        assert_eq!(merged(&nodes, &spec, 12), r#"{"a":{"x":1,"y":2},"b":{"z":9,"y":2}}"#);
    }

    #[test]
    fn many_candidates_order_numbers_by_value() {
        let nodes = [(r#"{"n":{"10":1,"9":1}}"#, r#"{"n":{"min":9.0,"max":10.0}}"#)];
        let spec = FacetSpec { max_values: 9, ..FacetSpec::default() };
        assert_eq!(merged(&nodes, &spec, 3000), r#"{"n":{"10":1,"9":1}}"#);
        assert_eq!(merged(&nodes, &spec, 3001), r#"{"n":{"9":1,"10":1}}"#);
    }

    #[test]
    fn hits_are_taken_off_value_by_value() {
        let mut distribution = Distribution::default();
        distribution.add(0, br#"{"a":{"5":1,"Drama":2,"true":1},"b.c":{"x":2}}"#).unwrap();
        let hit: &[u8] = br#"{"a":["drama","DRAMA",true,null,"",7],"b":[{"c":"x"}]}"#;
        let spec = FacetSpec { max_values: 9, ..FacetSpec::default() };
        let stats = Stats::default();
        let listing = Listing { spec: &spec, candidates: 1, stats: &stats, duplicates: &[(0, hit)] };
        let mut out = Vec::new();
        distribution.write(&listing, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"a":{"5":1,"Drama":1},"b.c":{"x":1}}"#);
    }

    #[test]
    fn what_is_no_count_is_an_error() {
        for text in [r#"{"a":{"x":-1}}"#, r#"{"a":3}"#] {
            let mut distribution = Distribution::default();
            distribution.add(7, text.as_bytes()).unwrap();
            let (spec, stats) = (FacetSpec::default(), Stats::default());
            let listing = Listing { spec: &spec, candidates: 1, stats: &stats, duplicates: &[] };
            let error = distribution.write(&listing, &mut Vec::new()).unwrap_err();
            assert!(matches!(error, MergeError::Malformed { node: 7, .. }));
        }
        assert!(Stats::default().add(br#"{"a":3}"#).is_err());
    }
}
