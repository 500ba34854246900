//! The values of a facet as groups of documents: each node has one document of each.

use super::{
    read_values,
    stats::Stats,
    values::{FacetOrder, Value, Walk, may_have_numerals},
};
use crate::scan::{Cursor, Scan, unescape};

/// Values, and how many groups each one is: a number and a string that read alike are two.
pub(crate) struct Groups<'a>(Vec<Value<'a>>);

/// The groups of one node by an attribute; `None` if it did not count them.
pub(crate) fn count_groups<'a>(
    distribution: &'a [u8],
    attribute: &str,
    stats: &Stats<'a>,
) -> Scan<Option<Groups<'a>>> {
    let mut cursor = Cursor::new(distribution);
    cursor.enter_object()?;
    let mut first = true;
    while let Some(name) = cursor.key(&mut first)? {
        let text = cursor.value()?;
        if unescape(name) != attribute {
            continue;
        }
        let mut values = Vec::new();
        read_values(text, stats.range(attribute).as_ref(), &mut values)?;
        return Ok(Some(Groups(values)));
    }
    Ok(None)
}

impl<'a> Groups<'a> {
    /// How many groups there are.
    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().map(|value| value.count.unsigned_abs()).fold(0, u64::saturating_add)
    }

    /// Whether some of the values may be strings which read as numbers.
    pub(crate) fn may_have_numerals(&self, order: FacetOrder) -> bool {
        may_have_numerals(&self.0, order)
    }

    /// The groups of both.
    pub(crate) fn joined(mut self, other: Groups<'a>) -> Self {
        self.0.extend(other.0);
        Self::of(self.0)
    }

    /// The groups that several nodes counted.
    pub(super) fn of(mut values: Vec<Value<'a>>) -> Self {
        values.sort_by(|left, right| left.order(right, Walk::Names));
        values.dedup_by(|later, first| {
            let same = first.order(later, Walk::Names).is_eq();
            if same {
                first.count = first.count.max(later.count);
            }
            same
        });
        Self(values)
    }

    pub(super) fn into_values(self) -> Vec<Value<'a>> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_several_nodes_are_one() {
        let mut stats = Stats::default();
        stats.add(br#"{"a":{"min":1.0,"max":9.0}}"#).unwrap();
        let of = |text: &'static str| count_groups(text.as_bytes(), "a", &stats).unwrap();
        let first = of(r#"{"b":{"x":1},"a":{"5":2,"Drama":1}}"#).unwrap();
        let second = of(r#"{"a":{"5":1,"drama":1,"6":1}}"#).unwrap();
        assert_eq!((first.sum(), second.sum()), (3, 3));
        assert_eq!(first.joined(second).sum(), 4);
        assert!(of(r#"{"b":{"x":1}}"#).is_none());
    }
}
