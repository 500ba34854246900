//! The values of one facet: grouped over the nodes, put in order, cut.

use std::{borrow::Cow, cmp::Ordering, collections::BTreeMap, ops::RangeInclusive};

use super::{
    normal::{as_number, normalize},
    ranks::Ranks,
};
use crate::scan::{number, order_numbers, quoted, unescape};

/// In which order the values of a facet are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FacetOrder {
    /// By name (`alpha`).
    #[default]
    Name,
    /// By how many documents have the value (`count`).
    Count,
}

/// How Meilisearch walks the values of a facet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walk {
    /// Few candidates, by name: the values of each document. Numbers in the order of their text.
    Documents,
    /// Many candidates, by name: the ordered index of all values. Numbers by value.
    Names,
    /// The index, most frequent values first.
    Counts,
}

/// A value of a facet.
#[derive(Debug)]
pub(crate) struct Value<'a> {
    kind: Kind<'a>,
    /// The value as a node wrote it.
    pub(crate) text: Cow<'a, [u8]>,
    /// Below zero for what is to be taken off.
    pub(crate) count: i64,
}

/// What a value is ordered by.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    Number(f64),
    Text(Cow<'a, str>),
}

impl<'a> Value<'a> {
    /// A value as written; a number only if the facet has numbers and this one is in their range.
    pub(crate) fn new(text: &'a [u8], count: i64, numbers: Option<&RangeInclusive<f64>>) -> Self {
        let value = unescape(text);
        let number = numbers.and_then(|range| as_number(&value).filter(|number| range.contains(number)));
        let kind = number.map_or_else(|| Kind::Text(normalize(value)), Kind::Number);
        Self { kind, text: Cow::Borrowed(text), count }
    }

    /// What a value of a document adds to its facet, or takes off it, if it is one.
    pub(crate) fn held(leaf: &'a [u8], count: i64) -> Option<Self> {
        let (kind, text) = match leaf {
            b"null" | b"\"\"" => return None,
            b"true" => (Kind::Text("true".into()), Cow::Borrowed(leaf)),
            b"false" => (Kind::Text("false".into()), Cow::Borrowed(leaf)),
            _ => match quoted(leaf) {
                Some(text) => (Kind::Text(normalize(unescape(text))), Cow::Borrowed(text)),
                None => {
                    let number = number(leaf)?;
                    (Kind::Number(number), Cow::Owned(number.to_string().into_bytes()))
                }
            },
        };
        Some(Self { kind, text, count })
    }

    pub(super) fn kind(&self) -> &Kind<'a> {
        &self.kind
    }

    /// The number that the value is.
    pub(crate) fn number(&self) -> Option<f64> {
        match self.kind {
            Kind::Number(number) => Some(number),
            Kind::Text(_) => None,
        }
    }

    fn is_number(&self) -> bool {
        matches!(self.kind, Kind::Number(_))
    }

    /// Whether a string may be written as a number is: what such a list may hold twice.
    fn reads_as_number(&self) -> bool {
        matches!(self.text.first(), Some(b'0'..=b'9' | b'-'))
    }

    /// By name: numbers first.
    pub(crate) fn order(&self, other: &Self, walk: Walk) -> Ordering {
        match (&self.kind, &other.kind) {
            (Kind::Number(_), Kind::Number(_)) if walk == Walk::Documents => self.text.cmp(&other.text),
            (Kind::Number(left), Kind::Number(right)) => order_numbers(*left, *right),
            (Kind::Text(left), Kind::Text(right)) => left.cmp(right),
            _ => other.is_number().cmp(&self.is_number()),
        }
    }
}

/// The values of all nodes, given node after node, as one node would list them.
pub(crate) fn arrange(values: &mut Vec<Value<'_>>, walk: Walk, max_values: usize, ranks: Option<&Ranks>) {
    sum_up(values, walk);
    if walk == Walk::Counts {
        order_by_counts(values, ranks);
    }
    cut(values, walk, max_values);
}

