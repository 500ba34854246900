//! Which documents a read can find, where its filter says so by their ids: only the owners of these have to be asked.
//!
//! Only what is surely understood counts; anything else means every document. A node compares more than it seems to: a
//! string in any case and composition, a number by its value. So only ids of digits, `-` and `_` are taken, which no other
//! id is equal to: an id with a letter could be meant in either case, and its twin is in another slot.

mod token;

use std::collections::BTreeSet;

use miroir_protocol::document::id_text;
use miroir_shard::Slot;
use serde_json::Value;

use self::token::{Token, tokens};

/// Longer numbers are equal to others: nodes compare them as floating-point numbers.
const EXACT_DIGITS: usize = 15;

/// As deep as brackets may be for a node; it refuses what is deeper.
const MAX_DEPTH: usize = 150;

/// The only ids a read can find; `None` for any.
type Ids = Option<BTreeSet<String>>;

/// The slots of the documents that a filter can match; `None` for any.
pub(super) fn slots_of_filter(filter: Option<&Value>, primary_key: Option<&str>) -> Option<Vec<Slot>> {
    // A dotted name may be another member of the document too.
    let primary_key = primary_key.filter(|name| !name.contains('.'))?;
    slots(ids_of_filter(filter?, primary_key)?.iter().map(String::as_str))
}

/// The slots of the documents with these ids; `None` where one is not an id.
pub(super) fn slots_of_ids(ids: &[Value]) -> Option<Vec<Slot>> {
    let ids: Option<Vec<String>> = ids.iter().map(|id| id_text(id).ok()).collect();
    slots(ids?.iter().map(String::as_str))
}

fn slots<'a>(ids: impl Iterator<Item = &'a str>) -> Option<Vec<Slot>> {
    Some(ids.map(Slot::of).collect())
}

/// A filter is an expression, or a list of which all have to match; in it, lists of which one has to.
fn ids_of_filter(filter: &Value, primary_key: &str) -> Ids {
    match filter {
        Value::Array(terms) => terms.iter().fold(None, |ids, term| {
            both(
                ids,
                match term {
                    Value::Array(choices) => {
                        any_of(choices.iter().map(|choice| ids_of_text(choice, primary_key)))
                    }
                    text => ids_of_text(text, primary_key),
                },
            )
        }),
        text => ids_of_text(text, primary_key),
    }
}

fn ids_of_text(filter: &Value, primary_key: &str) -> Ids {
    let tokens = tokens(filter.as_str()?)?;
    // Every bracket costs stack, and a look at all that is within it.
    (depth_of(&tokens) <= MAX_DEPTH).then(|| ids_of_expression(&tokens, primary_key))?
}

/// How many brackets are open at once, at most.
fn depth_of(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0_usize;
    tokens
        .iter()
        .map(|token| {
            match token {
                Token::Open(_) => depth += 1,
                Token::Close(_) => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth
        })
        .max()
        .unwrap_or_default()
}

fn ids_of_expression(tokens: &[Token<'_>], primary_key: &str) -> Ids {
    let choices = split(tokens, Token::Word("OR"));
    any_of(choices.into_iter().map(|choice| {
        let terms = split(choice, Token::Word("AND"));
        terms.into_iter().fold(None, |ids, term| both(ids, ids_of_term(term, primary_key)))
    }))
}

fn ids_of_term(term: &[Token<'_>], primary_key: &str) -> Ids {
    let is_key =
        |token: &Token<'_>| *token == Token::Word(primary_key) || *token == Token::Quoted(primary_key);
    match term {
        [Token::Open('('), inner @ .., Token::Close(')')] if is_balanced(inner) => {
            ids_of_expression(inner, primary_key)
        }
        [key, Token::Operator("="), value] if is_key(key) => Some(BTreeSet::from([exact_id(value)?])),
        [key, Token::Word("IN"), Token::Open('['), values @ .., Token::Close(']')] if is_key(key) => {
            let values = values.strip_suffix(&[Token::Comma]).unwrap_or(values);
            if values.is_empty() {
                return Some(BTreeSet::new());
            }
            values
                .split(|token| *token == Token::Comma)
                .map(|value| match value {
                    [value] => exact_id(value),
                    _ => None,
                })
                .collect()
        }
        _ => None,
    }
}

/// The id that a value is equal to, if it is equal to that one only.
fn exact_id(value: &Token<'_>) -> Option<String> {
    let (Token::Word(text) | Token::Quoted(text)) = *value else { return None };
    let is_plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if text.is_empty() || !text.bytes().all(is_plain) {
        return None;
    }
    // `01` is equal to `1` as a number.
    let is_canonical = text.parse::<i64>().map_or_else(
        |_| text.parse::<f64>().is_err(),
        |number| number.to_string() == *text && text.len() <= EXACT_DIGITS,
    );
    is_canonical.then(|| text.to_owned())
}

/// The parts between separators that are in no brackets.
fn split<'t, 'a>(tokens: &'t [Token<'a>], separator: Token<'_>) -> Vec<&'t [Token<'a>]> {
    let mut depth = 0_usize;
    tokens
        .split(|token| {
            match token {
                Token::Open(_) => depth += 1,
                Token::Close(_) => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && *token == separator
        })
        .collect()
}

/// Whether every bracket that is opened here is closed here, and the other way round.
fn is_balanced(tokens: &[Token<'_>]) -> bool {
    let depth = tokens.iter().try_fold(0_usize, |depth, token| match token {
        Token::Open(_) => Some(depth + 1),
        Token::Close(_) => depth.checked_sub(1),
        _ => Some(depth),
    });
    depth == Some(0)
}

/// What both allow.
fn both(left: Ids, right: Ids) -> Ids {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.intersection(&right).cloned().collect()),
        (left, right) => left.or(right),
    }
}

/// What any of them allows.
fn any_of(choices: impl Iterator<Item = Ids>) -> Ids {
    let mut choices = choices.peekable();
    choices.peek()?;
    choices.try_fold(BTreeSet::new(), |mut all, ids| {
        all.extend(ids?);
        Some(all)
    })
}

#[cfg(test)]
mod tests;
