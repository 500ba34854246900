//! Requests for documents.

use serde_json::{Map, Value, json};

use super::Making;
use crate::probe::Probe;

impl Making<'_> {
    pub(super) fn documents(&mut self) -> Probe {
        let uid = self.index.uid;
        match self.dice.below(6) {
            0 => {
                let (offset, limit) = (self.dice.between(0, 1_500), self.dice.between(0, 40));
                let fields = self.names().join(",");
                let path = format!("/documents?offset={offset}&limit={limit}&fields={fields}");
                Probe::get(uid, "list documents", &path)
            }
            1 => {
                let id = self.id();
                Probe::get(uid, "get a document", &format!("/documents/{}", plain(&id)))
            }
            2 => Probe::get(uid, "index stats", "/stats"),
            _ => Probe::post(uid, "fetch documents", "/documents/fetch", self.fetch()),
        }
    }

    fn fetch(&mut self) -> Value {
        let mut body = Map::new();
        let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
        if self.dice.percent(50) {
            set("filter", self.filter());
        }
        if self.dice.percent(50) {
            set("sort", self.sort());
        }
        if self.dice.percent(20) {
            let count = self.dice.between(0, 6);
            let mut ids: Vec<Value> = (0..count).map(|_| self.id()).collect();
            if self.dice.percent(20) {
                ids.extend(ids.first().cloned());
            }
            set("ids", json!(ids));
        }
        if self.dice.percent(50) {
            let mut names = self.names();
            if self.dice.percent(15) {
                names.push("*".to_owned());
            }
            set("fields", json!(names));
        }
        if self.dice.percent(70) {
            set("offset", json!(self.dice.between(0, 200)));
            set("limit", json!(self.dice.between(0, 60)));
        }
        body.into()
    }

    /// An id, sometimes as a text where it is a number, sometimes of no document.
    fn id(&mut self) -> Value {
        let id = self.dice.pick(&self.vocabulary.ids).clone();
        match self.dice.below(10) {
            0 => json!("nobody"),
            1 => json!(plain(&id)),
            _ => id,
        }
    }
}

fn plain(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}
