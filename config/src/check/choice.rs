//! Values that may be one of several things, such as an entry of the list of filters.

use serde_json::{Value, json};

use super::{Checker, allows, instead, scalar};
use crate::tree::{Entry, Kind, Tree};

/// The name of a branch that is a mapping of one key: `{ name: parameters }`.
fn name_of(branch: &Value) -> Option<&str> {
    let properties = branch.get("properties")?.as_object()?;
    let required = branch.get("required")?.as_array()?;
    match (properties.len(), required.as_slice()) {
        (1, [Value::String(name)]) => Some(name),
        _ => None,
    }
}

/// What an element of a list is called: an entry of `filters` is a `filter`.
fn noun(path: &str) -> &str {
    let list = path.strip_suffix(']').and_then(|path| path.rsplit_once('['));
    list.and_then(|(list, _)| list.rsplit('.').next()?.strip_suffix('s')).unwrap_or("value")
}

impl Checker<'_> {
    /// Checks a value against the branch that it was probably meant for.
    pub(super) fn choose(&mut self, tree: &Tree, branches: &[Value], path: &str) -> Value {
        let (nulls, branches): (Vec<&Value>, Vec<&Value>) = branches
            .iter()
            .map(|branch| self.resolve(branch))
            .partition(|branch| branch.get("type") == Some(&json!("null")));
        let null = !nulls.is_empty() || branches.iter().any(|branch| allows(branch, "null"));
        match &tree.kind {
            Kind::Scalar(scalar) if scalar.unknown || (null && scalar.is_null()) => return Value::Null,
            _ => {}
        }
        if let [only] = branches.as_slice() {
            return self.check(tree, only, path);
        }
        if branches.iter().all(|branch| scalar::words(branch).next().is_none() && name_of(branch).is_none()) {
            return self.try_all(tree, &branches, path);
        }
        self.choose_by_name(tree, &branches, path)
    }

    /// A word, or a mapping of one name to its parameters.
    fn choose_by_name(&mut self, tree: &Tree, branches: &[&Value], path: &str) -> Value {
        let words: Vec<&str> = branches.iter().flat_map(|branch| scalar::words(branch)).collect();
        let names = branches.iter().filter_map(|branch| name_of(branch));
        let mut allowed: Vec<&str> = words.iter().copied().chain(names).collect();
        allowed.sort_unstable();
        allowed.dedup();
        let noun = noun(path);
        let (place, problem, got) = match &tree.kind {
            Kind::Scalar(scalar) if words.contains(&scalar.text.as_str()) => return json!(scalar.text),
            Kind::Scalar(scalar) => {
                (tree.place, format!("unknown {noun} `{}`", scalar.written), scalar.text.as_str())
            }
            Kind::Map(entries) => match entries.as_slice() {
                [Entry { key, place, .. }] => {
                    match branches.iter().find(|branch| name_of(branch) == Some(key)) {
                        Some(branch) => return self.check(tree, branch, path),
                        None => (*place, format!("unknown {noun} `{key}`"), key.as_str()),
                    }
                }
                [first, second, ..] => {
                    let hint = "indent it if it is a parameter, begin a new entry with `-` if it is not";
                    let message = format!("`{}` stands beside `{}`", second.key, first.key);
                    return self.error(second.place, path, message, hint);
                }
                [] => (tree.place, format!("the {noun} is empty"), ""),
            },
            Kind::List(_) => (tree.place, format!("expected a {noun}, got a list"), ""),
        };
        self.error(place, path, problem, instead(got, &allowed))
    }

    /// The first branch without errors; where there is none, the one with the fewest.
    fn try_all(&mut self, tree: &Tree, branches: &[&Value], path: &str) -> Value {
        let mut best: Option<(Value, Checker<'_>)> = None;
        for branch in branches {
            let mut trial = Checker::new(self.root, Vec::new());
            let value = trial.check(tree, branch, path);
            if best.as_ref().is_none_or(|(_, best)| trial.errors.len() < best.errors.len()) {
                best = Some((value, trial));
            }
        }
        let Some((value, best)) = best else { return Value::Null };
        self.errors.extend(best.errors);
        self.hidden.extend(best.hidden);
        value
    }
}
