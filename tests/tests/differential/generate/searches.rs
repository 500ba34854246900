//! Searches.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Making;
use crate::{
    probe::{Kind, NO_WORDS, Probe, WORDS},
    synthetic::vector,
};

/// A search so far.
#[derive(Default)]
pub(super) struct Search {
    pub(super) body: Map<String, Value>,
    pub(super) kinds: BTreeSet<Kind>,
}

impl Search {
    pub(super) fn set(&mut self, kind: Kind, name: &str, value: impl Into<Value>) {
        self.kinds.insert(kind);
        self.body.insert(name.to_owned(), value.into());
    }
}

impl Making<'_> {
    pub(super) fn search(&mut self) -> Probe {
        let mut search = self.hits();
        if self.dice.percent(35) {
            let facets = self.facets();
            search.set("facets", "facets", facets);
        }
        self.paging(&mut search);
        if self.dice.percent(6) && by_url(&search.body) {
            return self.by_url(search);
        }
        Probe::search(self.index.uid, search.kinds, search.body.into())
    }

    /// A search without its page and facets.
    pub(super) fn hits(&mut self) -> Search {
        let mut search = Search::default();
        if self.dice.percent(60) {
            let (words, kind) = self.words();
            search.set(kind, "q", words);
            search.kinds.insert(WORDS);
            self.matching(&mut search);
        } else {
            search.kinds.insert(NO_WORDS);
        }
        if self.dice.percent(40) {
            let filter = self.filter();
            search.set("filter", "filter", filter);
        }
        if self.dice.percent(35) {
            let sort = self.sort();
            search.set("sort", "sort", sort);
        }
        if self.dice.percent(8) {
            let distinct = *self.dice.pick(self.index.filterable);
            search.set("distinct", "distinct", distinct);
        }
        if self.index.vectors && self.dice.percent(35) {
            self.by_vector(&mut search);
        }
        if self.dice.percent(4) {
            let threshold = *self.dice.pick(&[0.0, 0.1, 0.5, 0.9, 1.0]);
            search.set("threshold", "rankingScoreThreshold", threshold);
        }
        self.showing(&mut search);
        search
    }

    /// Near a vector, alone or together with the words.
    fn by_vector(&mut self, search: &mut Search) {
        let has_words = search.kinds.contains(WORDS);
        let ratio = if has_words { self.dice.between(0, 10) as f64 / 10.0 } else { 1.0 };
        let hybrid = json!({ "embedder": "manual", "semanticRatio": ratio });
        search.set(if has_words { "hybrid" } else { "vector" }, "hybrid", hybrid);
        search.body.insert("vector".to_owned(), json!(vector(self.dice)));
        if self.dice.percent(20) {
            search.set("vectors shown", "retrieveVectors", true);
        }
    }

    /// How words are matched.
    fn matching(&mut self, search: &mut Search) {
        if self.dice.percent(20) {
            let strategy = *self.dice.pick(&["all", "last", "frequency"]);
            search.set("matching strategy", "matchingStrategy", strategy);
        }
        if self.dice.percent(12) {
            let count = self.dice.between(1, 2) as usize;
            let mut names = self.dice.some(self.index.texts, count);
            if self.dice.percent(25) {
                names.push(*self.dice.pick(&["*", "ti*", "*e", "group.*"]));
            }
            search.set("searched attributes", "attributesToSearchOn", names);
        }
        if self.dice.percent(4) {
            search.set("locales", "locales", json!([self.dice.pick(&["eng", "jpn", "fra", "ara", "tha"])]));
        }
        if self.dice.percent(6) {
            let threshold = self.dice.between(1, 9) as f64 / 10.0;
            search.set("threshold", "rankingScoreThreshold", threshold);
        }
    }

    pub(super) fn sort(&mut self) -> Value {
        let count = *self.dice.pick(&[1, 1, 1, 2, 3]);
        let names = self.dice.some(self.index.sortable, count);
        let mut sort: Vec<String> = Vec::new();
        if self.index.geo && self.dice.percent(60) {
            let (lat, lng) = self.point();
            sort.push(format!("_geoPoint({lat}, {lng}):{}", self.dice.pick(&["asc", "asc", "desc"])));
        }
        for name in names {
            sort.push(format!("{name}:{}", self.dice.pick(&["asc", "desc"])));
        }
        json!(sort)
    }

    pub(super) fn facets(&mut self) -> Value {
        if self.dice.percent(30) {
            return json!(["*"]);
        }
        let count = self.dice.between(1, 3) as usize;
        let mut names = self.dice.some(self.index.filterable, count);
        if self.dice.percent(20) {
            names.push(*self.dice.pick(self.index.counted));
        }
        json!(names)
    }

    pub(super) fn paging(&mut self, search: &mut Search) {
        match self.dice.below(10) {
            0..4 => {}
            4 | 5 => {
                search.set("window", "offset", self.dice.between(0, 40));
                let limit = self.dice.between(0, 60);
                search.set("window", "limit", *self.dice.pick(&[limit, limit, limit, 0, 1, 1_000]));
            }
            6 | 7 => {
                let has_size = self.dice.percent(70);
                if !has_size || self.dice.percent(85) {
                    search.set("pages", "page", self.dice.between(0, 5));
                }
                if has_size {
                    let size = self.dice.between(0, 30);
                    search.set("pages", "hitsPerPage", *self.dice.pick(&[size, size, size, 0]));
                }
                if self.dice.percent(5) {
                    search.set("pages", "offset", 3);
                }
            }
            8 => {
                search.set("deep window", "offset", self.dice.between(100, 1_100));
                search.set("deep window", "limit", self.dice.between(1, 100));
            }
            _ => {
                search.set("deep pages", "page", self.dice.between(10, 60));
                search.set("deep pages", "hitsPerPage", self.dice.between(10, 25));
            }
        }
    }

    /// What of the hits is shown, and how.
    fn showing(&mut self, search: &mut Search) {
        if self.dice.percent(25) {
            let names = self.names();
            search.set("retrieved attributes", "attributesToRetrieve", names);
        }
        if self.dice.percent(15) {
            let names = self.names();
            search.set("highlight", "attributesToHighlight", names);
        }
        // Around a phrase, the engine of 1.15 crashes now and then.
        if self.dice.percent(10) && !search.kinds.contains("a phrase") {
            let name = *self.dice.pick(self.index.texts);
            let mut crops = vec![if self.dice.percent(30) { "*".to_owned() } else { format!("{name}:2") }];
            if self.dice.percent(30) {
                crops.push(format!(
                    "{}{}",
                    self.dice.pick(self.index.nested),
                    self.dice.pick(&["", ":0", ":3"])
                ));
            }
            search.set("crop", "attributesToCrop", crops);
            search.set("crop", "cropLength", self.dice.between(1, 8));
        }
        if self.dice.percent(6) {
            search.set("own tags", "highlightPreTag", "<b>");
            search.set("own tags", "highlightPostTag", "</b>");
            search.set("own tags", "cropMarker", "[..]");
        }
        if self.dice.percent(40) {
            search.set("score", "showRankingScore", true);
        }
        if self.dice.percent(20) {
            search.set("score details", "showRankingScoreDetails", true);
        }
        if self.dice.percent(10) {
            search.set("matches", "showMatchesPosition", true);
        }
    }

    /// Names of attributes: some, all, or one that no document has.
    pub(super) fn names(&mut self) -> Vec<String> {
        match self.dice.below(8) {
            0 | 1 => vec!["*".to_owned()],
            2 => vec!["nowhere".to_owned()],
            3 => Vec::new(),
            4 => vec![(*self.dice.pick(self.index.nested)).to_owned()],
            count => self.dice.some(&self.vocabulary.names, count - 4),
        }
    }

    /// The same by `GET`.
    fn by_url(&mut self, search: Search) -> Probe {
        let pairs = search.body.iter().map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
                other => other.to_string(),
            };
            format!("{name}={}", encoded(&text))
        });
        let query = pairs.collect::<Vec<_>>().join("&");
        let mut probe = Probe::get(self.index.uid, "by GET", &format!("/search?{query}"));
        probe.kinds.extend(search.kinds);
        probe
    }
}

/// Whether a query string can say it: filters in arrays cannot stand there, and neither estimates nor points.
fn by_url(body: &Map<String, Value>) -> bool {
    let unsuited = ["distinct", "rankingScoreThreshold", "sort", "hybrid"];
    !body.get("filter").is_some_and(Value::is_array) && unsuited.iter().all(|name| !body.contains_key(*name))
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
