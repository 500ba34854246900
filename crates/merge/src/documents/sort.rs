//! What a listing is sorted by: no score details tell the values, so they are read from the documents.

use std::cmp::Ordering;

use crate::{
    facets::normalize,
    keys::{SortValue, order_distances},
    scan::{Scan, number, quoted, unescape, visit_leaves},
};

/// One sort criterion.
#[derive(Debug, Clone, PartialEq)]
pub enum SortKey {
    /// `attribute:asc` or `attribute:desc`.
    Field {
        /// The attribute, as a dotted path.
        attribute: String,
        /// Which way.
        ascending: bool,
    },
    /// `_geoPoint(lat, lng):asc` or `:desc`.
    Geo {
        /// The point that distances are measured from: latitude and longitude in degrees.
        point: [f64; 2],
        /// Which way.
        ascending: bool,
    },
}

/// What a document holds for a criterion.
#[derive(Debug, PartialEq)]
pub(super) enum Held<'a> {
    Value(SortValue<'a>),
    Distance(Option<f64>),
}

impl SortKey {
    /// Reads a criterion as it stands in a request; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, direction) = text.rsplit_once(':')?;
        let ascending = match direction {
            "asc" => true,
            "desc" => false,
            _ => return None,
        };
        let Some(point) = name.strip_prefix("_geoPoint(") else {
            return Some(Self::Field { attribute: name.to_owned(), ascending });
        };
        let (latitude, longitude) = point.strip_suffix(')')?.split_once(',')?;
        let point = [latitude.trim().parse().ok()?, longitude.trim().parse().ok()?];
        Some(Self::Geo { point, ascending })
    }

    /// What the document holds.
    pub(super) fn read<'a>(&self, document: &'a [u8]) -> Scan<Held<'a>> {
        match self {
            Self::Field { attribute, ascending } => {
                let mut best = SortValue::Missing;
                visit_leaves(document, attribute, &mut |value| {
                    let value = facet(value);
                    // Of several values the one counts that comes first.
                    if value.order(&best, *ascending).is_lt() {
                        best = value;
                    }
                })?;
                Ok(Held::Value(best))
            }
            Self::Geo { point, .. } => {
                let [latitude, longitude] =
                    [coordinate(document, "_geo.lat")?, coordinate(document, "_geo.lng")?];
                let distance = latitude
                    .zip(longitude)
                    .map(|(latitude, longitude)| distance(*point, [latitude, longitude]));
                Ok(Held::Distance(distance))
            }
        }
    }

    /// Which document comes first (`Less`), by what they hold.
    pub(super) fn order(&self, left: &Held<'_>, right: &Held<'_>) -> Ordering {
        match (self, left, right) {
            (Self::Field { ascending, .. }, Held::Value(left), Held::Value(right)) => {
                left.order(right, *ascending)
            }
            (Self::Geo { ascending, .. }, Held::Distance(left), Held::Distance(right)) => {
                order_distances(*left, *right, *ascending)
            }
            _ => Ordering::Equal,
        }
    }
}

/// A value in the form that Meilisearch sorts by.
fn facet(value: &[u8]) -> SortValue<'_> {
    match value {
        b"\"\"" => SortValue::Missing,
        b"true" => SortValue::Text("true".into()),
        b"false" => SortValue::Text("false".into()),
        _ => match quoted(value) {
            Some(text) => SortValue::Text(normalize(unescape(text))),
            None => number(value).map_or(SortValue::Missing, SortValue::Number),
        },
    }
}

fn coordinate(document: &[u8], path: &str) -> Scan<Option<f64>> {
    let mut found = None;
    visit_leaves(document, path, &mut |value| found = number(quoted(value).unwrap_or(value)))?;
    Ok(found)
}

/// The radius that Meilisearch takes for the earth's, in metres.
const EARTH: f64 = 6_371_000.0;

/// Along the surface of the earth, in metres.
fn distance(from: [f64; 2], to: [f64; 2]) -> f64 {
    let [from_latitude, from_longitude] = from.map(f64::to_radians);
    let [to_latitude, to_longitude] = to.map(f64::to_radians);
    let latitude = ((to_latitude - from_latitude) / 2.0).sin().powi(2);
    let longitude = ((to_longitude - from_longitude) / 2.0).sin().powi(2);
    2.0 * EARTH * (latitude + from_latitude.cos() * to_latitude.cos() * longitude).sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(key: &str, left: &str, right: &str) -> Ordering {
        let key = SortKey::parse(key).unwrap();
        key.order(&key.read(left.as_bytes()).unwrap(), &key.read(right.as_bytes()).unwrap())
    }

    #[test]
    fn criteria_are_read() {
        assert_eq!(
            SortKey::parse("a:b:asc"),
            Some(SortKey::Field { attribute: "a:b".into(), ascending: true })
        );
        assert_eq!(
            SortKey::parse("_geoPoint(1.5, -2):desc"),
            Some(SortKey::Geo { point: [1.5, -2.0], ascending: false })
        );
        assert_eq!(
            [SortKey::parse("a"), SortKey::parse("a:up"), SortKey::parse("_geoPoint(1):asc")],
            [None, None, None]
        );
    }

    #[test]
    fn of_several_values_the_first_counts() {
        assert_eq!(order("a:asc", r#"{"a":[5,1]}"#, r#"{"a":2}"#), Ordering::Less);
        assert_eq!(order("a:desc", r#"{"a":[5,1]}"#, r#"{"a":2}"#), Ordering::Less);
        assert_eq!(order("a:desc", r#"{"a":["x"]}"#, r#"{"a":0}"#), Ordering::Greater);
        assert_eq!(order("a:desc", "{}", r#"{"a":"x"}"#), Ordering::Greater);
        assert_eq!(order("a.b:asc", r#"{"a":{"b":"Xa"}}"#, r#"{"a":{"b":"xb"}}"#), Ordering::Less);
    }

    #[test]
    fn the_nearest_comes_first() {
        let (near, far) = (r#"{"_geo":{"lat":"48.8","lng":2.3}}"#, r#"{"_geo":{"lat":45.7,"lng":4.8}}"#);
        assert_eq!(order("_geoPoint(48.85,2.35):asc", near, far), Ordering::Less);
        assert_eq!(order("_geoPoint(48.85,2.35):desc", near, far), Ordering::Greater);
        assert_eq!(order("_geoPoint(48.85,2.35):desc", "{}", far), Ordering::Greater);
    }
}
