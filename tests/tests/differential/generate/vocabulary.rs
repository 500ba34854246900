//! What the documents of an index hold: words to search and values to filter by.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::indexes::Index;

/// Words and values, in the order of the documents.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    /// Whole values of the attributes with words.
    pub(crate) texts: Vec<String>,
    /// Values of each attribute that can be filtered on, as often as they occur.
    pub(crate) values: BTreeMap<&'static str, Vec<Value>>,
    /// Ids.
    pub(crate) ids: Vec<Value>,
    /// Names of top-level attributes.
    pub(crate) names: Vec<String>,
}

impl Vocabulary {
    pub(crate) fn of(index: &Index) -> Self {
        let documents = index.documents();
        let mut values = BTreeMap::<_, Vec<Value>>::new();
        let mut texts = Vec::new();
        for document in &documents {
            for name in index.filterable.iter().chain(index.sortable) {
                values.entry(*name).or_default().extend(scalars(&lookup(document, name)));
            }
            for name in index.texts {
                let found = scalars(&lookup(document, name));
                texts.extend(found.iter().filter_map(Value::as_str).map(str::to_owned));
            }
        }
        texts.retain(|text| !text.trim().is_empty());
        let names = documents.first().and_then(Value::as_object).into_iter().flat_map(|first| first.keys());
        Self {
            texts,
            values,
            ids: documents.iter().map(|document| document[index.primary_key].clone()).collect(),
            names: names.cloned().collect(),
        }
    }
}

/// What is at a path, through arrays too.
fn lookup(value: &Value, path: &str) -> Value {
    match path.split_once('.') {
        Some((name, rest)) if value.get(path).is_none() => lookup(&at(value, name), rest),
        _ => at(value, path),
    }
}

fn at(value: &Value, name: &str) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| at(item, name)).collect(),
        value => value[name].clone(),
    }
}

fn scalars(value: &Value) -> Vec<Value> {
    match value {
        Value::Null | Value::Object(_) => Vec::new(),
        Value::Array(items) => items.iter().flat_map(scalars).collect(),
        scalar => vec![scalar.clone()],
    }
}
