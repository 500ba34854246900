//! The values that sort rules compare, and their order.

use std::{borrow::Cow, cmp::Ordering};

use crate::scan::{number, order_numbers, quoted, unescape};

/// What a document holds for a sort rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SortValue<'a> {
    Number(f64),
    /// In the normalised form that Meilisearch sorts by.
    Text(Cow<'a, str>),
    Missing,
}

impl<'a> SortValue<'a> {
    /// Reads the `value` of a rule.
    pub(crate) fn read(value: &'a [u8]) -> Self {
        if let Some(raw) = quoted(value) {
            return Self::Text(unescape(raw));
        }
        number(value).map_or(Self::Missing, Self::Number)
    }

    /// Which value comes first (`Less`). Numbers come before strings and missing values last, whatever the direction.
    pub(crate) fn order(&self, other: &Self, ascending: bool) -> Ordering {
        let order = match (self, other) {
            (Self::Number(left), Self::Number(right)) => order_numbers(*left, *right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            _ => return self.class().cmp(&other.class()),
        };
        if ascending { order } else { order.reverse() }
    }

    fn class(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::Text(_) => 1,
            Self::Missing => 2,
        }
    }
}

/// Distances that differ by no more are one to Meilisearch, which then looks at the next rule; in metres.
const SAME_DISTANCE: f64 = 1.0;

/// Which distance comes first (`Less`); missing ones come last.
///
/// Meilisearch counts from the nearest of those that are the same, which is not known here: of three or more in a row, each
/// within [`SAME_DISTANCE`] of the next, the order may be another.
pub(crate) fn order_distances(left: Option<f64>, right: Option<f64>, ascending: bool) -> Ordering {
    match (left, right) {
        (Some(left), Some(right)) if (left - right).abs() <= SAME_DISTANCE => Ordering::Equal,
        (Some(left), Some(right)) => {
            let order = left.partial_cmp(&right).unwrap_or(Ordering::Equal);
            if ascending { order } else { order.reverse() }
        }
        (left, right) => right.is_some().cmp(&left.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut values: Vec<&'static str>, ascending: bool) -> Vec<&'static str> {
        values.sort_by(|a, b| SortValue::read(a.as_bytes()).order(&SortValue::read(b.as_bytes()), ascending));
        values
    }

    #[test]
    fn numbers_then_strings_then_nothing() {
        let values = vec!["null", "\"b\"", "10.0", "\"a\"", "9.5"];
        assert_eq!(sorted(values.clone(), true), ["9.5", "10.0", "\"a\"", "\"b\"", "null"]);
        assert_eq!(sorted(values, false), ["10.0", "9.5", "\"b\"", "\"a\"", "null"]);
        assert_eq!(sorted(vec!["-0.0", "0.0", "-1.0"], true), ["-1.0", "0.0", "-0.0"]);
    }

    #[test]
    fn strings_compare_as_characters_not_as_escapes() {
        assert_eq!(
            sorted(vec![r#""\"""#, "\"!\"", "\"é\"", "\"z\""], true),
            ["\"!\"", r#""\"""#, "\"z\"", "\"é\""]
        );
    }

    #[test]
    fn missing_distances_come_last() {
        for ascending in [true, false] {
            assert_eq!(order_distances(None, Some(1.0), ascending), Ordering::Greater);
            assert_eq!(order_distances(Some(1.0), None, ascending), Ordering::Less);
            assert_eq!(order_distances(None, None, ascending), Ordering::Equal);
        }
        assert_eq!(order_distances(Some(1.0), Some(2.5), false), Ordering::Greater);
        assert_eq!(order_distances(Some(1.0), Some(2.0), false), Ordering::Equal);
    }
}
