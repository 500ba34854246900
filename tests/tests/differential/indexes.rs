//! The indexes that are asked, each with other settings.

use miroir_tests::{Client, data};
use serde_json::{Value, json};

use crate::{synthetic, wild};

/// Documents of one request: several requests, so that the order of insertion spans them.
const BATCH: usize = 700;

/// An index and what generated requests may name in it.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) uid: &'static str,
    pub(crate) primary_key: &'static str,
    /// Attributes with words.
    pub(crate) texts: &'static [&'static str],
    /// Attributes that can be filtered on and counted.
    pub(crate) filterable: &'static [&'static str],
    /// Attributes that can be sorted by.
    pub(crate) sortable: &'static [&'static str],
    /// Attributes inside others, and patterns.
    pub(crate) nested: &'static [&'static str],
    /// What can be counted besides: what attributes are nested in, and patterns.
    pub(crate) counted: &'static [&'static str],
    /// Whether documents have a place.
    pub(crate) geo: bool,
    /// Whether documents have vectors.
    pub(crate) vectors: bool,
    settings: fn() -> Value,
    documents: fn() -> Vec<Value>,
}

/// All of them.
pub(crate) const INDEXES: &[Index] = &[
    Index {
        uid: "movies",
        primary_key: "id",
        texts: &["title", "director", "genre", "distributor"],
        filterable: &["genre", "year", "mpaa_rating", "imdb_rating", "imdb_votes", "director", "distributor"],
        sortable: &["year", "imdb_rating", "imdb_votes", "title", "release_date", "us_gross"],
        nested: &["title.x", "ti*"],
        counted: &["gen*", "imdb_*"],
        geo: false,
        vectors: false,
        settings: plain,
        documents: movies,
    },
    Index {
        uid: "odd",
        primary_key: "id",
        texts: &["title", "director", "tags", "money.source"],
        filterable: &["genre", "year", "tags", "money.gross", "money.budget", "mixed"],
        sortable: &["year", "mixed", "money.gross", "title"],
        nested: &["money.gross", "money", "tags.0", "mon*", "year.x"],
        counted: &["money", "mon*"],
        geo: false,
        vectors: false,
        settings: odd,
        documents: odd_movies,
    },
    Index {
        uid: "grouped",
        primary_key: "id",
        texts: &["title", "director"],
        filterable: &["genre", "year", "director", "mpaa_rating"],
        sortable: &["year", "imdb_rating"],
        nested: &["title.x", "ti*"],
        counted: &["dir*"],
        geo: false,
        vectors: false,
        settings: grouped,
        documents: some_movies,
    },
    Index {
        uid: "airports",
        primary_key: "iata",
        texts: &["name", "city"],
        filterable: &["state", "city", "country"],
        sortable: &["name", "state", "city"],
        nested: &["title.x", "ti*"],
        counted: &["*y"],
        geo: true,
        vectors: false,
        settings: airports,
        documents: all_airports,
    },
    Index {
        uid: "rewritten",
        primary_key: "id",
        texts: &["title", "director"],
        filterable: &["genre", "year", "director"],
        sortable: &["year", "imdb_rating"],
        nested: &["title.x", "ti*"],
        counted: &["gen*"],
        geo: false,
        vectors: false,
        settings: rewritten,
        documents: few_movies,
    },
    Index {
        uid: "synthetic",
        primary_key: "id",
        texts: &["name", "notes", "nested.depth.word", "colour"],
        filterable: &[
            "colour",
            "group",
            "price",
            "nested.items.kind",
            "nested.items.size",
            "nested.depth.level",
            "on",
            "rare",
        ],
        sortable: &["price", "colour", "nested.depth.level", "group"],
        nested: &["nested.items", "nested.depth.word", "nested.items.kind", "nested.*", "_geo"],
        counted: &["nested", "nested.items", "nest*", "*e*"],
        geo: true,
        vectors: true,
        settings: with_vectors,
        documents: synthetic::documents,
    },
    Index {
        uid: "wild",
        primary_key: "id",
        texts: &["title", "body", "tags", "sku"],
        filterable: WILD,
        sortable: WILD_SORTS,
        nested: &["group", "group.name", "group.*", "group.deep.list.k", "a.b", "*.name", "ti*"],
        counted: &["group", "group.deep", "gro*", "*a*"],
        geo: true,
        vectors: false,
        settings: wild::own_words,
        documents: wild::documents,
    },
    Index {
        uid: "shelf",
        primary_key: "id",
        texts: &["title", "body", "tags", "sku"],
        filterable: WILD,
        sortable: WILD_SORTS,
        nested: &["group", "group.name", "group.*", "group.deep", "group.deep.list.k", "brand"],
        counted: &["group", "group.deep", "gro*", "*a*"],
        geo: true,
        vectors: false,
        settings: wild::shelf,
        documents: wild::documents,
    },
];

const WILD: &[&str] = &[
    "id",
    "num",
    "rank",
    "tags",
    "arr",
    "date",
    "group.name",
    "group.deep.list.k",
    "group.deep.list.n",
    "group.deep.level",
    "brand",
    "flag",
    "a.b",
    "sku",
    "title",
];
const WILD_SORTS: &[&str] =
    &["num", "rank", "date", "group.deep.level", "group.name", "a.b", "sku", "title", "tags", "flag"];

impl Index {
    pub(crate) fn documents(&self) -> Vec<Value> {
        (self.documents)()
    }

    /// How many documents a request has. How facets with equal counts are listed depends on the batches that nodes made of
    /// several: one request is one batch.
    fn batch(&self) -> usize {
        if ["odd", "wild", "shelf"].contains(&self.uid) { usize::MAX } else { BATCH }
    }

