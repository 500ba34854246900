//! Values that may be one of several things, such as an entry of the list of filters.

use serde_json::{Value, json};

use super::{Checker, allows, instead, scalar};
use crate::tree::{Kind, Tree};

/// The name of a branch that is a mapping of one key: `{ name: parameters }`.
fn name_of(branch: &Value) -> Option<&str> {
    let properties = branch.get("properties")?.as_object()?;
    let required = branch.get("required")?.as_array()?;
    match (properties.len(), required.as_slice()) {
        (1, [Value::String(name)]) => Some(name),
        _ => None,
    }
}

impl Checker<'_> {
    /// Checks a value against the branch that it was probably meant for.
    pub(super) fn choose(&mut self, tree: &Tree, branches: &[Value], path: &str) -> Value {
        let branches: Vec<&Value> = branches.iter().map(|branch| self.resolve(branch)).collect();
        let null = branches.iter().any(|branch| allows(branch, "null"));
        let branches: Vec<&Value> =
            branches.into_iter().filter(|branch| branch.get("type") != Some(&json!("null"))).collect();
        match &tree.kind {
            Kind::Scalar(scalar) if scalar.unknown || (null && scalar.is_null()) => return Value::Null,
            _ => {}
        }
        if let [only] = branches.as_slice() {
            return self.check(tree, only, path);
        }
        let words: Vec<&str> = branches.iter().flat_map(|branch| scalar::words(branch)).collect();
        let names: Vec<&str> = branches.iter().filter_map(|branch| name_of(branch)).collect();
        if words.is_empty() && names.is_empty() {
            return self.try_all(tree, &branches, path);
        }
        let mut allowed: Vec<&str> = words.iter().chain(&names).copied().collect();
        allowed.sort_unstable();
        allowed.dedup();
        match &tree.kind {
            Kind::Scalar(scalar) if words.contains(&scalar.text.as_str()) => json!(scalar.text),
            Kind::Scalar(scalar) if names.contains(&scalar.text.as_str()) => {
                let (message, hint) =
                    (format!("`{}` needs parameters", scalar.text), format!("{}: ...", scalar.text));
                self.error(tree.place, path, message, format!("write `{hint}` with its keys below"))
            }
            Kind::Scalar(scalar) => {
                let hint = instead(&scalar.text, &allowed);
                self.error(tree.place, path, format!("unknown name `{}`", scalar.written), hint)
            }
            Kind::Map(entries) => match entries.as_slice() {
                [entry] => match branches.iter().find(|branch| name_of(branch) == Some(&entry.key)) {
                    Some(branch) => self.check(tree, branch, path),
                    None if words.contains(&entry.key.as_str()) => {
                        let hint = format!("write `{}` without `:`", entry.key);
                        self.error(entry.place, path, format!("`{}` has no parameters", entry.key), hint)
                    }
                    None => {
                        let hint = instead(&entry.key, &allowed);
                        self.error(entry.place, path, format!("unknown name `{}`", entry.key), hint)
                    }
                },
                [_, second, ..] => {
                    let hint = "is a `-` missing before it, or is it indented too little?";
                    self.error(second.place, path, "one entry holds two names", hint)
                }
                [] => self.error(tree.place, path, "a name is missing", instead("", &allowed)),
            },
            Kind::List(_) => {
                self.error(tree.place, path, "expected a name, got a list", instead("", &allowed))
            }
        }
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
