//! How two answers differ.

use serde_json::Value;

/// Every place where `got` differs from `expected`, with both values; the order of an object's members does not count.
pub fn differences(expected: &Value, got: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(expected, got, "", &mut found);
    found
}

fn compare(expected: &Value, got: &Value, path: &str, found: &mut Vec<String>) {
    match (expected, got) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                match b.get(key) {
                    Some(other) => compare(value, other, &format!("{path}.{key}"), found),
                    None => found.push(format!("{path}.{key}: missing, expected {}", short(value))),
                }
            }
            for (key, value) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
                found.push(format!("{path}.{key}: unexpected {}", short(value)));
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                found.push(format!("{path}: {} items, expected {}", b.len(), a.len()));
            }
            for (place, (value, other)) in a.iter().zip(b).enumerate() {
                compare(value, other, &format!("{path}[{place}]"), found);
            }
        }
        (a, b) if a != b => found.push(format!("{path}: {}, expected {}", short(b), short(a))),
        _ => {}
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_members_does_not_count() {
        let a = serde_json::from_str::<Value>(r#"{"a":1,"b":[2]}"#).expect("JSON");
        let b = serde_json::from_str::<Value>(r#"{"b":[2],"a":1}"#).expect("JSON");
        assert_eq!(differences(&a, &b), Vec::<String>::new());
    }

    #[test]
    fn every_place_is_told() {
        let found = differences(&json!({"a": 1, "b": [1, 2]}), &json!({"b": [1, 3, 4], "c": null}));
        assert_eq!(
            found,
            [
                ".a: missing, expected 1",
                ".b: 3 items, expected 2",
                ".b[1]: 3, expected 2",
                ".c: unexpected null"
            ]
        );
    }
}
