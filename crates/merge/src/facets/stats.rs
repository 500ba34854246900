//! `facetStats`: the least and the greatest number of each attribute.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    record::is_visible,
    scan::{Cursor, Scan, number, unescape},
};

/// The merged `facetStats`.
#[derive(Default)]
pub(crate) struct Stats<'a>(BTreeMap<Cow<'a, str>, Attribute<'a>>);

/// Of one attribute.
struct Attribute<'a> {
    /// Its name, as written.
    name: &'a [u8],
    min: Bound<'a>,
    max: Bound<'a>,
}

/// A number, and how a node wrote it.
#[derive(Clone, Copy)]
struct Bound<'a> {
    text: &'a [u8],
    number: f64,
}

impl<'a> Stats<'a> {
    /// Adds what one node says.
    pub(crate) fn add(&mut self, text: &'a [u8]) -> Scan<()> {
        let mut cursor = Cursor::new(text);
        cursor.enter_object()?;
        let mut first = true;
        while let Some(name) = cursor.key(&mut first)? {
            let bounds = bounds(&mut cursor)?;
            let key = unescape(name);
            let (Some((min, max)), true) = (bounds, is_visible(&key)) else { continue };
            let merged = self.0.entry(key).or_insert(Attribute { name, min, max });
            if min.number < merged.min.number {
                merged.min = min;
            }
            if max.number > merged.max.number {
                merged.max = max;
            }
        }
        Ok(())
    }

    /// The least and the greatest number of an attribute, if it has any.
    pub(crate) fn range(&self, attribute: &str) -> Option<std::ops::RangeInclusive<f64>> {
        self.0.get(attribute).map(|bounds| bounds.min.number..=bounds.max.number)
    }

    /// Appends the object.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (index, attribute) in self.0.values().enumerate() {
            let comma: &[u8] = if index > 0 { b",\"" } else { b"\"" };
            let Attribute { name, min, max } = attribute;
            for part in [comma, name, b"\":{\"min\":", min.text, b",\"max\":", max.text, b"}"] {
                out.extend_from_slice(part);
            }
        }
        out.push(b'}');
    }
}

fn bounds<'a>(cursor: &mut Cursor<'a>) -> Scan<Option<(Bound<'a>, Bound<'a>)>> {
    let (mut min, mut max) = (None, None);
    cursor.enter_object()?;
    let mut first = true;
    while let Some(key) = cursor.key(&mut first)? {
        let text = cursor.value()?;
        let bound = number(text).map(|number| Bound { text, number });
        match key {
            b"min" => min = bound,
            b"max" => max = bound,
            _ => {}
        }
    }
    Ok(min.zip(max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_range_wins() {
        let mut stats = Stats::default();
        stats.add(br#"{"year":{"min":1990.0,"max":2000.0},"b":{"min":1.5,"max":1.5},"_miroir.n":{"min":1,"max":1}}"#).unwrap();
        stats.add(br#"{"year":{"min":1995.0,"max":2010.0},"a":{"min":-1.0,"max":0.0}}"#).unwrap();
        let mut out = Vec::new();
        stats.write(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"a":{"min":-1.0,"max":0.0},"b":{"min":1.5,"max":1.5},"year":{"min":1990.0,"max":2010.0}}"#
        );
        assert_eq!(stats.range("year"), Some(1990.0..=2010.0));
        assert_eq!(stats.range("c"), None);
    }
}
