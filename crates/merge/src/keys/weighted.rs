//! How hits of two queries compare: by what their node weighed them with.

use std::cmp::Ordering;

use super::value::SortValue;
use crate::scan::{Cursor, Scan, number};

/// What a node weighed a hit with.
#[derive(Debug, Default)]
pub(crate) struct Weighted<'a> {
    /// One step of the comparison after another. A hit of a search that ranks by nothing has none.
    values: Vec<Value<'a>>,
    /// Whether the node told them.
    told: bool,
    /// The weighted score.
    score: f64,
}

/// One step.
#[derive(Debug)]
enum Value<'a> {
    /// All rules between two that sort, as one score, or how near a vector is.
    Score(f64),
    Sort {
        ascending: bool,
        value: SortValue<'a>,
    },
    Geo {
        ascending: bool,
        distance: Option<f64>,
    },
}

impl<'a> Weighted<'a> {
    /// Reads another hit's score and its `weightedScoreValues`, which are empty where the node was not asked for them.
    pub(crate) fn read(&mut self, score: f64, values: &'a [u8]) -> Scan<()> {
        self.score = score;
        self.values.clear();
        self.told = !values.is_empty();
        if !self.told {
            return Ok(());
        }
        let mut cursor = Cursor::new(values);
        cursor.enter_array()?;
        let mut first = true;
        while cursor.element(&mut first)? {
            self.values.push(Value::read(&mut cursor)?);
        }
        Ok(())
    }

    /// Which hit comes first (`Less`): step by step, then the one with more steps. Where steps do not compare, the hit comes
    /// first that more of them follow for, then the one with the higher score.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let by_score = || other.score.partial_cmp(&self.score).unwrap_or(Ordering::Equal);
        if !self.told || !other.told {
            return by_score();
        }
        for (left, right) in self.values.iter().zip(&other.values) {
            match left.order(right) {
                Some(Ordering::Equal) => {}
                Some(order) => return order,
                None => return other.values.len().cmp(&self.values.len()).then_with(by_score),
            }
        }
        other.values.len().cmp(&self.values.len())
    }
}

/// The first score among the `weightedScoreValues` of a hit's `_federation`: how it does by the rules before the first one that
/// sorts.
pub(crate) fn first_score(federation: &[u8]) -> Scan<Option<f64>> {
    let mut cursor = Cursor::new(federation);
    cursor.enter_object()?;
    let mut first = true;
    while let Some(key) = cursor.key(&mut first)? {
        let value = cursor.value()?;
        if key == b"weightedScoreValues" {
            let mut weighted = Weighted::default();
            weighted.read(0.0, value)?;
            return Ok(weighted.values.iter().find_map(|value| match value {
                Value::Score(score) => Some(*score),
                Value::Sort { .. } | Value::Geo { .. } => None,
            }));
        }
    }
    Ok(None)
}

impl<'a> Value<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Scan<Self> {
        let mut value = None;
        cursor.enter_object()?;
        let mut first = true;
        while let Some(kind) = cursor.key(&mut first)? {
            value = match kind {
                b"weightedScore" | b"vectorSort" => number(cursor.value()?).map(Self::Score),
                b"sort" => Some(Self::read_sort(cursor)?),
                b"geoSort" => Some(Self::read_geo(cursor)?),
                _ => return cursor.fail("expected a weighted score value"),
            };
        }
        value.map_or_else(|| cursor.fail("expected a weighted score value"), Ok)
    }

    fn read_sort(cursor: &mut Cursor<'a>) -> Scan<Self> {
        let (ascending, value) = read_members(cursor, b"value")?;
        Ok(Self::Sort { ascending, value: SortValue::read(value) })
    }

    fn read_geo(cursor: &mut Cursor<'a>) -> Scan<Self> {
        let (ascending, distance) = read_members(cursor, b"distance")?;
        Ok(Self::Geo { ascending, distance: number(distance) })
    }

    /// `None` where the two say nothing about each other.
    fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Score(left), Self::Score(right)) => Some(higher(*left, *right)),
            (Self::Sort { ascending, value }, Self::Sort { ascending: same, value: other })
                if ascending == same =>
            {
                Some(value.order(other, *ascending))
            }
            (Self::Geo { ascending, distance }, Self::Geo { ascending: same, distance: other })
                if ascending == same =>
            {
                // Between queries, Meilisearch puts what is farther away first, whatever the direction.
                Some(match (distance, other) {
                    (Some(distance), Some(other)) => higher(*distance, *other),
                    (distance, other) => other.is_some().cmp(&distance.is_some()),
                })
            }
            _ => None,
        }
    }
}

