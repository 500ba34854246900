//! How far a hit is from where the search sorts from.

use std::str::FromStr;

use milli_core::{AscDesc, distance_between_two_points};
use serde_json::{Map, Value};

/// The point that the first geographic sort criterion measures from.
pub(super) fn origin(sort: &[String]) -> Option<[f64; 2]> {
    let criteria = sort.iter().filter_map(|criterion| AscDesc::from_str(criterion).ok());
    criteria.filter_map(|criterion| criterion.member().geo_point().copied()).next()
}

/// Adds `_geoDistance`, in metres, to a document that has a place.
pub(super) fn add_distance(document: &mut Map<String, Value>, origin: &[f64; 2]) {
    let place = document.get("_geo").map(|geo| (coordinate(&geo["lat"]), coordinate(&geo["lng"])));
    if let Some((Some(lat), Some(lng))) = place {
        let distance = distance_between_two_points(origin, &[lat, lng]).round();
        document.insert("_geoDistance".to_owned(), Value::from(distance as u64));
    }
}

fn coordinate(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{add_distance, origin};

    #[test]
    fn first_point_is_the_origin() {
        let sort = ["name:asc", "_geoPoint(48.8, 2.3):asc", "_geoPoint(0, 0):desc"].map(str::to_owned);
        assert_eq!(origin(&sort), Some([48.8, 2.3]));
        assert_eq!(origin(&["name:asc".to_owned()]), None);
    }

    #[test]
    fn distance_is_in_whole_metres() {
        let geo: Value = json!({ "lat": "0", "lng": 1 });
        let mut document = Map::from_iter([("_geo".to_owned(), geo)]);
        add_distance(&mut document, &[0.0, 0.0]);
        assert_eq!(document["_geoDistance"], json!(111_195));
    }

    #[test]
    fn document_without_a_place_has_no_distance() {
        let mut document = Map::from_iter([("_geo".to_owned(), Value::Null)]);
        add_distance(&mut document, &[0.0, 0.0]);
        assert!(!document.contains_key("_geoDistance"));
    }
}
