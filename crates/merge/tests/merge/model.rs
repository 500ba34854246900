//! A search engine of a few lines: documents with ranks, sort values and facets, and the answers that one node gives.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashSet},
};

use bytes::Bytes;
use proptest::prelude::*;

#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// Also its place in the order of insertion.
    pub(crate) id: u64,
    words: u8,
    typos: u8,
    sort: Sort,
    group: Option<u8>,
    genres: Vec<String>,
    year: Option<u16>,
    note: String,
}

/// Of mixed types, as documents are.
#[derive(Debug, Clone, PartialEq)]
enum Sort {
    Number(f64),
    Text(String),
    Missing,
}

#[derive(Debug, Clone)]
pub(crate) struct Search {
    ascending: bool,
    sort_first: bool,
    pub(crate) show_details: bool,
    pub(crate) max_values: usize,
}

pub(crate) fn documents() -> impl Strategy<Value = Vec<Document>> {
    let sort = prop_oneof![
        (-3..4i32).prop_map(|number| Sort::Number(f64::from(number) / 2.0)),
        "[a-c\"\\\\é]{1,2}".prop_map(Sort::Text),
        Just(Sort::Missing),
    ];
    let genres = proptest::collection::btree_set("[a-d]|x \"y\"|7|12", 0..3);
    let document = (
        1..3u8,
        0..3u8,
        sort,
        proptest::option::of(0..6u8),
        genres,
        proptest::option::of(1995..2005u16),
        "[ -~\\n{}\"\\\\é]{0,40}",
    );
    proptest::collection::vec(document, 0..80).prop_map(|documents| {
        let documents = documents.into_iter().zip(0..);
        documents
            .map(|((words, typos, sort, group, genres, year, note), id)| Document {
                id,
                words,
                typos,
                sort,
                group,
                genres: genres.into_iter().collect(),
                year,
                note,
            })
            .collect()
    })
}

pub(crate) fn search() -> impl Strategy<Value = Search> {
    (any::<bool>(), any::<bool>(), any::<bool>(), 0..12usize).prop_map(
        |(ascending, sort_first, show_details, max_values)| Search {
            ascending,
            sort_first,
            show_details,
            max_values,
        },
    )
}

/// The first document of each group.
pub(crate) fn distinct<'d>(documents: &[&'d Document]) -> Vec<&'d Document> {
    let mut seen = HashSet::new();
    documents
        .iter()
        .filter(|document| document.group.is_none_or(|group| seen.insert(group)))
        .copied()
        .collect()
}

pub(crate) fn order_sorted(left: &Document, right: &Document, ascending: bool) -> Ordering {
    left.sort.order(&right.sort, ascending).then(left.id.cmp(&right.id))
}

