//! `${NAME}` and `${NAME:-default}` in the file's values.

use crate::{
    ConfigError,
    tree::{Kind, Tree, join},
};

/// Where the values of variables come from; the process environment when a file is loaded.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Expands every value of the tree; keys stay as they are.
pub(crate) fn expand(tree: &mut Tree, path: &str, env: Env<'_>, errors: &mut Vec<ConfigError>) {
    let place = tree.place;
    match &mut tree.kind {
        Kind::Scalar(scalar) => match expand_text(&scalar.written, env) {
            Ok(text) => scalar.text = text,
            Err(problem) => {
                scalar.unknown = true;
                errors.push(ConfigError::new(place, path, problem.message).hint(problem.hint));
            }
        },
        Kind::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                expand(item, &format!("{path}[{index}]"), env, errors);
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                expand(&mut entry.value, &join(path, &entry.key), env, errors);
            }
        }
    }
}

#[derive(Debug, PartialEq)]
struct Problem {
    message: String,
    hint: String,
}

fn problem(message: String, hint: impl Into<String>) -> Problem {
    Problem { message, hint: hint.into() }
}

/// `$${` stands for `${` itself.
fn expand_text(text: &str, env: Env<'_>) -> Result<String, Problem> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let before = &rest[..start];
        let after = &rest[start + 2..];
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        expanded.push_str(before);
        let end =
            after.find('}').ok_or_else(|| problem("`${` is not closed".to_owned(), "a `}` is missing"))?;
        expanded.push_str(&variable(&after[..end], env)?);
        rest = &after[end + 1..];
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// As in a shell, the default also stands in for a variable that is set but empty.
fn variable(inside: &str, env: Env<'_>) -> Result<String, Problem> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let mut characters = name.chars();
    let starts_well = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let hint = "`${NAME}` or `${NAME:-default}`, the name of letters, digits and `_`; write `$${` for `${` itself";
        return Err(problem(format!("`{name}` is not the name of a variable"), hint));
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(problem(
            format!("the environment variable `{name}` is not set"),
            format!("set it, or give a default: `${{{name}:-default}}`"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, Problem> {
        expand_text(text, &|name| match name {
            "HOST" => Some("search".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn variables_are_replaced_anywhere_in_a_value() {
        assert_eq!(expanded("http://${HOST}:${PORT:-7700}/").as_deref(), Ok("http://search:7700/"));
        assert_eq!(expanded("${HOST}${HOST}").as_deref(), Ok("searchsearch"));
        assert_eq!(expanded("no $HOST { here }").as_deref(), Ok("no $HOST { here }"));
    }

    #[test]
    fn defaults_stand_in_for_what_is_missing_or_empty() {
        assert_eq!(expanded("${MISSING:-a:-b}").as_deref(), Ok("a:-b"));
        assert_eq!(expanded("${EMPTY:-x}").as_deref(), Ok("x"));
        assert_eq!(expanded("[${EMPTY}${MISSING:-}]").as_deref(), Ok("[]"));
    }

    #[test]
    fn a_doubled_dollar_is_kept_as_one() {
        assert_eq!(expanded("pa$${HOST}$$").as_deref(), Ok("pa${HOST}$$"));
    }

    #[test]
    fn what_cannot_be_expanded_is_an_error() {
        let message = |text| expanded(text).expect_err(text).message;
        assert_eq!(message("${MISSING}"), "the environment variable `MISSING` is not set");
        assert_eq!(message("a ${HOST"), "`${` is not closed");
        assert_eq!(message("${}"), "`` is not the name of a variable");
        assert_eq!(message("${1A:-x}"), "`1A` is not the name of a variable");
    }
}