    /// Creates it through a client and waits until everything is there.
    pub(crate) fn load(&self, client: &Client) {
        let create = json!({ "uid": self.uid, "primaryKey": self.primary_key });
        client.post("/indexes").json(&create).succeeds();
        client.patch(format!("/indexes/{}/settings", self.uid)).json(&(self.settings)()).succeeds();
        let path = format!("/indexes/{}/documents", self.uid);
        let documents = self.documents();
        let sent =
            documents.chunks(self.batch()).map(|batch| client.post(&path).json(&batch.into()).accepted());
        for task in sent.collect::<Vec<_>>() {
            let task = client.ended(task);
            assert_eq!(task["status"], "succeeded", "{task}");
        }
        if self.uid == "rewritten" {
            write_again(client, &path, &documents);
        }
    }
}

/// A few documents as they are, in another order; a few only in part; and a few several times, without waiting in between.
fn write_again(client: &Client, path: &str, documents: &[Value]) {
    let whole: Value = documents.iter().step_by(11).rev().cloned().collect();
    client.post(path).json(&whole).succeeds();
    let part = |film: &Value| json!({ "id": film["id"], "seen": true });
    let parts: Value = documents.iter().skip(3).step_by(13).map(part).collect();
    client.put(path).json(&parts).succeeds();
    let rounds = (0..8).map(|round| {
        let few: Value = documents.iter().skip(round).step_by(29).take(20).cloned().collect();
        let request = if round % 2 == 0 { client.post(path) } else { client.put(path) };
        request.json(&few).accepted()
    });
    for task in rounds.collect::<Vec<_>>() {
        let task = client.ended(task);
        assert_eq!(task["status"], "succeeded", "{task}");
    }
}

fn rewritten() -> Value {
    json!({
        "searchableAttributes": ["title", "director"],
        "filterableAttributes": ["genre", "year", "director"],
        "sortableAttributes": ["year", "imdb_rating"],
    })
}

fn few_movies() -> Vec<Value> {
    data::parsed(&data::movies()[..900])
}

fn plain() -> Value {
    json!({
        "searchableAttributes": ["title", "director", "genre", "distributor"],
        "filterableAttributes": INDEXES[0].filterable,
        "sortableAttributes": INDEXES[0].sortable,
    })
}

fn odd() -> Value {
    json!({
        "displayedAttributes": ["id", "title", "year", "money", "tags"],
        "searchableAttributes": INDEXES[1].texts,
        "filterableAttributes": INDEXES[1].filterable,
        "sortableAttributes": INDEXES[1].sortable,
        "rankingRules": ["words", "sort", "typo", "money.gross:desc", "proximity", "attribute", "exactness"],
        "stopWords": ["the", "a", "of", "and"],
        "synonyms": { "star": ["sky"], "war": ["battle", "fight"], "nyc": ["new york"] },
        "faceting": { "maxValuesPerFacet": 6, "sortFacetValuesBy": { "*": "count", "year": "alpha" } },
        "pagination": { "maxTotalHits": 120 },
        "proximityPrecision": "byAttribute",
        "prefixSearch": "disabled",
        "typoTolerance": { "disableOnWords": ["love"], "disableOnAttributes": ["director"] },
    })
}

fn grouped() -> Value {
    json!({
        "distinctAttribute": "director",
        "searchableAttributes": INDEXES[2].texts,
        "filterableAttributes": INDEXES[2].filterable,
        "sortableAttributes": INDEXES[2].sortable,
        "typoTolerance": { "minWordSizeForTypos": { "oneTypo": 4, "twoTypos": 7 } },
    })
}

fn airports() -> Value {
    json!({
        "searchableAttributes": INDEXES[3].texts,
        "filterableAttributes": ["_geo", "state", "city", "country"],
        "sortableAttributes": ["_geo", "name", "state", "city"],
    })
}

fn with_vectors() -> Value {
    json!({
        "filterableAttributes": [
            "_geo", "colour", "group", "price", "nested", "on", "rare",
            {"attributePatterns": ["mix*"], "features": {"facetSearch": true, "filter": {"comparison": true}}},
        ],
        "sortableAttributes": ["_geo", "price", "colour", "nested.depth.level", "group"],
        "separatorTokens": ["&"],
        "nonSeparatorTokens": ["+"],
        "dictionary": ["x1"],
        "embedders": { "manual": { "source": "userProvided", "dimensions": synthetic::DIMENSIONS } },
    })
}

fn movies() -> Vec<Value> {
    data::parsed(&data::movies())
}

fn some_movies() -> Vec<Value> {
    data::parsed(&data::movies()[..1_200])
}

fn all_airports() -> Vec<Value> {
    data::parsed(&data::airports())
}

/// Films with arrays, nested objects, and an attribute that is a number here and a text there, or absent.
fn odd_movies() -> Vec<Value> {
    let mut films = data::parsed(&data::movies()[1_000..2_200]);
    for (number, film) in films.iter_mut().enumerate() {
        film["tags"] =
            json!([film["genre"].clone(), film["mpaa_rating"].clone(), format!("tag {}", number % 7)]);
        film["money"] = json!({
            "gross": film["us_gross"], "budget": film["production_budget"], "source": film["distributor"],
        });
        match number % 5 {
            0 => film["mixed"] = json!(number % 40),
            1 => film["mixed"] = json!(format!("{} text", number % 30)),
            2 => film["mixed"] = Value::Null,
            3 => film["mixed"] = json!([number % 11, "eleven"]),
            _ => {}
        }
    }
    films
}