/// Whether nodes spell a string in different ways, by the values of all nodes.
pub(super) fn are_spelled_differently(values: &mut [Value<'_>]) -> bool {
    values.sort_by(|left, right| left.order(right, Walk::Names));
    values.iter().zip(values.iter().skip(1)).any(|(value, next)| {
        !value.is_number()
            && value.order(next, Walk::Names).is_eq()
            && unescape(&value.text) != unescape(&next.text)
    })
}

/// Whether beside numbers one node's list may hold strings that read as one: where it holds any strings, or where numbers
/// are not in their order.
pub(super) fn may_have_numerals(listed: &[Value<'_>], order: FacetOrder) -> bool {
    if listed.iter().any(Value::is_number) && !listed.iter().all(Value::is_number) {
        return true;
    }
    listed.iter().zip(listed.iter().skip(1)).any(|(value, next)| {
        let is_last_number = match order {
            FacetOrder::Count => value.count < next.count,
            // A node with few candidates goes by the text, one with many by the number.
            FacetOrder::Name => {
                [Walk::Documents, Walk::Names].iter().all(|walk| value.order(next, *walk).is_gt())
            }
        };
        next.is_number() && is_last_number
    })
}

/// Makes the counts of several nodes one, by name.
fn sum_up(values: &mut Vec<Value<'_>>, walk: Walk) {
    // Each node's values are in order already (unless by count), which makes this a merge of runs. It is stable: of
    // several spellings the first node's is kept.
    values.sort_by(|left, right| left.order(right, walk));
    values.dedup_by(|later, first| {
        let same = first.order(later, walk).is_eq();
        first.count += if same { later.count } else { 0 };
        same
    });
    values.retain(|value| value.count > 0);
}

/// Puts values that are in order by name into the order of their counts. Where nothing is known of all values of the index, equal
/// counts are taken to share their groups.
fn order_by_counts(values: &mut Vec<Value<'_>>, ranks: Option<&Ranks>) {
    let solitudes = ranks.map_or_else(|| vec![0; values.len()], |ranks| ranks.solitudes(values));
    let mut placed: Vec<(usize, Value<'_>)> = solitudes.into_iter().zip(values.drain(..)).collect();
    // Equal counts come in the opposite order of their names: the greatest is taken from a heap.
    placed.reverse();
    placed.sort_by(|(alone, left), (also, right)| {
        let kinds = right.is_number().cmp(&left.is_number());
        kinds.then(right.count.cmp(&left.count)).then(alone.cmp(also))
    });
    values.extend(placed.into_iter().map(|(_, value)| value));
}

/// Where in a list by counts values with equal counts stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ties {
    /// Nowhere.
    None,
    /// In it: all of them are listed.
    Listed,
    /// At its end: some are cut off.
    Cut,
}

/// Where a list by counts has values with equal counts.
pub(super) fn ties(values: &mut Vec<Value<'_>>, max_values: usize) -> Ties {
    sum_up(values, Walk::Counts);
    order_by_counts(values, None);
    let numbers = values.iter().take_while(|value| value.is_number()).count();
    let (of_numbers, of_texts) = values.split_at(numbers);
    let left = max_values.checked_sub(numbers);
    if are_equal_before(of_numbers, max_values) || left.is_some_and(|left| are_equal_before(of_texts, left)) {
        return Ties::Cut;
    }
    let are_equal = |values: &[Value<'_>]| (1..values.len()).any(|at| are_equal_before(values, at));
    if are_equal(of_numbers) || are_equal(of_texts) { Ties::Listed } else { Ties::None }
}

/// Whether the value there has the same count as the one before it.
fn are_equal_before(values: &[Value<'_>], at: usize) -> bool {
    let last = at.checked_sub(1).and_then(|last| values.get(last));
    last.zip(values.get(at)).is_some_and(|(last, next)| last.count == next.count)
}

/// Cuts as Meilisearch does. When it walks the index it stops at the value that makes the list exactly full, once for
/// numbers and once for strings: if the numbers have filled the list, nothing stops the strings.
///
/// A string that reads like a number before it takes the number's place in the list, with its own count.
fn cut(values: &mut Vec<Value<'_>>, walk: Walk, max_values: usize) {
    if max_values == 0 && walk != Walk::Documents {
        return;
    }
    let numbers = values.iter().take_while(|value| value.is_number()).count();
    let strings = values.split_off(numbers);
    values.truncate(max_values);
    let left = max_values - values.len();
    let places: BTreeMap<Vec<u8>, usize> = match strings.iter().any(Value::reads_as_number) {
        true => values.iter().enumerate().map(|(place, value)| (value.text.to_vec(), place)).collect(),
        false => BTreeMap::new(),
    };
    for (taken, string) in strings.into_iter().enumerate() {
        if walk == Walk::Documents && taken == left {
            break;
        }
        match places.get(&*string.text).and_then(|place| values.get_mut(*place)) {
            Some(number) => number.count = string.count,
            None => values.push(string),
        }
        if walk != Walk::Documents && values.len() == max_values {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of all nodes, arranged, as `value=count`.
    fn arranged(nodes: &[&[(&str, i64)]], walk: Walk, max_values: usize) -> String {
        let range = 0.0..=1000.0;
        let values = nodes.iter().copied().flatten();
        let values = values.map(|(text, count)| Value::new(text.as_bytes(), *count, Some(&range)));
        let mut values: Vec<_> = values.collect();
        arrange(&mut values, walk, max_values, None);
        let text = |value: &Value<'_>| format!("{}={}", String::from_utf8_lossy(&value.text), value.count);
        values.iter().map(text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn counts_are_summed_by_value() {
        let nodes: &[&[_]] = &[&[("Action", 3), ("drama", 2)], &[("action", 1), ("Comedy", 1), ("Drama", 5)]];
        assert_eq!(arranged(nodes, Walk::Documents, 100), "Action=4 Comedy=1 drama=7");
    }

    #[test]
    fn numbers_come_by_text_from_documents_and_by_value_from_the_index() {
        let nodes: &[&[_]] = &[&[("10", 1), ("9", 2), ("a", 1)], &[("100", 1), ("9", 1)]];
        assert_eq!(arranged(nodes, Walk::Documents, 9), "10=1 100=1 9=3 a=1");
        assert_eq!(arranged(nodes, Walk::Names, 9), "9=3 10=1 100=1 a=1");
    }

    #[test]
    fn counts_order_numbers_then_strings_with_ties_from_the_end() {
        let nodes: &[&[_]] = &[&[("1", 1), ("2", 1), ("a", 5), ("b", 1)], &[("2", 1), ("c", 1)]];
        assert_eq!(arranged(nodes, Walk::Counts, 9), "2=2 1=1 a=5 c=1 b=1");
    }

    #[test]
    fn the_cut_is_the_engines() {
        let nodes: &[&[_]] = &[&[("1", 1), ("2", 1), ("3", 1), ("a", 1), ("b", 1)]];
        let names = |walk, max| arranged(nodes, walk, max).replace("=1", "").replace(' ', "");
        assert_eq!(names(Walk::Documents, 2), "12");
        assert_eq!(names(Walk::Documents, 4), "123a");
        assert_eq!(names(Walk::Names, 4), "123a");
        assert_eq!(names(Walk::Names, 2), "12ab");
        assert_eq!(names(Walk::Names, 0), "123ab");
    }

    fn values(range: RangeInclusive<f64>, listed: &'static [(&'static str, i64)]) -> Vec<Value<'static>> {
        listed.iter().map(|(text, count)| Value::new(text.as_bytes(), *count, Some(&range))).collect()
    }

    #[test]
    fn strings_that_may_read_as_numbers_show_beside_them_or_in_the_order() {
        let shows = |order, listed| may_have_numerals(&values(0.0..=99.0, listed), order);
        for listed in [&[("10", 1), ("9", 2)], &[("9", 1), ("10", 1)]] {
            assert!(!shows(FacetOrder::Name, listed));
        }
        assert!(shows(FacetOrder::Name, &[("10", 1), ("9", 2), ("a", 3)]));
        assert!(shows(FacetOrder::Name, &[("10", 1), ("9", 1), ("5", 1)]));
        assert!(shows(FacetOrder::Name, &[("10", 1), ("a", 1), ("b", 1), ("5", 1)]));
        assert!(shows(FacetOrder::Name, &[("10", 1), ("9", 1), ("500", 1)]));
        assert!(!may_have_numerals(&values(200.0..=300.0, &[("10", 1), ("9", 1)]), FacetOrder::Name));
        assert!(!shows(FacetOrder::Count, &[("10", 9), ("5", 2)]));
        assert!(shows(FacetOrder::Count, &[("10", 9), ("5", 2), ("7", 3)]));
    }

    #[test]
    fn spellings_differ_by_what_they_spell() {
        let differ = |listed| are_spelled_differently(&mut values(0.0..=9.0, listed));
        assert!(differ(&[("Red", 1), ("blue", 1), ("red", 1)]));
        assert!(!differ(&[("Red", 1), ("blue", 1), ("Red", 1), ("1", 1), ("1.0", 1)]));
        assert!(!differ(&[("a/b", 1), ("a\\/b", 1)]));
    }

    #[test]
    fn a_string_takes_the_place_of_the_number_it_reads_like() {
        let arranged = |walk, max_values| {
            let held = ["1", "2", "\"2\"", "\"2\"", "\"b\"", "\"b\"", "\"b\""];
            let mut values: Vec<_> = held.iter().filter_map(|leaf| Value::held(leaf.as_bytes(), 1)).collect();
            arrange(&mut values, walk, max_values, None);
            let text =
                |value: &Value<'_>| format!("{}={}", String::from_utf8_lossy(&value.text), value.count);
            values.iter().map(text).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(arranged(Walk::Documents, 9), "1=1 2=2 b=3");
        assert_eq!(arranged(Walk::Documents, 3), "1=1 2=2");
        assert_eq!(arranged(Walk::Names, 3), "1=1 2=2 b=3");
        assert_eq!(arranged(Walk::Names, 2), "1=1 2=2");
        assert_eq!(arranged(Walk::Counts, 9), "2=2 1=1 b=3");
    }

    #[test]
    fn digits_are_strings_where_the_facet_has_no_numbers() {
        let value = Value::new(b"12", 1, None);
        assert!(!value.is_number());
        assert!(!Value::new(b"12", 1, Some(&(20.0..=30.0))).is_number());
    }
}
