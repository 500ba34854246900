//! One rule of `_rankingScoreDetails`: what each kind writes and how two of a kind compare.

use std::cmp::Ordering;

use super::value::{SortValue, order_distances};
use crate::scan::{Cursor, Scan, count, number};

/// What a ranking rule said about a hit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rule<'a> {
    /// A pinned document and its place.
    Pin(u64),
    /// `words`, `typo`, `proximity`, `attributeRank`, `wordPosition`, `exactness`: the higher the better.
    Rank(f64),
    /// `attribute`: first where the words are, then how far from its start.
    Attribute { field: f64, position: f64 },
    /// `vectorSort`.
    Vector(f64),
    /// `field:asc` or `field:desc`.
    Sort { ascending: bool, value: SortValue<'a> },
    /// `_geoPoint(lat, lng):asc` or `:desc`.
    Geo { ascending: bool, distance: Option<f64> },
    /// The time ran out before this rule and those after it.
    Skipped,
}

/// The members that the kinds of rules write.
#[derive(Default)]
struct Fields<'a> {
    order: u64,
    score: Option<f64>,
    field: Option<f64>,
    position: Option<f64>,
    value: &'a [u8],
    distance: Option<f64>,
    similarity: Option<f64>,
    place: u64,
}

impl<'a> Rule<'a> {
    /// Reads the rule called `name` at the cursor; returns its `order` with it, `None` if it takes no part in the order.
    pub(crate) fn read(name: &[u8], cursor: &mut Cursor<'a>) -> Scan<Option<(u64, Self)>> {
        let fields = Fields::read(cursor)?;
        let rule = match name {
            b"skipped" => Self::Skipped,
            b"pin" => Self::Pin(fields.place),
            b"vectorSort" => Self::Vector(fields.similarity.unwrap_or(0.0)),
            _ => match (fields.score, direction(name)) {
                (Some(score), None) => match (fields.field, fields.position) {
                    (Some(field), Some(position)) => Self::Attribute { field, position },
                    _ => Self::Rank(score),
                },
                (_, Some(ascending)) if name.starts_with(b"_geoPoint(") => {
                    Self::Geo { ascending, distance: fields.distance }
                }
                (_, Some(ascending)) => Self::Sort { ascending, value: SortValue::read(fields.value) },
                // Unknown, or a sort rule whose value the node keeps to itself.
                (None, None) => return Ok(None),
            },
        };
        Ok(Some((fields.order, rule)))
    }

    /// Which hit comes first (`Less`), as far as this rule says.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Pin(left), Self::Pin(right)) => left.cmp(right),
            (Self::Pin(_), _) => Ordering::Less,
            (_, Self::Pin(_)) => Ordering::Greater,
            (
                Self::Attribute { field, position },
                Self::Attribute { field: other_field, position: other_position },
            ) => higher(*field, *other_field).then_with(|| higher(*position, *other_position)),
            (Self::Sort { ascending, value }, Self::Sort { value: other, .. }) => {
                value.order(other, *ascending)
            }
            (Self::Geo { ascending, distance }, Self::Geo { distance: other, .. }) => {
                order_distances(*distance, *other, *ascending)
            }
            _ => self.order_unlike(other),
        }
    }

    /// Rules of different kinds meet when a node ran out of time or found a hit by its vector: a score comes before a
    /// sort value, a skipped rule after everything.
    fn order_unlike(&self, other: &Self) -> Ordering {
        match (self.score(), other.score()) {
            (Some(left), Some(right)) => higher(left, right),
            (Some(0.0), None) => Ordering::Greater,
            (None, Some(0.0)) => Ordering::Less,
            (left, right) => right.is_some().cmp(&left.is_some()),
        }
    }

    /// Whether two hits have their words in the same attribute, where the rule is about that.
    pub(super) fn same_field(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Attribute { field, .. }, Self::Attribute { field: other, .. }) => {
                higher(*field, *other).is_eq()
            }
            _ => false,
        }
    }

    /// How well the hit does by this rule, unless the rule sorts.
    pub(super) fn score(&self) -> Option<f64> {
        match self {
            Self::Rank(score) | Self::Vector(score) | Self::Attribute { field: score, .. } => Some(*score),
            Self::Skipped => Some(0.0),
            Self::Pin(_) | Self::Sort { .. } | Self::Geo { .. } => None,
        }
    }
}

