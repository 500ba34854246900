//! Holds the tree of a file against its schema and collects everything that is wrong.

mod choice;
mod scalar;

use serde_json::{Map, Value};

use crate::{
    ConfigError,
    tree::{Entry, Kind, Place, Tree, join},
};

/// Walks tree and schema side by side. What it returns is typed as the schema wants it; where an error was found,
/// the value is of no use.
pub(crate) struct Checker<'a> {
    root: &'a Value,
    errors: Vec<ConfigError>,
    hidden: Vec<Place>,
}

/// The schema behind a chain of references, and whether `kind` is one of the types it allows.
fn allows(schema: &Value, kind: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == kind,
        Some(Value::Array(several)) => several.iter().any(|one| one == kind),
        _ => false,
    }
}

/// Whether a schema takes anything.
fn is_open(schema: &Value) -> bool {
    let says = ["type", "enum", "const", "anyOf", "oneOf", "$ref"];
    !says.iter().any(|word| schema.get(word).is_some())
}

/// The word of `allowed` that was probably meant.
fn meant<'a>(word: &str, allowed: &[&'a str]) -> Option<&'a str> {
    let closeness = |other: &str| strsim::normalized_damerau_levenshtein(&word.to_lowercase(), other);
    let best = allowed.iter().max_by(|a, b| closeness(a).total_cmp(&closeness(b)))?;
    (closeness(best) >= 0.6).then_some(*best)
}

/// What could stand in place of `word`.
fn instead(word: &str, allowed: &[&str]) -> String {
    let all = format!("allowed here: {}", allowed.join(", "));
    match meant(word, allowed) {
        Some(meant) => format!("did you mean `{meant}`? {all}"),
        None => all,
    }
}

// === impl Checker ===

impl<'a> Checker<'a> {
    /// Adds to the errors found so far.
    pub(crate) fn new(root: &'a Value, errors: Vec<ConfigError>) -> Self {
        Self { root, errors, hidden: Vec::new() }
    }

    /// All errors, and where secrets stand.
    pub(crate) fn finish(self) -> (Vec<ConfigError>, Vec<Place>) {
        (self.errors, self.hidden)
    }

    /// Checks one value and all below it.
    pub(crate) fn check(&mut self, tree: &Tree, schema: &Value, path: &str) -> Value {
        let schema = self.resolve(schema);
        if let Some(Value::Array(branches)) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
            return self.choose(tree, branches, path);
        }
        match &tree.kind {
            Kind::Scalar(scalar) if scalar.unknown => Value::Null,
            Kind::Scalar(scalar) if scalar.is_null() => self.nothing(tree, schema, path),
            Kind::Scalar(scalar) => self.scalar(tree.place, scalar, schema, path),
            Kind::List(items) if allows(schema, "array") || is_open(schema) => {
                self.list(tree, items, schema, path)
            }
            Kind::Map(entries) if allows(schema, "object") || is_open(schema) => {
                self.map(tree.place, entries, schema, path)
            }
            Kind::List(_) => self.wrong_kind(tree, schema, path, "a list"),
            Kind::Map(_) => self.wrong_kind(tree, schema, path, "a mapping"),
        }
    }

    fn resolve<'s>(&self, mut schema: &'s Value) -> &'s Value
    where
        'a: 's,
    {
        while let Some(Value::String(reference)) = schema.get("$ref") {
            match reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)) {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }

    fn error(
        &mut self,
        place: Place,
        path: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Value {
        self.errors.push(ConfigError::new(place, path, message).hint(hint));
        Value::Null
    }

    /// Whether a key takes a secret, be it required or not.
    fn is_secret(&self, schema: &Value) -> bool {
        let branches = schema.get("anyOf").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        branches.iter().chain([schema]).any(|schema| scalar::is_secret(self.resolve(schema)))
    }

    fn wrong_kind(&mut self, tree: &Tree, schema: &Value, path: &str, got: &str) -> Value {
        if scalar::is_secret(schema) {
            self.hidden.push(tree.place);
        }
        let expected = scalar::expected(schema);
        self.errors.push(ConfigError::new(tree.place, path, format!("expected {expected}, got {got}")));
        Value::Null
    }

    /// A key without a value: a section in which every line is commented out is an empty section.
    fn nothing(&mut self, tree: &Tree, schema: &Value, path: &str) -> Value {
        if allows(schema, "null") || is_open(schema) {
            Value::Null
        } else if allows(schema, "object") {
            self.map(tree.place, &[], schema, path)
        } else {
            let expected = scalar::expected(schema);
            self.error(
                tree.place,
                path,
                "a value is missing",
                format!("expected {expected}; or leave the key out"),
            )
        }
    }

    fn list(&mut self, tree: &Tree, items: &[Tree], schema: &Value, path: &str) -> Value {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        if (items.len() as u64) < least {
            self.error(tree.place, path, "the list is empty", format!("at least {least} must be given"));
        }
        let of_item = schema.get("items").unwrap_or(&Value::Bool(true));
        let check = |(index, item)| self.check(item, of_item, &format!("{path}[{index}]"));
        Value::Array(items.iter().enumerate().map(check).collect())
    }

    fn map(&mut self, place: Place, entries: &[Entry], schema: &Value, path: &str) -> Value {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let others = schema.get("additionalProperties").unwrap_or(&Value::Bool(true));
        let mut value = Map::new();
        for Entry { key, place, value: tree } in entries {
            let path = join(path, key);
            let of_key = match properties.get(key) {
                Some(known) => known,
                None if *others == Value::Bool(false) => {
                    let mut allowed: Vec<&str> = properties.keys().map(String::as_str).collect();
                    allowed.sort_unstable();
                    if meant(key, &allowed).is_some_and(|meant| self.is_secret(&properties[meant])) {
                        self.hidden.push(tree.place);
                    }
                    let hint = instead(key, &allowed);
                    self.error(*place, &path, format!("unknown key `{key}`"), hint);
                    continue;
                }
                None => others,
            };
            value.insert(key.clone(), self.check(tree, of_key, &path));
        }
        let required = schema.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for key in required.iter().filter_map(Value::as_str).filter(|key| !value.contains_key(*key)) {
            let of_key = properties.get(key).unwrap_or(&Value::Null);
            let description =
                of_key.get("description").and_then(Value::as_str).unwrap_or("It has no default.");
            let hint = format!("{description} Expected: {}", scalar::expected(self.resolve(of_key)));
            self.error(place, path, format!("`{key}` is missing"), hint);
        }
        Value::Object(value)
    }
}
