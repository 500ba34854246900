//! The facets of a federated search: index by index, or of all indexes together.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use super::{FederatedSpec, MergedFacets, counted::Counted, hits::Members};
use crate::{
    FacetOrder, FacetRanks, FacetSpec, MergeError,
    error::InNode,
    facets::{Distribution, Listing, Stats, TiedFacet},
    scan::{Cursor, Scan, count, push_count, unescape},
};

/// Hits that are left out, by index, with their nodes.
#[derive(Default)]
pub(super) struct Dropped<'a>(BTreeMap<String, Vec<(usize, &'a [u8])>>);

impl<'a> Dropped<'a> {
    pub(super) fn push(&mut self, index: &str, node: usize, hit: &'a [u8]) {
        self.0.entry(index.to_owned()).or_default().push((node, hit));
    }

    pub(super) fn count(&self) -> u64 {
        self.0.values().map(|hits| hits.len() as u64).sum()
    }

    fn of_index(&self, index: &str) -> &[(usize, &'a [u8])] {
        self.0.get(index).map_or(&[], Vec::as_slice)
    }
}

/// The facets by index.
pub(super) type ByIndex<'a> = BTreeMap<Cow<'a, str>, Facets<'a>>;

/// The facets of one index.
#[derive(Default)]
pub(super) struct Facets<'a> {
    distribution: Distribution<'a>,
    stats: Stats<'a>,
}

