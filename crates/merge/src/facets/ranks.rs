//! Which of several values with equal counts comes first where a facet is listed by count.
//!
//! A node holds the values of a facet in a tree: four values in a group, four groups in a group, and so on. By count it goes
//! through values and groups alike, the greatest first. So of values with equal counts those come first that share a
//! group with others that were found, from the last to the first; then those that are alone in their group; then those
//! whose group is alone in its own. Which values share a group is a question about all values in the index, also those
//! that a search does not find.
//!
//! The tree grows otherwise where documents came in many batches: it is taken to be as one batch leaves it.

use std::{collections::BTreeMap, sync::Arc};

use super::values::{Kind, Value};
use crate::scan::order_numbers;

/// How many values, or groups, are in a group.
const GROUP: usize = 4;
/// How many groups a level has at least.
const LEAST_GROUPS: usize = 5;
/// With so many new values at once, a node builds a facet's tree anew, to its full height.
const ANEW: usize = 1_000;

/// All values that an index holds for some attributes; cheap to clone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FacetRanks(BTreeMap<String, Arc<Ranks>>);

/// All values of one attribute, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Ranks {
    numbers: Vec<f64>,
    texts: Vec<String>,
}

// === impl FacetRanks ===

impl FacetRanks {
    /// Adds values as nodes list them, in any order.
    pub(super) fn add(&mut self, attribute: &str, values: &[Value<'_>]) {
        let ranks = Arc::make_mut(self.0.entry(attribute.to_owned()).or_default());
        for value in values {
            match value.kind() {
                Kind::Number(number) => ranks.numbers.push(*number),
                Kind::Text(text) => ranks.texts.push(text.as_ref().to_owned()),
            }
        }
        ranks.numbers.sort_by(|left, right| order_numbers(*left, *right));
        ranks.numbers.dedup_by_key(|number| number.to_bits());
        ranks.texts.sort_unstable();
        ranks.texts.dedup();
    }

    pub(super) fn of(&self, attribute: &str) -> Option<&Ranks> {
        self.0.get(attribute).map(Arc::as_ref)
    }

    /// Those of one attribute alone: none where nobody holds it.
    pub fn only(&self, attribute: &str) -> Self {
        let ranks = self.0.get_key_value(attribute).map(|(name, ranks)| (name.clone(), ranks.clone()));
        Self(ranks.into_iter().collect())
    }

    /// Adds those of other attributes.
    pub fn join(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// How many values there are.
    pub fn count(&self) -> usize {
        self.0.values().map(|ranks| ranks.numbers.len() + ranks.texts.len()).sum()
    }
}

// === impl Ranks ===

impl Ranks {
    /// Of each of these values, up to which level of groups it is the only one that was found.
    pub(super) fn solitudes(&self, values: &[Value<'_>]) -> Vec<usize> {
        let places: Vec<Option<Place>> = values.iter().map(|value| self.place(value)).collect();
        let mut found = BTreeMap::<(bool, usize, usize), usize>::new();
        for place in places.iter().flatten() {
            for level in 1..=place.height {
                *found.entry(place.group(level)).or_default() += 1;
            }
        }
        let is_alone = |place: &Place, level: usize| found.get(&place.group(level)) == Some(&1);
        let solitude = |place: &Place| (1..=place.height).take_while(|level| is_alone(place, *level)).count();
        places.iter().map(|place| place.as_ref().map_or(0, solitude)).collect()
    }

    fn place(&self, value: &Value<'_>) -> Option<Place> {
        match value.kind() {
            Kind::Number(number) => {
                let rank = self.numbers.binary_search_by(|other| order_numbers(*other, *number)).ok()?;
                Some(Place { is_number: true, rank, height: height(self.numbers.len(), true) })
            }
            Kind::Text(text) => {
                let rank = self.texts.binary_search_by(|other| other.as_str().cmp(text)).ok()?;
                Some(Place { is_number: false, rank, height: height(self.texts.len(), false) })
            }
        }
    }
}

/// Where a value is in its tree.
struct Place {
    is_number: bool,
    rank: usize,
    height: usize,
}

impl Place {
    fn group(&self, level: usize) -> (bool, usize, usize) {
        let size = u32::try_from(level).ok().and_then(|level| GROUP.checked_pow(level)).unwrap_or(usize::MAX);
        (self.is_number, level, self.rank / size)
    }
}

/// How many levels of groups are above so many values.
fn height(values: usize, are_numbers: bool) -> usize {
    if values < ANEW {
        return usize::from(values >= GROUP * LEAST_GROUPS);
    }
    let (mut height, mut groups) = (1, values.div_ceil(GROUP));
    // Numbers and texts are built by different code, which counts differently.
    let goes_on = |groups: usize| match are_numbers {
        true => groups.div_ceil(GROUP) >= LEAST_GROUPS,
        false => groups / GROUP >= LEAST_GROUPS,
    };
    while goes_on(groups) {
        groups = groups.div_ceil(GROUP);
        height += 1;
    }
    height
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str) -> Value<'_> {
        Value::new(name.as_bytes(), 1, None)
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("v{number:04}")).collect()
    }

    fn solitudes(count: usize, found: &[usize]) -> Vec<usize> {
        let names = names(count);
        let all: Vec<Value<'_>> = names.iter().map(|name| value(name)).collect();
        let mut ranks = FacetRanks::default();
        ranks.add("a", &all[count / 2..]);
        ranks.add("a", &all[..count / 2]);
        let found: Vec<Value<'_>> = found.iter().map(|at| value(&names[*at])).collect();
        ranks.of("a").unwrap().solitudes(&found)
    }

    #[test]
    fn values_are_alone_where_their_group_has_no_other() {
        assert_eq!(solitudes(40, &[0, 3, 4, 39]), [0, 0, 1, 1]);
        // Few values are in no groups.
        assert_eq!(solitudes(19, &[0, 3, 4]), [0, 0, 0]);
    }

    #[test]
    fn groups_of_groups_are_built_where_there_are_many_values() {
        assert_eq!(solitudes(2_000, &[0, 5, 100]), [1, 1, 3]);
        assert_eq!((height(999, true), height(1_000, true), height(1_000, false)), (1, 3, 3));
        assert_eq!((height(1_200, true), height(1_200, false)), (4, 3));
    }
}