/// The direction of a rule that sorts, and its member `name`.
fn read_members<'a>(cursor: &mut Cursor<'a>, name: &[u8]) -> Scan<(bool, &'a [u8])> {
    let (mut ascending, mut value): (bool, &[u8]) = (false, b"null");
    cursor.enter_object()?;
    let mut first = true;
    while let Some(key) = cursor.key(&mut first)? {
        match key {
            b"asc" => ascending = cursor.value()? == b"true",
            key if key == name => value = cursor.value()?,
            _ => drop(cursor.value()?),
        }
    }
    Ok((ascending, value))
}

/// The higher one comes first; what differs by a rounding error is equal.
fn higher(left: f64, right: f64) -> Ordering {
    if (left - right).abs() <= f64::EPSILON {
        return Ordering::Equal;
    }
    right.partial_cmp(&left).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(left: (&str, f64), right: (&str, f64)) -> Ordering {
        let read = |(values, score): (&'static str, f64)| {
            let mut weighted = Weighted::default();
            weighted.read(score, values.as_bytes()).unwrap();
            weighted
        };
        let leak = |(values, score): (&str, f64)| (&*values.to_owned().leak(), score);
        read(leak(left)).order(&read(leak(right)))
    }

    fn sorted(year: &str, ascending: bool) -> String {
        format!(r#"[{{"weightedScore":1.0}},{{"sort":{{"asc":{ascending},"value":{year}}}}}]"#)
    }

    #[test]
    fn scores_decide_and_rounding_errors_do_not() {
        let score = |score: &str| format!(r#"[{{"weightedScore":{score}}}]"#);
        let (low, high) = (score("0.5"), score("0.7"));
        assert_eq!(order((&high, 0.7), (&low, 0.5)), Ordering::Less);
        assert_eq!(order((&low, 0.5), (r#"[{"vectorSort":0.5}]"#, 0.5)), Ordering::Equal);
        assert_eq!(order((&low, 0.5), (&score("0.5000000000000001"), 0.5)), Ordering::Equal);
        // Without the values, only the scores are left.
        assert_eq!(order(("", 0.4), (&low, 0.5)), Ordering::Greater);
    }

    #[test]
    fn sort_values_compare_where_the_direction_is_the_same() {
        let (old, new) = (sorted("1990", true), sorted("2000", true));
        assert_eq!(order((&old, 0.1), (&new, 0.9)), Ordering::Less);
        assert_eq!(order((&sorted("null", true), 0.9), (&new, 0.1)), Ordering::Greater);
        assert_eq!(order((&sorted("\"b\"", false), 0.1), (&sorted("\"a\"", false), 0.9)), Ordering::Less);
        assert_eq!(order((&old, 0.1), (&sorted("2000", false), 0.9)), Ordering::Greater);
    }

    #[test]
    fn who_has_more_steps_comes_first() {
        let long = sorted("1990", true);
        assert_eq!(order((&long, 0.1), (r#"[{"weightedScore":1.0}]"#, 0.9)), Ordering::Less);
        assert_eq!(order((&long, 0.1), (r#"[{"sort":{"asc":true,"value":1}}]"#, 0.9)), Ordering::Less);
        assert_eq!(order((r#"[{"weightedScore":0.1}]"#, 0.1), ("[]", 1.0)), Ordering::Less);
    }

    #[test]
    fn the_farther_one_comes_first() {
        let at = |distance: &str| format!(r#"[{{"geoSort":{{"asc":true,"distance":{distance}}}}}]"#);
        assert_eq!(order((&at("5.0"), 1.0), (&at("7.0"), 1.0)), Ordering::Greater);
        assert_eq!(order((&at("5.0"), 1.0), (&at("null"), 1.0)), Ordering::Less);
    }

    #[test]
    fn what_is_unknown_is_an_error() {
        for text in ["{}", "[1]", "[{}]", r#"[{"later":1}]"#, r#"[{"weightedScore":"x"}]"#, "[{"] {
            assert!(Weighted::default().read(1.0, text.as_bytes()).is_err(), "{text}");
        }
    }
}
