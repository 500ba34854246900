//! Documents as careless people make them: words of many scripts and with signs inside, empty ones and very long ones, numbers
//! at the ends of what a number can be, one brand in three spellings, arrays of arrays, places as strings.

use miroir_tests::Dice;
use serde_json::{Map, Value, json};

/// How many there are.
const COUNT: usize = 700;
/// Always the same documents, whatever is asked.
const SEED: u64 = 0x7769_6c64;

/// What is searched for and found.
pub(crate) const WORDS: &[&str] = &[
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
    "the",
    "of",
    "a",
    "C++",
    "C#",
    "e-mail",
    "3.14",
    "don't",
    "l'été",
    "日本語",
    "東京タワー",
    "москва",
    "مرحبا",
    "كتاب",
    "🎉",
    "🚀 rocket",
    "straße",
    "naïve",
    "Ångström",
    "ไทย",
    "hello_world",
    "user@example.com",
    "AT&T",
    "12",
    "2024-05-06",
    "state-of-the-art",
    "Übergröße",
    "São Paulo",
    "co-operate",
    "camelCaseWord",
    "foo/bar",
    "new york",
    "sky-line",
    "v1.50",
    "100%",
    "$5",
    "한국어",
    "नमस्ते",
    "ΑΘΗΝΑ",
    "ligature ﬁ",
    "½",
];
const COLOURS: &[&str] =
    &["red", "Red", "RED", "blue", "green", "été", "ETE", "Straße", "strasse", "日本", "🎉", "", " "];
const BRANDS: &[&str] = &["Nike", "nike ", "NIKE", "Adidas", "adidas", "Puma"];

/// All of them.
pub(crate) fn documents() -> Vec<Value> {
    let mut dice = Dice::new(SEED);
    (0..COUNT).map(|number| document(&mut dice, number)).collect()
}

fn document(dice: &mut Dice, number: usize) -> Value {
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    let id = if number % 2 == 1 { json!(number * 7_919 % 100_003) } else { json!(format!("k-{number}")) };
    set("id", id);
    set("title", if number.is_multiple_of(41) { json!("") } else { json!(text(dice, 1, 4)) });
    set("body", body(dice, number));
    if !number.is_multiple_of(3) {
        set("num", number_of_any_size(dice));
    }
    if !number.is_multiple_of(4) {
        set("rank", rank(dice));
    }
    set("tags", tags(dice));
    set("arr", json!([[dice.between(0, 3), dice.between(0, 3)], [dice.pick(&["p", "q"])]]));
    set("date", json!(format!("20{}-0{}-1{}", dice.between(10, 25), dice.between(1, 9), dice.between(0, 9))));
    set("group", group(dice));
    set("brand", json!(dice.pick(BRANDS)));
    set("flag", [json!(true), json!(false), Value::Null][dice.below(3)].clone());
    match dice.below(4) {
        0 => set("_geo", Value::Null),
        1 => {
            let [lat, lng] = [degrees(dice, 89).to_string(), degrees(dice, 179).to_string()];
            set("_geo", json!({ "lat": lat, "lng": lng }));
        }
        2 => set("_geo", json!({ "lat": degrees(dice, 89), "lng": degrees(dice, 179) })),
        _ => {}
    }
    set("a.b", json!(dice.between(0, 9)));
    set("sku", json!(format!("SKU-{:04}", dice.between(0, 400))));
    members.into()
}

fn text(dice: &mut Dice, least: i64, most: i64) -> String {
    let count = dice.between(least, most);
    (0..count).map(|_| *dice.pick(WORDS)).collect::<Vec<_>>().join(" ")
}

fn body(dice: &mut Dice, number: usize) -> Value {
    match number % 14 {
        0 => json!([text(dice, 1, 3), text(dice, 1, 3)]),
        1 => json!(format!("{} {}", text(dice, 2, 5), "x".repeat(90))),
        _ => json!(text(dice, 3, 20)),
    }
}

/// With so many digits that no two places are equally far from a third.
fn degrees(dice: &mut Dice, most: i64) -> f64 {
    dice.between(-most * 10_000, most * 10_000) as f64 / 10_000.0
}

