//! One request that both sides are asked.

use std::collections::BTreeSet;

use miroir_tests::{Answer, Client};
use serde_json::{Value, json};

/// What a request is about, for the report: one request may be of several kinds.
pub(crate) type Kind = &'static str;

/// Searches with words.
pub(crate) const WORDS: Kind = "words";
/// Searches without words.
pub(crate) const NO_WORDS: Kind = "no words";

/// A request, replayable.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) index: String,
    pub(crate) kinds: BTreeSet<Kind>,
    /// `GET` where there is no body.
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
}

impl Probe {
    pub(crate) fn search(index: &str, kinds: BTreeSet<Kind>, body: Value) -> Self {
        Self { index: index.to_owned(), kinds, path: format!("/indexes/{index}/search"), body: Some(body) }
    }

    pub(crate) fn post(index: &str, kind: Kind, path: &str, body: Value) -> Self {
        let path = format!("/indexes/{index}{path}");
        Self { index: index.to_owned(), kinds: [kind].into(), path, body: Some(body) }
    }

    /// Several searches in one request, in one index.
    pub(crate) fn multi(index: &str, kinds: BTreeSet<Kind>, body: Value) -> Self {
        Self { index: index.to_owned(), kinds, path: "/multi-search".to_owned(), body: Some(body) }
    }

    pub(crate) fn get(index: &str, kind: Kind, path: &str) -> Self {
        let path = format!("/indexes/{index}{path}");
        Self { index: index.to_owned(), kinds: [kind].into(), path, body: None }
    }

    pub(crate) fn ask(&self, client: &Client) -> Answer {
        match &self.body {
            Some(body) => client.post(&self.path).json(body).send(),
            None => client.get(&self.path).send(),
        }
    }

    /// One line of a file for `MIROIR_REPLAY`.
    pub(crate) fn line(&self) -> String {
        json!({ "index": self.index, "path": self.path, "body": self.body, "words": self.has_words() })
            .to_string()
    }

    pub(crate) fn from_line(line: &str) -> Self {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let kind = if value["words"] == true { WORDS } else { NO_WORDS };
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        Self {
            index: text("index"),
            kinds: [kind].into(),
            path: text("path"),
            body: Some(value["body"].clone()).filter(|body| !body.is_null()),
        }
    }

    pub(crate) fn has_words(&self) -> bool {
        self.kinds.contains(WORDS)
    }

    /// Whether totals are exhaustive: one search, or one list of several, paged by `page`.
    pub(crate) fn is_paged(&self) -> bool {
        let pages = |body: &Value| body.get("page").is_some() || body.get("hitsPerPage").is_some();
        match &self.body {
            Some(body) if self.is_multi() => pages(&body["federation"]),
            _ => self.has("page") || self.has("hitsPerPage"),
        }
    }

    /// Whether anything is asked in this index.
    pub(crate) fn is_about(&self, index: &str) -> bool {
        let queries = self.body.as_ref().and_then(|body| body["queries"].as_array());
        match queries.filter(|_| self.is_multi()) {
            Some(queries) => queries.iter().any(|query| query["indexUid"] == index),
            None => self.index == index,
        }
    }

    /// Whether several searches are asked at once.
    pub(crate) fn is_multi(&self) -> bool {
        self.path == "/multi-search"
    }

    /// The attributes by which hits are grouped.
    pub(crate) fn distinct(&self) -> Vec<&str> {
        let mut names = Vec::new();
        if let Some(body) = &self.body {
            let queries = body["queries"].as_array().into_iter().flatten();
            let asked = queries.chain([body, &body["federation"]]);
            names.extend(asked.filter_map(|query| query["distinct"].as_str()));
        }
        for (index, name) in [("grouped", "director"), ("shelf", "group.name")] {
            if self.is_about(index) {
                names.push(name);
            }
        }
        names
    }

    /// Whether the request has this parameter, in its body or in its query string.
    pub(crate) fn has(&self, name: &str) -> bool {
        let by_url = |separator| self.path.contains(&format!("{separator}{name}="));
        let in_body = |body: &Value| {
            let mut queries = body["queries"].as_array().into_iter().flatten();
            body.get(name).is_some() || queries.any(|query| query.get(name).is_some())
        };
        by_url('?') || by_url('&') || self.body.as_ref().is_some_and(in_body)
    }
}
