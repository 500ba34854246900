use serde_json::json;

use super::*;

/// The ids that a filter allows, or `any`.
fn ids(filter: &Value) -> String {
    match ids_of_filter(filter, "id") {
        None => "any".to_owned(),
        Some(ids) => ids.into_iter().collect::<Vec<_>>().join(" "),
    }
}

#[test]
fn the_primary_key_pins_the_read() {
    for (filter, expected) in [
        (json!("id = 7"), "7"),
        (json!("id=\"7\""), "7"),
        (json!("'id' = -7"), "-7"),
        (json!("(id = 2024-01-01)"), "2024-01-01"),
        (json!("id IN [1, \"2\", 3_4,]"), "1 2 3_4"),
        (json!("id IN []"), ""),
        (json!(["id IN [1,2]"]), "1 2"),
    ] {
        assert_eq!(ids(&filter), expected, "{filter}");
    }
}

#[test]
fn other_terms_do_not_matter_beside_it() {
    for filter in [
        json!("id = 7 AND year > 2000"),
        json!("year 1990 TO 2000 AND NOT (a = 1 OR b = 2) AND id = 7"),
        json!("_geoRadius(1, 2, 3) AND id = 7"),
        json!("((id = 7) AND x EXISTS) AND y IN [a, b]"),
        json!(["id = 7", ["a = 1", "b = 2"]]),
        json!([["id = 7"], "x IS EMPTY", ""]),
        json!("id IN [6, 7] AND id IN [7, 8]"),
    ] {
        assert_eq!(ids(&filter), "7", "{filter}");
    }
}

#[test]
fn choices_pin_it_only_together() {
    assert_eq!(ids(&json!("id = 1 OR (id = 2 AND a = 1)")), "1 2");
    assert_eq!(ids(&json!([["id = 1", "id = 2"]])), "1 2");
    assert_eq!(ids(&json!("id = 1 OR a = 1")), "any");
    assert_eq!(ids(&json!("id = 1 OR a = 1 AND id = 2")), "1 2");
    assert_eq!(ids(&json!("id = 1 AND a = 1 OR b = 2")), "any");
    assert_eq!(ids(&json!([["id = 1", "a = 2"]])), "any");
}

#[test]
fn a_filter_deeper_than_nodes_take_it_is_not_looked_into() {
    let nested = |depth: usize| format!("{}id = 7{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(ids(&json!(nested(MAX_DEPTH))), "7");
    for deep in [
        nested(MAX_DEPTH + 1),
        nested(1_000_000),
        format!("{}a = 1{}", "(id = 7 AND ".repeat(100_000), ")".repeat(100_000)),
    ] {
        assert_eq!(ids(&json!(deep)), "any");
        assert_eq!(ids(&json!([[deep]])), "any");
    }
    // Many brackets beside each other are not deep.
    assert_eq!(ids(&json!("(id = 7) AND ".repeat(1_000) + "id = 7")), "7");
}

#[test]
fn what_is_not_surely_one_id_asks_everybody() {
    for filter in [
        json!("a = 1"),
        json!("id != 1"),
        json!("id > 1"),
        json!("NOT id = 1"),
        json!("id NOT IN [1]"),
        json!("id = abc"),
        json!("id = 01"),
        json!("id = -0"),
        json!("id = 1.0"),
        json!("id = 1e3"),
        json!("id = \" 1\""),
        json!("id = \"\""),
        json!("id = 9007199254740993"),
        json!("id = ①"),
        json!("id IN [1, abc]"),
        json!("id IN [1 2]"),
        json!("id = 1 and a = 2"),
        json!("(id = 1) OR (a = 2)"),
        json!("id = 1) AND (a = 2"),
        json!("x(id = 1)"),
        json!("id = 1 = 2"),
        json!("id = \"1\\\"\""),
        json!(""),
        json!([]),
        json!([[]]),
        json!([[["id = 1"]]]),
        json!({"id": 1}),
        json!(null),
    ] {
        assert_eq!(ids(&filter), "any", "{filter}");
    }
}

#[test]
fn slots_are_those_of_the_ids() {
    let filter = json!("id IN [1, 2]");
    assert_eq!(slots_of_filter(Some(&filter), Some("id")), Some(vec![Slot::of("1"), Slot::of("2")]));
    assert_eq!(slots_of_filter(Some(&filter), None), None);
    assert_eq!(slots_of_filter(Some(&filter), Some("other")), None);
    assert_eq!(slots_of_filter(Some(&json!("a.id = 1")), Some("a.id")), None);
    assert_eq!(slots_of_filter(None, Some("id")), None);
    assert_eq!(slots_of_ids(&[json!(1), json!("Ab")]), Some(vec![Slot::of("1"), Slot::of("Ab")]));
    assert_eq!(slots_of_ids(&[json!({})]), None);
}