impl<'a> Fields<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Scan<Self> {
        let mut fields = Self::default();
        cursor.enter_object()?;
        let mut first = true;
        while let Some(key) = cursor.key(&mut first)? {
            let value = cursor.value()?;
            match key {
                b"order" => fields.order = count(value).unwrap_or(u64::MAX),
                b"score" => fields.score = number(value),
                b"attributeRankingOrderScore" => fields.field = number(value),
                b"queryWordDistanceScore" => fields.position = number(value),
                b"value" => fields.value = value,
                b"distance" => fields.distance = number(value),
                b"similarity" => fields.similarity = number(value),
                b"position" => fields.place = count(value).unwrap_or(u64::MAX),
                _ => {}
            }
        }
        Ok(fields)
    }
}

/// Whether the name of a sort rule says ascending or descending.
pub(crate) fn direction(name: &[u8]) -> Option<bool> {
    if name.ends_with(b":asc") {
        return Some(true);
    }
    name.ends_with(b":desc").then_some(false)
}

/// The `similarity` of the score details.
pub(crate) fn similarity(details: &[u8]) -> Scan<Option<&[u8]>> {
    let mut cursor = Cursor::new(details);
    cursor.enter_object()?;
    let mut first = true;
    while let Some(rule) = cursor.key(&mut first)? {
        if rule != b"vectorSort" {
            cursor.value()?;
            continue;
        }
        cursor.enter_object()?;
        let mut first_member = true;
        while let Some(key) = cursor.key(&mut first_member)? {
            let value = cursor.value()?;
            if key == b"similarity" {
                return Ok(Some(value));
            }
        }
    }
    Ok(None)
}

/// The higher score comes first.
fn higher(left: f64, right: f64) -> Ordering {
    right.partial_cmp(&left).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, text: &'static str) -> Rule<'static> {
        Rule::read(name.as_bytes(), &mut Cursor::new(text.as_bytes())).unwrap().unwrap().1
    }

    #[test]
    fn each_kind_is_read() {
        let order = |name: &str, text: &'static str| {
            Rule::read(name.as_bytes(), &mut Cursor::new(text.as_bytes())).unwrap().map(|(order, _)| order)
        };
        assert_eq!(order("typo", r#"{"order":1,"typoCount":0,"maxTypoCount":1,"score":1.0}"#), Some(1));
        assert_eq!(order("<hidden-rule-4>", r#"{"order":4,"value":"<hidden>"}"#), None);
        assert_eq!(
            rule("exactness", r#"{"order":4,"matchType":"noExactMatch","score":0.25}"#),
            Rule::Rank(0.25)
        );
        assert_eq!(
            rule(
                "attribute",
                r#"{"order":3,"attributeRankingOrderScore":1.0,"queryWordDistanceScore":0.5,"score":0.9}"#
            ),
            Rule::Attribute { field: 1.0, position: 0.5 }
        );
        assert_eq!(
            rule("_geoPoint(1, 2.5):desc", r#"{"order":0,"value":{"lat":1,"lng":2},"distance":7.5}"#),
            Rule::Geo { ascending: false, distance: Some(7.5) }
        );
        assert_eq!(
            rule("a:b:asc", r#"{"order":0,"value":null}"#),
            Rule::Sort { ascending: true, value: SortValue::Missing }
        );
        assert_eq!(rule("vectorSort", r#"{"order":0,"similarity":null}"#), Rule::Vector(0.0));
        assert_eq!(rule("pin", r#"{"order":0,"position":3}"#), Rule::Pin(3));
    }

    #[test]
    fn the_field_decides_before_the_position() {
        let better = Rule::Attribute { field: 1.0, position: 0.1 };
        let worse = Rule::Attribute { field: 0.9, position: 1.0 };
        assert_eq!(better.order(&worse), Ordering::Less);
    }

    #[test]
    fn unlike_rules_have_an_order() {
        let sort = Rule::Sort { ascending: true, value: SortValue::Number(1.0) };
        assert_eq!(Rule::Rank(0.1).order(&sort), Ordering::Less);
        assert_eq!(Rule::Skipped.order(&sort), Ordering::Greater);
        assert_eq!(sort.order(&Rule::Skipped), Ordering::Less);
        assert_eq!(Rule::Rank(0.5).order(&Rule::Skipped), Ordering::Less);
        assert_eq!(Rule::Skipped.order(&Rule::Skipped), Ordering::Equal);
        assert_eq!(Rule::Pin(9).order(&Rule::Rank(1.0)), Ordering::Less);
    }
}
