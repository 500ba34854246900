//! `distinct` over all nodes: each value's best hit only.

use std::{borrow::Cow, collections::HashSet};

use crate::{
    facets::normalize,
    scan::{Scan, number, quoted, unescape, visit_leaves},
};

/// The values of the hits kept so far.
pub(crate) struct Distinct<'s, 'a> {
    attribute: &'s str,
    seen: HashSet<Key<'a>>,
    /// Hits that were not kept, and which answer they are from.
    dropped: Vec<(usize, &'a [u8])>,
}

/// A value that makes two documents the same.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key<'a> {
    Number(u64),
    Text(Cow<'a, str>),
}

impl<'s, 'a> Distinct<'s, 'a> {
    pub(crate) fn new(attribute: &'s str) -> Self {
        Self { attribute, seen: HashSet::new(), dropped: Vec::new() }
    }

    /// Whether to keep the hit: it shares no value with a hit kept before. Hits without a value are kept.
    pub(crate) fn keep(&mut self, node: usize, hit: &'a [u8]) -> Scan<bool> {
        let mut keys = Vec::new();
        visit_leaves(hit, self.attribute, &mut |value| keys.extend(Key::read(value)))?;
        if keys.iter().any(|key| self.seen.contains(key)) {
            self.dropped.push((node, hit));
            return Ok(false);
        }
        self.seen.extend(keys);
        Ok(true)
    }

    /// The hits that were not kept, with their nodes.
    pub(crate) fn into_dropped(self) -> Vec<(usize, &'a [u8])> {
        self.dropped
    }
}

impl<'a> Key<'a> {
    /// Numbers are the same by value, strings in their normalised form, and booleans are strings.
    fn read(value: &'a [u8]) -> Option<Self> {
        match value {
            b"null" | b"\"\"" => None,
            b"true" => Some(Self::Text(Cow::Borrowed("true"))),
            b"false" => Some(Self::Text(Cow::Borrowed("false"))),
            _ => match quoted(value) {
                Some(text) => Some(Self::Text(normalize(unescape(text)))),
                // Adding 0 makes the negative zero the positive one.
                None => number(value).map(|number| Self::Number((number + 0.0).to_bits())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(hits: &[&str]) -> Vec<bool> {
        let mut distinct = Distinct::new("a.b");
        hits.iter().map(|hit| distinct.keep(0, hit.as_bytes()).unwrap()).collect()
    }

    #[test]
    fn the_first_of_each_value_is_kept() {
        let hits = [
            r#"{"a":{"b":1}}"#,
            r#"{"a":{"b":1.0}}"#,
            r#"{"a":{"b":"1"}}"#,
            r#"{"a.b":"X"}"#,
            r#"{"a":{"b":"x"}}"#,
        ];
        assert_eq!(kept(&hits), [true, false, true, true, false]);
    }

    #[test]
    fn hits_without_a_value_are_all_kept() {
        assert_eq!(kept(&["{}", "{}", r#"{"a":{"b":null}}"#, r#"{"a":{"b":null}}"#]), [true; 4]);
    }

    #[test]
    fn one_shared_value_is_enough() {
        let hits = [r#"{"a":{"b":[1,2]}}"#, r#"{"a":{"b":[2,3]}}"#, r#"{"a":{"b":3}}"#];
        assert_eq!(kept(&hits), [true, false, true]);
    }
}