fn number_of_any_size(dice: &mut Dice) -> Value {
    let numbers = [
        json!(0),
        json!(-0.0),
        json!(1),
        json!(-1),
        json!(5),
        json!("five"),
        json!(1e300),
        json!(-1e300),
        json!(1e15),
        json!(1e15 + 1.0),
        json!(9_007_199_254_740_993_u64),
        json!(-9_007_199_254_740_993_i64),
        json!(0.1),
        json!(0.300_000_000_000_000_04),
        json!(1.0 / 3.0),
        json!(1e-7),
        json!(123_456_789.123_456_79),
        json!(1e21),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(3.0),
        json!(10),
        json!(100),
        json!(2),
        json!(11),
    ];
    dice.pick(&numbers).clone()
}

fn rank(dice: &mut Dice) -> Value {
    match dice.below(11) {
        0 | 1 => json!(dice.between(-3, 3)),
        2 => json!(dice.between(0, 1_000) as f64 / 1_000.0),
        3 => Value::Null,
        4 => json!("a text"),
        5 => json!("B text"),
        6 => json!([3, 1, 2]),
        7 => json!([]),
        8 => json!(dice.percent(50)),
        9 => json!(""),
        _ => json!({ "x": 1 }),
    }
}

fn tags(dice: &mut Dice) -> Value {
    let count = dice.below(4);
    let tag = |dice: &mut Dice| match dice.below(14) {
        0 => "long ".repeat(60),
        _ => (*dice.pick(COLOURS)).to_owned(),
    };
    (0..count).map(|_| json!(tag(dice))).collect()
}

fn group(dice: &mut Dice) -> Value {
    let list: Vec<Value> = (0..dice.below(4))
        .map(|_| json!({ "k": dice.pick(&["a", "b", "c"]), "n": dice.between(0, 4) }))
        .collect();
    json!({
        "name": format!("g{}", dice.between(0, 60)),
        "deep": { "level": dice.between(0, 5), "list": list },
    })
}

/// What can be filtered on, counted and sorted by.
fn attributes() -> Value {
    json!({
        "filterableAttributes": [
            "id", "num", "rank", "tags", "arr", "date", "group", "brand", "flag", "a.b", "sku", "_geo", "title",
        ],
        "sortableAttributes": [
            "num", "rank", "date", "group.deep.level", "group.name", "a.b", "sku", "_geo", "title", "tags", "flag",
        ],
    })
}

/// Words that stand for others, signs that divide words and signs that do not, rules of one's own in between.
pub(crate) fn own_words() -> Value {
    with(json!({
        "searchableAttributes": ["title", "body", "tags", "group.name", "sku"],
        "synonyms": {
            "amber": ["basalt", "new york"], "new york": ["nyc", "big apple"], "nyc": ["new york"], "sky-line": ["harbour"],
        },
        "stopWords": ["the", "of", "a"],
        "separatorTokens": ["&", "_", "<br>"],
        "nonSeparatorTokens": ["@", "+", "#"],
        "dictionary": ["e-mail", "state-of-the-art", "C++"],
        "rankingRules": ["words", "typo", "num:desc", "proximity", "attribute", "sort", "exactness", "rank:asc"],
        "typoTolerance": {
            "disableOnNumbers": true,
            "minWordSizeForTypos": { "oneTypo": 3, "twoTypos": 6 },
            "disableOnAttributes": ["sku"],
        },
        "localizedAttributes": [{ "attributePatterns": ["title"], "locales": ["jpn", "eng"] }],
        "faceting": { "maxValuesPerFacet": 15, "sortFacetValuesBy": { "tags": "count", "num": "count" } },
    }))
}

/// Groups by an attribute inside another, which is not displayed; a sort before the words; no prefixes, no typos.
pub(crate) fn shelf() -> Value {
    with(json!({
        "distinctAttribute": "group.name",
        "displayedAttributes": ["title", "num", "group.deep", "rank", "id"],
        "rankingRules": ["sort", "words", "rank:desc", "num:asc", "attribute", "exactness"],
        "pagination": { "maxTotalHits": 70 },
        "proximityPrecision": "byAttribute",
        "prefixSearch": "disabled",
        "typoTolerance": { "enabled": false },
        "facetSearch": false,
    }))
}

fn with(mut settings: Value) -> Value {
    for (name, value) in attributes().as_object().into_iter().flatten() {
        settings[name] = value.clone();
    }
    settings
}
