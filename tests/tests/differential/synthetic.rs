//! Documents made up from a seed: nested objects, arrays of them, nulls, values of mixed types, letters of many scripts,
//! and vectors.

use miroir_tests::Dice;
use serde_json::{Map, Value, json};

/// How many there are.
const COUNT: usize = 900;
/// Numbers of a vector. With no more vectors than numbers in one, a node compares all of them: with more it only looks for
/// what is likely to be near, and one node finds other neighbours than three.
pub(crate) const DIMENSIONS: usize = 96;
/// Always the same documents, whatever is asked.
const SEED: u64 = 0x6d69_726f;

const WORDS: &[&str] = &[
    "amber",
    "basalt",
    "cobalt",
    "dune",
    "ember",
    "fjord",
    "garnet",
    "harbour",
    "island",
    "jasper",
    "kelp",
    "lagoon",
    "marble",
    "nectar",
    "onyx",
    "pebble",
    "quartz",
    "river",
    "saffron",
    "tundra",
    "umber",
    "valley",
    "willow",
    "yarrow",
    "zephyr",
    "Élan",
    "crème",
    "straße",
    "naïve",
    "Ångström",
    "日本",
    "東京",
    "москва",
    "İzmir",
    "coöperate",
    "x1",
    "42",
    "a",
    "the",
    "of",
];
const COLOURS: &[&str] = &["red", "Red", "green", "blue", "Bleu", "violet", " red ", "ultra-violet", "日本"];

/// All of them.
pub(crate) fn documents() -> Vec<Value> {
    let mut dice = Dice::new(SEED);
    (0..COUNT).map(|number| document(&mut dice, number)).collect()
}

fn document(dice: &mut Dice, number: usize) -> Value {
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    let id = match number % 3 {
        0 => format!("{number}"),
        1 => format!("doc-{number}"),
        _ => format!("D_{number}"),
    };
    set("id", json!(id));
    set("name", json!(text(dice, 1, 4)));
    set("notes", if dice.percent(80) { json!(text(dice, 3, 14)) } else { Value::Null });
    set("colour", json!(dice.pick(COLOURS)));
    set("group", json!(format!("g{}", dice.below(150))));
    if dice.percent(85) {
        set("price", price(dice));
    }
    if dice.percent(70) {
        set("mixed", mixed(dice));
    }
    set("nested", nested(dice));
    set("on", [json!(true), json!(false), Value::Null][dice.below(3)].clone());
    if dice.percent(50) {
        set("_geo", json!({"lat": degrees(dice, 26, 48), "lng": degrees(dice, -124, -70)}));
    }
    // Some nodes have no document with it.
    if number == 8 || number == 590 {
        set("rare", json!(number % 7));
    }
    let vector = if number % 10 == 3 { json!(vector(dice)) } else { Value::Null };
    set("_vectors", json!({ "manual": vector }));
    members.into()
}

/// So many different numbers that no two documents are equally near: engines differ in whether the rules that follow decide
/// between these.
pub(crate) fn vector(dice: &mut Dice) -> Vec<i64> {
    (0..DIMENSIONS).map(|_| dice.between(-99, 150)).collect()
}

/// With so many digits that no two places are equally far from a third.
fn degrees(dice: &mut Dice, low: i64, high: i64) -> f64 {
    dice.between(low * 10_000, high * 10_000) as f64 / 10_000.0
}

fn text(dice: &mut Dice, least: i64, most: i64) -> String {
    let count = dice.between(least, most);
    (0..count).map(|_| *dice.pick(WORDS)).collect::<Vec<_>>().join(" ")
}

fn price(dice: &mut Dice) -> Value {
    match dice.below(5) {
        0 => json!(dice.between(-5, 30)),
        1 => json!(dice.between(0, 3_000) as f64 / 100.0),
        2 => json!(dice.between(0, 9) as f64),
        3 => json!(1e15 + dice.between(0, 3) as f64),
        _ => json!(dice.between(0, 20)),
    }
}

fn mixed(dice: &mut Dice) -> Value {
    match dice.below(7) {
        0 => json!(dice.between(0, 9)),
        1 => json!(format!("n{}", dice.between(0, 9))),
        2 => Value::Null,
        3 => json!([]),
        4 => json!([dice.between(0, 5), "some", null, {"deep": dice.between(0, 3)}]),
        5 => json!({"deep": dice.between(0, 5), "other": 1}),
        _ => json!(""),
    }
}

fn nested(dice: &mut Dice) -> Value {
    let items: Vec<Value> = (0..dice.below(4))
        .map(|_| json!({"kind": dice.pick(COLOURS), "size": dice.between(1, 6), "label": text(dice, 1, 2)}))
        .collect();
    let mut nested =
        json!({"items": items, "depth": {"level": dice.between(1, 4), "word": dice.pick(WORDS)}});
    if dice.percent(30) {
        nested["depth.level"] = json!(dice.between(5, 7));
    }
    nested
}
