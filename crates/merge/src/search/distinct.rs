//! `distinct` over all nodes: each value's best hit only.

use std::{borrow::Cow, collections::HashSet};

use crate::{
    facets::normalize,
    scan::{number, quoted, unescape},
};

/// The values of the hits kept so far.
#[derive(Default)]
pub(crate) struct Distinct<'a> {
    seen: HashSet<Key<'a>, foldhash::fast::RandomState>,
    /// Hits that were not kept, and which answer they are from.
    dropped: Vec<(usize, &'a [u8])>,
}

/// A value that makes two documents the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    Number(u64),
    Text(Cow<'a, str>),
}

impl<'a> Distinct<'a> {
    /// Whether to keep the hit, given its values: it shares none with a hit kept before. Hits without a value are kept.
    pub(crate) fn keep(&mut self, node: usize, hit: &'a [u8], values: &[&'a [u8]]) -> bool {
        let keys = values.iter().filter_map(|value| Key::read(value));
        if keys.clone().any(|key| self.seen.contains(&key)) {
            self.dropped.push((node, hit));
            return false;
        }
        self.seen.extend(keys);
        true
    }

    /// [`keep`](Self::keep) without remembering what is not kept.
    pub(super) fn keep_keys(&mut self, keys: &[Key<'a>]) -> bool {
        let keeps = !self.has(keys);
        if keeps {
            self.seen.extend(keys.iter().cloned());
        }
        keeps
    }

    /// Whether a hit that was kept has one of these values.
    pub(super) fn has(&self, keys: &[Key<'a>]) -> bool {
        keys.iter().any(|key| self.seen.contains(key))
    }

    /// The hits that were not kept, with their nodes.
    pub(crate) fn into_dropped(self) -> Vec<(usize, &'a [u8])> {
        self.dropped
    }
}

/// The values of the hits kept so far as they stand in the hits: an empty string is a value too, and 1 is not 1.0. So
/// Meilisearch compares hits once more that the query's own `distinct` has grouped.
#[derive(Default)]
pub(crate) struct Values<'a>(HashSet<Cow<'a, [u8]>, foldhash::fast::RandomState>);

impl<'a> Values<'a> {
    /// Whether to keep the hit, given its values.
    pub(crate) fn keep(&mut self, values: &[&'a [u8]]) -> bool {
        let values: Vec<Cow<'a, [u8]>> = values.iter().filter_map(|value| Self::value(value)).collect();
        if values.iter().any(|value| self.0.contains(value)) {
            return false;
        }
        self.0.extend(values);
        true
    }

    /// Strings are told from numbers by their quote.
    fn value(value: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        match (value, quoted(value)) {
            (b"null", _) => None,
            (b"true" | b"false", _) => Some(Cow::Owned([b"\"", value].concat())),
            (_, Some(text)) => {
                let text = normalize(unescape(text));
                Some(Cow::Owned([b"\"", text.as_bytes()].concat()))
            }
            (_, None) => number(value).map(|_| Cow::Borrowed(value)),
        }
    }
}

/// Whether one of these values is an empty string, which is no value while hits are grouped.
pub(crate) fn has_empty(values: &[&[u8]]) -> bool {
    values.contains(&&b"\"\""[..])
}

impl<'a> Key<'a> {
    /// Numbers are the same by their bits (zero and the negative zero are two), strings in their normalised form, and booleans are strings.
    pub(super) fn read(value: &'a [u8]) -> Option<Self> {
        match value {
            b"null" | b"\"\"" => None,
            b"true" => Some(Self::Text(Cow::Borrowed("true"))),
            b"false" => Some(Self::Text(Cow::Borrowed("false"))),
            _ => match quoted(value) {
                Some(text) => Some(Self::Text(normalize(unescape(text)))),
                None => number(value).map(|number| Self::Number(number.to_bits())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(hits: &[&[&'static str]]) -> Vec<bool> {
        let mut distinct = Distinct::default();
        let mut keep = |values: &[&'static str]| {
            let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
            distinct.keep(0, b"{}", &values)
        };
        hits.iter().map(|values| keep(values)).collect()
    }

    #[test]
    fn the_first_of_each_value_is_kept() {
        assert_eq!(
            kept(&[&["1"], &["1.0"], &["\"1\""], &["\"X\""], &["\"x\""], &["0"], &["-0.0"]]),
            [true, false, true, true, false, true, true]
        );
    }

    #[test]
    fn hits_without_a_value_are_all_kept() {
        assert_eq!(kept(&[&[], &[], &["null"], &["null"], &["\"\""], &["\"\""]]), [true; 6]);
    }

    #[test]
    fn values_are_compared_as_they_stand_in_the_hits() {
        let mut values = Values::default();
        let mut keep = |value: &'static str| values.keep(&[value.as_bytes()]);
        assert!(keep("\"\"") && !keep("\"\""));
        assert!(keep("1") && keep("1.0") && keep("\"1\"") && !keep("1"));
        assert!(keep("\"True\"") && !keep("true") && keep("null") && keep("null"));
    }

    #[test]
    fn one_shared_value_is_enough() {
        assert_eq!(kept(&[&["1", "2"], &["2", "3"], &["3"]]), [true, false, true]);
    }
}