pub(crate) fn listing(documents: &[String], offset: usize, limit: usize, total: usize) -> String {
    format!(r#"{{"results":[{}],"offset":{offset},"limit":{limit},"total":{total}}}"#, documents.join(","))
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

impl Sort {
    fn order(&self, other: &Self, ascending: bool) -> Ordering {
        let order = match (self, other) {
            (Self::Number(left), Self::Number(right)) => left.total_cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Missing, Self::Missing) => Ordering::Equal,
            (Self::Missing, _) | (Self::Text(_), Self::Number(_)) => return Ordering::Greater,
            (_, Self::Missing) | (Self::Number(_), Self::Text(_)) => return Ordering::Less,
        };
        if ascending { order } else { order.reverse() }
    }

    fn json(&self) -> String {
        match self {
            Self::Number(number) => format!("{number:?}"),
            // As the engine sorts it: decomposed.
            Self::Text(text) => json(&text.replace('é', "e\u{301}")),
            Self::Missing => "null".to_owned(),
        }
    }
}

impl Document {
    pub(crate) fn shown(&self) -> String {
        format!("{{{}}}", self.members())
    }

    /// With the internal field, somewhere.
    pub(crate) fn stored(&self) -> String {
        let internal = format!(r#""_miroir":{{"s":["!;"],"n":"{}"}}"#, self.sequence());
        if self.id.is_multiple_of(2) {
            format!("{{{internal},{}}}", self.members())
        } else {
            format!("{{{},{internal}}}", self.members())
        }
    }

    fn members(&self) -> String {
        let or_null = |number: Option<u64>| number.map_or("null".to_owned(), |number| number.to_string());
        format!(
            r#""id":{},"note":{},"group":{},"genre":{},"year":{},"sort":{}"#,
            self.id,
            json(&self.note),
            or_null(self.group.map(u64::from)),
            serde_json::to_string(&self.genres).unwrap(),
            or_null(self.year.map(u64::from)),
            self.sort.json()
        )
    }

    fn sequence(&self) -> String {
        (0..32).map(|digit| char::from(b"!,:;"[(self.id >> (62 - 2 * digit) & 3) as usize])).collect()
    }
}

impl Search {
    /// Which document comes first.
    pub(crate) fn order(&self, left: &Document, right: &Document) -> Ordering {
        let words = right.words.cmp(&left.words);
        let typos = left.typos.cmp(&right.typos);
        let sort = left.sort.order(&right.sort, self.ascending);
        let rules = if self.sort_first { sort.then(words).then(typos) } else { words.then(typos).then(sort) };
        rules.then(left.id.cmp(&right.id))
    }

    fn details(&self, document: &Document) -> String {
        let direction = if self.ascending { "asc" } else { "desc" };
        let (words, typo, sort) = if self.sort_first { (1, 2, 0) } else { (0, 1, 2) };
        let mut rules = [
            (
                words,
                format!(
                    r#""words":{{"order":{words},"matchingWords":{0},"maxMatchingWords":3,"score":{1:?}}}"#,
                    document.words,
                    f64::from(document.words) / 3.0
                ),
            ),
            (
                typo,
                format!(
                    r#""typo":{{"order":{typo},"typoCount":{0},"maxTypoCount":4,"score":{1:?}}}"#,
                    document.typos,
                    f64::from(5 - document.typos) / 5.0
                ),
            ),
            (sort, format!(r#""sort:{direction}":{{"order":{sort},"value":{}}}"#, document.sort.json())),
        ];
        rules.sort();
        format!("{{{}}}", rules.map(|(_, rule)| rule).join(","))
    }

    /// What a node that holds `documents` answers.
    pub(crate) fn node_answer(&self, documents: &[&Document], limit: usize) -> Bytes {
        let hits: Vec<String> = documents
            .iter()
            .take(limit)
            .map(|document| {
                let stored = document.stored();
                format!(
                    r#"{},"_rankingScoreDetails":{}}}"#,
                    &stored[..stored.len() - 1],
                    self.details(document)
                )
            })
            .collect();
        let (distribution, stats) = self.facets(documents, usize::MAX, true);
        format!(
            r#"{{"hits":[{}],"query":"q","processingTimeMs":1,"limit":{limit},"offset":0,"estimatedTotalHits":{},"facetDistribution":{distribution},"facetStats":{stats}}}"#,
            hits.join(","),
            documents.len()
        )
        .into()
    }

    /// What the client gets of a search that found `found`; the facet stats are those of `counted`.
    pub(crate) fn client_answer(
        &self,
        page: &[&Document],
        found: &[&Document],
        counted: &[&Document],
        paging: &str,
    ) -> String {
        let (distribution, _) = self.facets(found, self.max_values, false);
        let (_, stats) = self.facets(counted, self.max_values, false);
        let hits: Vec<String> = page
            .iter()
            .map(|document| {
                let shown = document.shown();
                if self.show_details {
                    format!(
                        r#"{},"_rankingScoreDetails":{}}}"#,
                        &shown[..shown.len() - 1],
                        self.details(document)
                    )
                } else {
                    shown
                }
            })
            .collect();
        format!(
            r#"{{"hits":[{}],"query":"q","processingTimeMs":5,{paging},"facetDistribution":{distribution},"facetStats":{stats}}}"#,
            hits.join(",")
        )
    }

    /// A node names attributes that its documents have; strings that look like numbers are strings all the same.
    fn facets(&self, documents: &[&Document], max_values: usize, internal: bool) -> (String, String) {
        let (mut genres, mut years) = (BTreeMap::new(), BTreeMap::new());
        for document in documents {
            for genre in &document.genres {
                *genres.entry(genre.clone()).or_insert(0) += 1;
            }
            if let Some(year) = document.year {
                *years.entry(year.to_string()).or_insert(0) += 1;
            }
        }
        let values = |values: &BTreeMap<String, u32>| {
            let values =
                values.iter().take(max_values).map(|(value, count)| format!("{}:{count}", json(value)));
            values.collect::<Vec<_>>().join(",")
        };
        let bounds = years.first_key_value().zip(years.last_key_value());
        let bounds = bounds.map(|((min, _), (max, _))| format!(r#""year":{{"min":{min}.0,"max":{max}.0}}"#));
        let internal = if internal { r#""_miroir.s":{"!;":3},"# } else { "" };
        (
            format!(r#"{{{internal}"genre":{{{}}},"year":{{{}}}}}"#, values(&genres), values(&years)),
            format!("{{{}}}", bounds.unwrap_or_default()),
        )
    }
}
