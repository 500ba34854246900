//! Requests that have something wrong with them.

use serde_json::{Value, json};

use super::Making;
use crate::probe::Probe;

impl Making<'_> {
    pub(super) fn error(&mut self) -> Probe {
        let uid = self.index.uid;
        if self.dice.percent(20) {
            let paths = [
                "/documents?limit=-1",
                "/documents?filter=nope%20%3D%201",
                "/documents/not%20an%20id",
                "/search?limit=x",
                "/search?unknown=1",
                "/search?filter=year%20%3D",
            ];
            let place = self.dice.below(paths.len());
            return Probe::get(uid, "error", paths[place]);
        }
        if self.dice.percent(25) {
            let bodies = [
                json!({ "filter": "nope = 1" }),
                json!({ "filter": "year >" }),
                json!({ "sort": ["nope:asc"] }),
                json!({ "sort": ["title"] }),
                json!({ "limit": "many" }),
                json!({ "ids": 3 }),
                json!({ "unknown": 1 }),
            ];
            return Probe::post(uid, "error", "/documents/fetch", self.dice.pick(&bodies).clone());
        }
        let body = self.bad_search();
        Probe::post(uid, "error", "/search", body)
    }

    fn bad_search(&mut self) -> Value {
        let mistakes = [
            json!({ "filter": "nope = 1" }),
            json!({ "filter": "year = " }),
            json!({ "filter": "year = 1 AND (genre = Drama" }),
            json!({ "filter": [["year = 1", 3]] }),
            json!({ "filter": "year = 1 OR nope IN [1, 2]" }),
            json!({ "filter": "_geoRadius(100, 200)" }),
            json!({ "filter": "_geoRadius(100, 200, 3)" }),
            json!({ "filter": "title CONTAINS star" }),
            json!({ "sort": ["nope:asc"] }),
            json!({ "sort": ["year"] }),
            json!({ "sort": ["_geoPoint(1,2):asc"] }),
            json!({ "sort": "year:asc" }),
            json!({ "facets": ["nope"] }),
            json!({ "facets": "genre" }),
            json!({ "distinct": "nope" }),
            json!({ "attributesToSearchOn": ["nope"], "q": "a" }),
            json!({ "attributesToCrop": ["title:x"] }),
            json!({ "limit": -1 }),
            json!({ "page": "one" }),
            json!({ "q": 3 }),
            json!({ "matchingStrategy": "some" }),
            json!({ "rankingScoreThreshold": 2 }),
            json!({ "limits": 3 }),
            json!({ "hybrid": { "embedder": "none" }, "q": "a" }),
            json!({ "vector": [1.0] }),
            json!([1]),
        ];
        self.dice.pick(&mistakes).clone()
    }
}
