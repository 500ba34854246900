//! Places: `_geo`.

use miroir_protocol::error::{Code, ResponseError};
use serde_json::{Value, value::RawValue};

use super::refusal;

/// Refuses what is no place. `null` is none, which is allowed.
pub(super) fn check(id: &str, raw: &RawValue) -> Result<(), ResponseError> {
    problem(id, raw).map_or(Ok(()), |message| Err(refusal(Code::InvalidDocumentGeoField, message)))
}

fn problem(id: &str, raw: &RawValue) -> Option<String> {
    let id = Value::from(id);
    let mut place = match serde_json::from_str(raw.get()) {
        Ok(Value::Object(place)) => place,
        // A number that is too large for any is all that a value of a well-formed document can fail for.
        Ok(Value::Null) | Err(_) => return None,
        Ok(value) => {
            return Some(format!(
                "The `_geo` field in the document with the id: `{id}` is not an object. Was expecting an object with \
                 the `_geo.lat` and `_geo.lng` fields but instead got `{value}`."
            ));
        }
    };
    let (lat, lng) = match (place.remove("lat"), place.remove("lng")) {
        (Some(lat), Some(lng)) if place.is_empty() => (lat, lng),
        (Some(_), Some(_)) => {
            let rest = Value::Object(place);
            return Some(format!(
                "The `_geo` field in the document with the id: `{id}` contains the following unexpected fields: `{rest}`."
            ));
        }
        (Some(_), None) => {
            return Some(format!(
                "Could not find longitude in the document with the id: `{id}`. Was expecting a `_geo.lng` field."
            ));
        }
        (None, Some(_)) => {
            return Some(format!(
                "Could not find latitude in the document with the id: `{id}`. Was expecting a `_geo.lat` field."
            ));
        }
        (None, None) => {
            return Some(format!(
                "Could not find latitude nor longitude in the document with the id: `{id}`. Was expecting `_geo.lat` and \
                 `_geo.lng` fields."
            ));
        }
    };
    let (what, got) = match (is_finite(&lat), is_finite(&lng)) {
        (true, true) => return None,
        (true, false) => ("longitude", lng),
        (false, true) => ("latitude", lat),
        (false, false) => {
            return Some(format!(
                "Could not parse latitude nor longitude in the document with the id: `{id}`. Was expecting finite numbers \
                 but instead got `{lat}` and `{lng}`."
            ));
        }
    };
    Some(format!(
        "Could not parse {what} in the document with the id: `{id}`. Was expecting a finite number but instead got `{got}`."
    ))
}

/// Whether a coordinate is a number, or a text that is one.
fn is_finite(value: &Value) -> bool {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.is_some_and(f64::is_finite)
}
