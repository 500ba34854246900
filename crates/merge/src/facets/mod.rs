//! `facetDistribution` and `facetStats` of several nodes as those of one.
//!
//! Exact as long as the nodes cut nothing: they need a `maxValuesPerFacet` wider than any facet. What cannot be told
//! from the answers, and how it is decided:
//! * a facet that holds both the number 5 and the string "5" lists one of them, with the count of the string. Where documents
//!   are counted, so does this; of nodes' lists, the counts are added up;
//! * of several spellings of a string ("Drama", "drama") the first document's is given, or of lists the first node's;
//! * by count, the order of values with equal counts follows from all values in the index: see [`FacetRanks`]. Where these
//!   are not known, it is the reverse of the order by name.

mod groups;
mod normal;
mod ranks;
mod stats;
mod values;

use std::{borrow::Cow, collections::BTreeMap, ops::RangeInclusive};

pub(crate) use self::{
    groups::count_groups,
    normal::{fold, normalize},
    stats::Stats,
};
pub use self::{ranks::FacetRanks, values::FacetOrder};

use self::{
    groups::Groups,
    values::{Ties, Value, Walk, are_spelled_differently, arrange, may_have_numerals, ties},
};
use crate::{
    MergeError,
    error::InNode,
    record::is_visible,
    scan::{Cursor, Scan, count, push_count, quoted, unescape, visit_leaves},
};

/// With more candidates than this, Meilisearch orders numbers by value.
pub(crate) const MANY_CANDIDATES: u64 = 3000;

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

    /// Whether any attribute's values are given by count.
    pub fn has_counts(&self) -> bool {
        self.order == FacetOrder::Count || self.order_by.iter().any(|(_, order)| *order == FacetOrder::Count)
    }

    fn walk(&self, attribute: &str, candidates: u64) -> Walk {
        match self.order_of(attribute) {
            FacetOrder::Count => Walk::Counts,
            FacetOrder::Name if candidates <= MANY_CANDIDATES => Walk::Documents,
            FacetOrder::Name => Walk::Names,
        }
    }
}

/// An attribute whose list by count holds values with equal counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TiedFacet {
    /// Its name.
    pub attribute: String,
    /// Whether the list is cut between such values, so that not all of them are in it.
    pub is_cut: bool,
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
    /// The attribute whose values are groups of documents, one of which each node counted.
    pub(crate) groups: Option<&'l str>,
    /// The documents to count, in place of what the nodes counted, with their nodes.
    pub(crate) documents: Option<&'l [(usize, &'a [u8])]>,
    /// All values of the index, as far as they are known.
    pub(crate) ranks: Option<&'l FacetRanks>,
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

    /// The attributes.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(AsRef::as_ref)
    }

    /// Leaves out an attribute.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The statistics of the numbers that these documents hold for the attributes.
    pub(crate) fn stats_of(&self, documents: &[(usize, &'a [u8])]) -> Result<Stats<'a>, MergeError> {
        let mut stats = Stats::default();
        for (name, attribute) in &self.0 {
            for (node, document) in documents {
                for value in held(document, name, 1).in_node(*node, 0)? {
                    if let Some(number) = value.number() {
                        stats.add_number(name.clone(), attribute.name, number);
                    }
                }
            }
        }
        Ok(stats)
    }

    /// The attributes whose lists by count hold equal counts.
    pub(crate) fn tied(&self, spec: &FacetSpec, stats: &Stats<'a>) -> Result<Vec<TiedFacet>, MergeError> {
        let mut tied = Vec::new();
        for (name, attribute) in &self.0 {
            if spec.order_of(name) != FacetOrder::Count {
                continue;
            }
            let is_cut = match ties(&mut attribute.listed(name, stats)?, spec.max_values) {
                Ties::None => continue,
                Ties::Listed => false,
                Ties::Cut => true,
            };
            tied.push(TiedFacet { attribute: name.clone().into_owned(), is_cut });
        }
        Ok(tied)
    }

    /// Whether the nodes' lists alone do not tell how one node would list an attribute: they spell a string in different ways, or
    /// a number and a string read alike.
    pub(crate) fn is_in_doubt(&self, spec: &FacetSpec, stats: &Stats<'a>) -> Result<bool, MergeError> {
        for (name, attribute) in &self.0 {
            let numbers = stats.range(name);
            let mut all = Vec::new();
            for (node, text) in &attribute.nodes {
                let mut values = Vec::new();
                read_values(text, numbers.as_ref(), &mut values).in_node(*node, 0)?;
                if numbers.is_some() && may_have_numerals(&values, spec.order_of(name)) {
                    return Ok(true);
                }
                all.append(&mut values);
            }
            if are_spelled_differently(&mut all) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All values that are listed.
    pub(crate) fn ranks(&self, stats: &Stats<'a>) -> Result<FacetRanks, MergeError> {
        let mut ranks = FacetRanks::default();
        for (name, attribute) in &self.0 {
            ranks.add(name, &attribute.listed(name, stats)?);
        }
        Ok(ranks)
    }

    /// Appends the object.
    pub(crate) fn write(&self, listing: &Listing<'_, 'a>, out: &mut Vec<u8>) -> Result<(), MergeError> {
        let mut values = Vec::new();
        out.push(b'{');
        for (index, (name, attribute)) in self.0.iter().enumerate() {
            attribute.read(name, listing, &mut values)?;
            if listing.groups == Some(name.as_ref()) {
                values = Groups::of(values).into_values();
            }
            let ranks = listing.ranks.and_then(|ranks| ranks.of(name));
            arrange(&mut values, listing.spec.walk(name, listing.candidates), listing.spec.max_values, ranks);
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
        if let Some(documents) = listing.documents {
            for (node, document) in documents {
                values.append(&mut held(document, name, 1).in_node(*node, 0)?);
            }
            return Ok(());
        }
        values.append(&mut self.listed(name, listing.stats)?);
        for (node, hit) in listing.duplicates {
            values.append(&mut held(hit, name, -1).in_node(*node, 0)?);
        }
        Ok(())
    }

    /// The values that nodes list, node after node.
    fn listed(&self, name: &str, stats: &Stats<'a>) -> Result<Vec<Value<'a>>, MergeError> {
        let numbers = stats.range(name);
        let mut values = Vec::new();
        for (node, text) in &self.nodes {
            read_values(text, numbers.as_ref(), &mut values).in_node(*node, 0)?;
        }
        Ok(values)
    }
}

/// Attributes that hold numbers, also where a document spells these as strings.
const COORDINATES: [&str; 2] = ["_geo.lat", "_geo.lng"];

/// The values that a document holds: a document counts once for a value that it holds twice.
fn held<'a>(document: &'a [u8], name: &str, count: i64) -> Scan<Vec<Value<'a>>> {
    let mut held = Vec::new();
    let is_coordinate = COORDINATES.contains(&name);
    visit_leaves(document, name, &mut |leaf| {
        let leaf = if is_coordinate { quoted(leaf).unwrap_or(leaf) } else { leaf };
        held.extend(Value::held(leaf, count));
    })?;
    held.sort_by(|left, right| left.order(right, Walk::Names));
    held.dedup_by(|later, first| first.order(later, Walk::Names).is_eq());
    Ok(held)
}

/// The strings that a document holds, as written: each once.
pub(crate) fn strings_held<'a>(document: &'a [u8], name: &str) -> Scan<Vec<Value<'a>>> {
    let mut held = held(document, name, 1)?;
    held.retain(|value| value.number().is_none());
    Ok(held)
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
mod tests;
