//! Everything else that is looked for: values of facets, several lists at once, one list of several searches, similar
//! documents.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Making, searches::Search};
use crate::probe::{Kind, NO_WORDS, Probe, WORDS};

impl Making<'_> {
    pub(super) fn facet_search(&mut self) -> Probe {
        let name = *self.dice.pick(self.index.filterable);
        let mut body = Map::from_iter([("facetName".to_owned(), json!(name))]);
        if self.dice.percent(80) {
            let value = self.dice.pick(&self.vocabulary.values[name]).clone();
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let letters = self.dice.between(0, 6) as usize;
            let mut start: Vec<char> = text.chars().take(letters).collect();
            if start.len() > 4 && self.dice.percent(30) {
                start.swap(1, 2);
            }
            body.insert("facetQuery".to_owned(), json!(start.into_iter().collect::<String>()));
        }
        let mut kind = "facet search";
        if self.dice.percent(25) {
            body.insert("q".to_owned(), json!(self.words().0));
            kind = "facet search with words";
        }
        if self.dice.percent(30) {
            body.insert("filter".to_owned(), self.filter());
        }
        let mut set = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
        if self.dice.percent(20) {
            set("exhaustiveFacetCount", json!(self.dice.percent(80)));
        }
        if self.dice.percent(15) {
            set("attributesToSearchOn", json!([self.dice.pick(self.index.texts)]));
        }
        if self.dice.percent(15) {
            set("matchingStrategy", json!(self.dice.pick(&["all", "last"])));
        }
        if self.dice.percent(5) {
            set("locales", json!(["eng"]));
        }
        let mut probe = Probe::post(self.index.uid, kind, "/facet-search", body.into());
        if kind != "facet search" {
            probe.kinds.insert(WORDS);
        }
        probe
    }

    pub(super) fn multi_search(&mut self) -> Probe {
        let mut kinds = BTreeSet::new();
        let queries: Vec<Value> = (0..self.dice.between(0, 3))
            .map(|_| {
                let mut making = self.anywhere();
                let mut search = making.hits();
                if making.dice.percent(35) {
                    let facets = making.facets();
                    search.set("facets", "facets", facets);
                }
                making.paging(&mut search);
                making.query(search, &mut kinds)
            })
            .collect();
        settle(&mut kinds, "multi-search");
        Probe::multi(self.index.uid, kinds, json!({ "queries": queries }))
    }

    pub(super) fn federated(&mut self) -> Probe {
        let mut kinds = BTreeSet::new();
        let count = self.dice.between(1, 3);
        let directions = self.dice.percent(40).then(|| self.directions());
        // Queries of one index, which group its documents differently.
        let together = count > 1 && self.dice.percent(30);
        let queries: Vec<Value> = (0..count)
            .map(|_| {
                let mut making = if together { self.here() } else { self.anywhere() };
                let mut search = making.hits();
                if together && making.dice.percent(40) {
                    let filterable = making.index.filterable;
                    let distinct = *making.dice.pick(filterable);
                    search.set("federated, together", "distinct", distinct);
                }
                search.body.remove("sort");
                search.kinds.remove("sort");
                if let Some(directions) = &directions {
                    let sort = making.sort_in(directions);
                    search.set("federated, sorted", "sort", sort);
                }
                let mut query = making.query(search, &mut kinds);
                if making.dice.percent(40) {
                    let weight = making.dice.between(0, 30) as f64 / 10.0;
                    query["federationOptions"] = json!({ "weight": weight });
                }
                query
            })
            .collect();
        let mut federation = Map::new();
        match self.dice.below(4) {
            0 => {
                federation.insert("page".to_owned(), json!(self.dice.between(0, 4)));
                federation.insert("hitsPerPage".to_owned(), json!(self.dice.between(0, 20)));
            }
            1 => {
                federation.insert("offset".to_owned(), json!(self.dice.between(0, 40)));
                federation.insert("limit".to_owned(), json!(self.dice.between(0, 40)));
            }
            _ => {}
        }
        if self.dice.percent(40) {
            federation.insert("facetsByIndex".to_owned(), json!({ self.index.uid: self.facets() }));
            if self.dice.percent(50) {
                let most = self.dice.between(1, 20);
                federation.insert("mergeFacets".to_owned(), json!({ "maxValuesPerFacet": most }));
            }
        }
        if self.dice.percent(15) {
            federation.insert("distinct".to_owned(), json!(self.dice.pick(self.index.filterable)));
            kinds.insert("federated, distinct");
        }
        settle(&mut kinds, "federated");
        Probe::multi(self.index.uid, kinds, json!({ "federation": federation, "queries": queries }))
    }

    /// Directions of a sort: searches that do not sort in the same ones cannot be federated.
    fn directions(&mut self) -> Vec<&'static str> {
        let count = *self.dice.pick(&[1, 1, 2]);
        (0..count).map(|_| *self.dice.pick(&["asc", "desc"])).collect()
    }

    /// A sort in these directions, each by any attribute.
    fn sort_in(&mut self, directions: &[&str]) -> Value {
        let names = self.dice.some(self.index.sortable, directions.len());
        names.iter().zip(directions).map(|(name, direction)| json!(format!("{name}:{direction}"))).collect()
    }

    fn query(&mut self, search: Search, kinds: &mut BTreeSet<Kind>) -> Value {
        kinds.extend(search.kinds);
        let mut query = Value::from(search.body);
        query["indexUid"] = json!(self.index.uid);
        query
    }

    pub(super) fn similar(&mut self) -> Probe {
        let id = self.dice.pick(&self.vocabulary.ids).clone();
        let mut body = Map::from_iter([("id".to_owned(), id), ("embedder".to_owned(), json!("manual"))]);
        let mut set = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
        if self.dice.percent(40) {
            set("filter", self.filter());
        }
        if self.dice.percent(50) {
            set("offset", json!(self.dice.between(0, 15)));
            set("limit", json!(self.dice.between(0, 30)));
        }
        if self.dice.percent(30) {
            set("attributesToRetrieve", json!(self.names()));
        }
        if self.dice.percent(30) {
            set("rankingScoreThreshold", json!(self.dice.between(1, 9) as f64 / 10.0));
        }
        for name in ["showRankingScore", "showRankingScoreDetails", "retrieveVectors"] {
            if self.dice.percent(30) {
                set(name, json!(true));
            }
        }
        let mut probe = Probe::post(self.index.uid, "similar", "/similar", body.into());
        probe.kinds.insert(NO_WORDS);
        probe
    }
}

/// A request with words anywhere is one with words.
fn settle(kinds: &mut BTreeSet<Kind>, kind: Kind) {
    if kinds.contains(WORDS) {
        kinds.remove(NO_WORDS);
    } else {
        kinds.insert(NO_WORDS);
    }
    kinds.insert(kind);
}
