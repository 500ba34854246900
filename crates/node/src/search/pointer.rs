//! Fields of a document by paths like `author.name`, which reach through objects and arrays, and which also name a
//! field that has dots in its own name.

use std::collections::HashSet;

use serde_json::{Map, Value};

const SEPARATOR: char = '.';

type Document = Map<String, Value>;

/// Whether `path` is `ancestor` or lies below it.
fn is_within(path: &str, ancestor: &str) -> bool {
    path.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with(SEPARATOR))
}

/// The document with the selected fields only.
pub(crate) fn select_values<'a>(document: Document, paths: impl IntoIterator<Item = &'a str>) -> Document {
    select(document, paths.into_iter().collect())
}

fn select(document: Document, mut paths: HashSet<&str>) -> Document {
    let mut selected = Map::new();
    for (name, value) in document {
        if !name.contains(SEPARATOR) && paths.remove(name.as_str()) {
            selected.insert(name, value);
            continue;
        }
        let below: HashSet<&str> = paths
            .iter()
            .filter_map(|path| path.strip_prefix(name.as_str())?.strip_prefix(SEPARATOR))
            .collect();
        match value {
            value if below.is_empty() && paths.contains(name.as_str()) => drop(selected.insert(name, value)),
            _ if below.is_empty() => {}
            Value::Object(object) => drop(selected.insert(name, select(object, below).into())),
            Value::Array(values) => drop(selected.insert(name, select_in_array(values, &below).into())),
            _ => {}
        }
    }
    selected
}

fn select_in_array(values: Vec<Value>, paths: &HashSet<&str>) -> Vec<Value> {
    values
        .into_iter()
        .filter_map(|value| match value {
            Value::Array(values) => Some(select_in_array(values, paths).into()),
            Value::Object(object) => {
                let selected = select(object, paths.clone());
                (!selected.is_empty()).then(|| selected.into())
            }
            _ => None,
        })
        .collect()
}

/// Calls `visit` with every value that is neither object nor array in the selected fields: its path, its place in
/// the arrays around it, and the value.
pub(super) fn map_leaves(
    document: &mut Document,
    paths: &[&str],
    visit: &mut impl FnMut(&str, &[usize], &mut Value),
) {
    let mut walk = Walk { paths, visit, indices: Vec::new() };
    walk.object(document, "");
}

struct Walk<'a, F> {
    paths: &'a [&'a str],
    visit: &'a mut F,
    indices: Vec<usize>,
}

impl<F: FnMut(&str, &[usize], &mut Value)> Walk<'_, F> {
    fn object(&mut self, object: &mut Document, parent: &str) {
        for (name, value) in object.iter_mut() {
            let path = if parent.is_empty() { name.clone() } else { format!("{parent}{SEPARATOR}{name}") };
            if self.paths.iter().any(|wanted| is_within(wanted, &path) || is_within(&path, wanted)) {
                self.value(value, &path);
            }
        }
    }

    fn value(&mut self, value: &mut Value, path: &str) {
        match value {
            Value::Object(object) => self.object(object, path),
            Value::Array(values) => {
                for (index, value) in values.iter_mut().enumerate() {
                    self.indices.push(index);
                    self.value(value, path);
                    self.indices.pop();
                }
            }
            leaf => (self.visit)(path, &self.indices, leaf),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{map_leaves, select_values};

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("{other} is not an object"),
        }
    }

    fn selected(document: Value, paths: &[&str]) -> Value {
        select_values(object(document), paths.iter().copied()).into()
    }

    #[test]
    fn nested_fields_keep_their_parents() {
        let document = json!({ "a": { "b": 1, "c": 2 }, "d": 3 });
        assert_eq!(selected(document.clone(), &["a.b"]), json!({ "a": { "b": 1 } }));
        assert_eq!(selected(document.clone(), &["a"]), json!({ "a": { "b": 1, "c": 2 } }));
        assert_eq!(selected(document, &["a.x"]), json!({ "a": {} }));
    }

    #[test]
    fn name_with_a_dot_is_found_as_such() {
        assert_eq!(
            selected(json!({ "a.b": 1, "a": { "b": 2 } }), &["a.b"]),
            json!({ "a.b": 1, "a": { "b": 2 } })
        );
    }

    #[test]
    fn objects_in_arrays_are_selected_from() {
        let document = json!({ "a": [{ "b": 1 }, { "c": 2 }, 3] });
        assert_eq!(selected(document, &["a.b"]), json!({ "a": [{ "b": 1 }] }));
    }

    #[test]
    fn leaves_come_with_path_and_places() {
        let mut document = object(json!({ "a": [["x"], "y"], "b": { "c": "z" }, "d": "no" }));
        let mut seen = Vec::new();
        map_leaves(&mut document, &["a", "b.c"], &mut |path, indices, value| {
            seen.push((path.to_owned(), indices.to_vec(), value.take()));
        });
        let expected = [
            ("a".to_owned(), vec![0, 0], json!("x")),
            ("a".to_owned(), vec![1], json!("y")),
            ("b.c".to_owned(), vec![], json!("z")),
        ];
        assert_eq!(seen, expected);
    }
}
