//! Conditions with `!=`, and how to say the same with `NOT`.
//!
//! By `archived != true`, Meilisearch finds nothing where no document of the index ever had the attribute, and by
//! `NOT archived = true` everything; where one had, the two are the same.

use std::{collections::BTreeSet, ops::Range};

use serde::Deserialize;
use serde_json::Value;

/// What a node says of the fields of an index: those that any of its documents ever had.
#[derive(Debug, Deserialize)]
pub struct KnownFields {
    results: Vec<Field>,
}

#[derive(Debug, Deserialize)]
struct Field {
    name: String,
}

// === impl KnownFields ===

impl KnownFields {
    /// Their names.
    pub fn into_names(self) -> impl Iterator<Item = String> {
        self.results.into_iter().map(|field| field.name)
    }
}

/// The attributes of which a filter says `!=`.
pub fn unequal_attributes(filter: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect(filter, &mut names);
    names
}

/// The filter with `NOT … =` for every `!=` of attributes that `is_told_apart` is true of; `None` where there are none.
pub fn with_not(filter: &Value, is_told_apart: impl Fn(&str) -> bool) -> Option<Value> {
    replaced(filter, &is_told_apart)
}

fn collect(filter: &Value, names: &mut BTreeSet<String>) {
    match filter {
        Value::String(text) if text.contains("!=") => {
            names.extend(conditions(text).into_iter().map(|condition| condition.name));
        }
        Value::Array(terms) => terms.iter().for_each(|term| collect(term, names)),
        _ => {}
    }
}

fn replaced(filter: &Value, is_uneven: &impl Fn(&str) -> bool) -> Option<Value> {
    match filter {
        Value::String(text) => {
            let mut out = text.clone();
            for condition in conditions(text).iter().rev().filter(|condition| is_uneven(&condition.name)) {
                out.replace_range(condition.operator.clone(), "=");
                out.insert_str(condition.start, "NOT ");
            }
            (out != *text).then(|| out.into())
        }
        Value::Array(terms) => {
            let new: Vec<Option<Value>> = terms.iter().map(|term| replaced(term, is_uneven)).collect();
            let both = || terms.iter().zip(&new);
            let terms = both().map(|(old, new)| new.as_ref().unwrap_or(old).clone());
            new.iter().any(Option::is_some).then(|| terms.collect())
        }
        _ => None,
    }
}

/// A condition with `!=`: where it starts, and its operator.
struct Condition {
    start: usize,
    operator: Range<usize>,
    name: String,
}

/// The conditions with `!=` of an expression.
fn conditions(text: &str) -> Vec<Condition> {
    let (mut found, mut last) = (Vec::new(), None::<Range<usize>>);
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let len = token(rest);
        match rest.chars().next() {
            Some(space) if space.is_whitespace() => {}
            Some('!') if rest.starts_with("!=") => {
                if let Some(word) = last.take() {
                    let name = text.get(word.clone()).unwrap_or_default();
                    let name = name.trim_matches(['"', '\'']).replace('\\', "");
                    found.push(Condition { start: word.start, operator: at..at + 2, name });
                }
            }
            Some('!' | '=' | '<' | '>' | '(' | ')' | '[' | ']' | ',') => last = None,
            _ => last = Some(at..at + len),
        }
        at += len;
    }
    found
}

/// The length of what a text begins with: a word, something in quotes, `!=`, or another character.
fn token(text: &str) -> usize {
    let mut letters = text.char_indices();
    let Some((_, first)) = letters.next() else { return 0 };
    let is_word = |letter: char| !letter.is_whitespace() && !"!=<>()[],\"'".contains(letter);
    match first {
        '"' | '\'' => {
            let mut is_escaped = false;
            let end = letters.find(|(_, letter)| {
                let ends = *letter == first && !is_escaped;
                is_escaped = *letter == '\\' && !is_escaped;
                ends
            });
            end.map_or(text.len(), |(at, _)| at + 1)
        }
        '!' if text.starts_with("!=") => 2,
        letter if is_word(letter) => text.find(|letter| !is_word(letter)).unwrap_or(text.len()),
        letter => letter.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(filter: Value, uneven: &[&str]) -> Value {
        replaced(&filter, &|name| uneven.contains(&name)).unwrap_or(filter)
    }

    #[test]
    fn what_is_not_equal_is_not_what_is_equal() {
        for (said, sent) in [
            ("a != 1", "NOT a = 1"),
            (
                "b = 1 AND a!='x != y' OR NOT (a != \"q\\\" a != 2\")",
                "b = 1 AND NOT a='x != y' OR NOT (NOT a = \"q\\\" a != 2\")",
            ),
            ("'a' != 1", "NOT 'a' = 1"),
            ("b != 1 AND x = 'a != 2'", "b != 1 AND x = 'a != 2'"),
            ("é.ü != 1 AND a\u{a0}!= 2", "é.ü != 1 AND NOT a\u{a0}= 2"),
            ("a ! = 1", "a ! = 1"),
            ("a IN [a != 1", "a IN [NOT a = 1"),
            ("!= a", "!= a"),
            ("a = 'x", "a = 'x"),
        ] {
            assert_eq!(asked(json!(said), &["a"]), json!(sent));
        }
        let terms = json!(["b != 1", ["c = 1", "a != 2"], 7]);
        assert_eq!(asked(terms, &["a"]), json!(["b != 1", ["c = 1", "NOT a = 2"], 7]));
    }
}