/// A distribution and statistics, as they are written.
type Listed<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl<'a> Facets<'a> {
    /// Whether they do not tell how one node would list them.
    pub(super) fn are_in_doubt(&self, spec: &FacetSpec) -> Result<bool, MergeError> {
        self.distribution.is_in_doubt(spec, &self.stats)
    }

    /// The attributes.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.distribution.names()
    }

    /// The attributes whose lists by count hold equal counts.
    pub(super) fn tied(&self, spec: &FacetSpec) -> Result<Vec<TiedFacet>, MergeError> {
        self.distribution.tied(spec, &self.stats)
    }

    /// The distribution and the statistics: of the documents, where they are known, else of what nodes counted less what is
    /// left out.
    fn written(
        &self,
        spec: &FacetSpec,
        candidates: u64,
        duplicates: &[(usize, &'a [u8])],
        documents: Option<&[(usize, &'a [u8])]>,
        ranks: Option<&FacetRanks>,
    ) -> Result<Listed<'static>, MergeError> {
        let counted = documents.map(|documents| self.distribution.stats_of(documents)).transpose()?;
        let stats = counted.as_ref().unwrap_or(&self.stats);
        let candidates = documents.map_or(candidates, |documents| documents.len() as u64);
        let listing = Listing { spec, candidates, stats, duplicates, documents, groups: None, ranks };
        let (mut distribution, mut statistics) = (Vec::new(), Vec::new());
        self.distribution.write(&listing, &mut distribution)?;
        stats.write(&[], &mut statistics);
        Ok((Cow::Owned(distribution), Cow::Owned(statistics)))
    }
}

/// Appends the facets, if any were asked for.
pub(super) fn write_facets<'a>(
    members: &[Members<'a>],
    counted: &Counted<'a>,
    dropped: &Dropped<'a>,
    candidates: u64,
    spec: &FederatedSpec,
    out: &mut Vec<u8>,
) -> Result<(), MergeError> {
    let mut by_index = ByIndex::new();
    for (node, members) in members.iter().enumerate() {
        let Some(text) = members.facets_by_index else { continue };
        read_facets(node, text, &mut by_index).in_node(node, 0)?;
    }
    if by_index.is_empty() {
        return Ok(());
    }
    let plain = FacetSpec { max_values: usize::MAX, ..FacetSpec::default() };
    let mut together = Together::default();
    let (mut text, mut all_stats) = (Vec::new(), Vec::new());
    for (index, facets) in &by_index {
        let spec_of_index = spec.facets.get(index.as_ref()).unwrap_or(&plain);
        let (distribution, stats) = match counted.facets_of(index) {
            Some((distribution, stats)) => (Cow::Borrowed(distribution), Cow::Borrowed(stats)),
            None => {
                let documents = counted.documents_of(index);
                let ranks = spec.facet_ranks.get(index.as_ref());
                facets.written(spec_of_index, candidates, dropped.of_index(index), documents, ranks)?
            }
        };
        together.add(&distribution, spec_of_index).in_node(0, 0)?;
        text.push(if text.is_empty() { b'{' } else { b',' });
        text.extend_from_slice(serde_json::Value::from(index.as_ref()).to_string().as_bytes());
        for part in [&b":{\"distribution\":"[..], &distribution, b",\"stats\":", &stats, b"}"] {
            text.extend_from_slice(part);
        }
        all_stats.push(if all_stats.is_empty() { b'[' } else { b',' });
        all_stats.extend_from_slice(&stats);
    }
    text.push(b'}');
    match spec.merge_facets {
        None => {
            out.extend_from_slice(b",\"facetsByIndex\":");
            out.append(&mut text);
        }
        Some(merged) => {
            together.write(merged, out);
            all_stats.push(b']');
            let mut stats = Stats::default();
            add_stats(&all_stats, &mut stats).in_node(0, 0)?;
            out.extend_from_slice(b",\"facetStats\":");
            stats.write(&[], out);
        }
    }
    Ok(())
}

/// The values of all indexes, each as its index lists it.
#[derive(Default)]
struct Together(BTreeMap<String, Merged>);

/// The values of one attribute, in the order in which the indexes list them.
struct Merged {
    order: FacetOrder,
    values: Vec<(String, u64)>,
    places: HashMap<String, usize, foldhash::fast::RandomState>,
}

impl Together {
    /// Adds the distribution of an index.
    fn add(&mut self, distribution: &[u8], spec: &FacetSpec) -> Scan<()> {
        let mut cursor = Cursor::new(distribution);
        cursor.enter_object()?;
        let mut first = true;
        while let Some(name) = cursor.key(&mut first)? {
            let name = unescape(name).into_owned();
            let order = spec.order_of(&name);
            let new = || Merged { order, values: Vec::new(), places: HashMap::default() };
            let merged = self.0.entry(name).or_insert_with(new);
            cursor.enter_object()?;
            let mut first_value = true;
            while let Some(value) = cursor.key(&mut first_value)? {
                let counted = count(cursor.value()?).unwrap_or_default();
                merged.add(unescape(value), counted);
            }
        }
        Ok(())
    }

    fn write(self, spec: MergedFacets, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"facetDistribution\":{");
        for (place, (name, merged)) in self.0.into_iter().enumerate() {
            push_key(place, &name, out);
            out.push(b'{');
            let values = merged.ordered().into_iter().take(spec.max_values.unwrap_or(usize::MAX));
            for (place, (value, count)) in values.enumerate() {
                push_key(place, &value, out);
                push_count(out, count);
            }
            out.push(b'}');
        }
        out.push(b'}');
    }
}

impl Merged {
    fn add(&mut self, value: Cow<'_, str>, counted: u64) {
        let place = self.places.get(value.as_ref()).and_then(|place| self.values.get_mut(*place));
        match place {
            Some((_, count)) => *count = count.saturating_add(counted),
            None => {
                self.places.insert(value.clone().into_owned(), self.values.len());
                self.values.push((value.into_owned(), counted));
            }
        }
    }

    /// As Meilisearch orders them. Where equal counts come to stand is up to the standard library's sort: the same values in
    /// the same order, sorted by the same function, keep the same ones of them.
    fn ordered(mut self) -> Vec<(String, u64)> {
        match self.order {
            FacetOrder::Name => self.values.sort_unstable_by(|(left, _), (right, _)| left.cmp(right)),
            FacetOrder::Count => self.values.sort_unstable_by(|(_, left), (_, right)| right.cmp(left)),
        }
        self.values
    }
}

/// Appends `"key":`, after a comma unless it is the first.
fn push_key(place: usize, key: &str, out: &mut Vec<u8>) {
    if place > 0 {
        out.push(b',');
    }
    out.extend_from_slice(serde_json::Value::from(key).to_string().as_bytes());
    out.push(b':');
}

/// Adds what one node says.
pub(super) fn read_facets<'a>(node: usize, text: &'a [u8], by_index: &mut ByIndex<'a>) -> Scan<()> {
    visit(text, &mut |index, key, value| {
        let facets = by_index.entry(unescape(index)).or_default();
        match key {
            b"distribution" => facets.distribution.add(node, value),
            b"stats" => facets.stats.add(value),
            _ => Ok(()),
        }
    })
}

/// Adds a list of statistics, one of each index.
fn add_stats<'a>(text: &'a [u8], stats: &mut Stats<'a>) -> Scan<()> {
    let mut cursor = Cursor::new(text);
    cursor.enter_array()?;
    let mut first = true;
    while cursor.element(&mut first)? {
        stats.add(cursor.value()?)?;
    }
    Ok(())
}

/// Calls `visit` with every member of every index.
fn visit<'a>(text: &'a [u8], visit: &mut impl FnMut(&'a [u8], &'a [u8], &'a [u8]) -> Scan<()>) -> Scan<()> {
    let mut cursor = Cursor::new(text);
    cursor.enter_object()?;
    let mut first = true;
    while let Some(index) = cursor.key(&mut first)? {
        cursor.enter_object()?;
        let mut first_member = true;
        while let Some(key) = cursor.key(&mut first_member)? {
            visit(index, key, cursor.value()?)?;
        }
    }
    Ok(())
}
