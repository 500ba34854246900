//! `facetStats`: the least and the greatest number of each attribute.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    record::is_visible,
    scan::{Cursor, Scan, number, order_numbers, unescape},
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
    /// Empty for a number that no node wrote.
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
            if order_numbers(min.number, merged.min.number).is_lt() {
                merged.min = min;
            }
            if order_numbers(max.number, merged.max.number).is_gt() {
                merged.max = max;
            }
        }
        Ok(())
    }

    /// Adds a number that a document holds; `name` as a node writes it.
    pub(crate) fn add_number(&mut self, key: Cow<'a, str>, name: &'a [u8], number: f64) {
        let bound = Bound { text: &[], number };
        let merged = self.0.entry(key).or_insert(Attribute { name, min: bound, max: bound });
        if order_numbers(number, merged.min.number).is_lt() {
            merged.min = bound;
        }
        if order_numbers(number, merged.max.number).is_gt() {
            merged.max = bound;
        }
    }

    /// The least and the greatest number of an attribute, if it has any.
    pub(crate) fn range(&self, attribute: &str) -> Option<std::ops::RangeInclusive<f64>> {
        self.0.get(attribute).map(|bounds| bounds.min.number..=bounds.max.number)
    }

    /// Appends the object, without the attributes `strip`.
    pub(crate) fn write(&self, strip: &[String], out: &mut Vec<u8>) {
        out.push(b'{');
        let shown = self.0.iter().filter(|(name, _)| !strip.iter().any(|strip| strip == name.as_ref()));
        for (index, (_, attribute)) in shown.enumerate() {
            let comma: &[u8] = if index > 0 { b",\"" } else { b"\"" };
            let Attribute { name, min, max } = attribute;
            for part in [comma, name, b"\":{\"min\":"] {
                out.extend_from_slice(part);
            }
            min.write(out);
            out.extend_from_slice(b",\"max\":");
            max.write(out);
            out.push(b'}');
        }
        out.push(b'}');
    }
}

impl Bound<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        if self.text.is_empty() {
            out.extend_from_slice(serde_json::Value::from(self.number).to_string().as_bytes());
        } else {
            out.extend_from_slice(self.text);
        }
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
        stats.write(&[], &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"a":{"min":-1.0,"max":0.0},"b":{"min":1.5,"max":1.5},"year":{"min":1990.0,"max":2010.0}}"#
        );
        assert_eq!(stats.range("year"), Some(1990.0..=2010.0));
        assert_eq!(stats.range("c"), None);
    }
}
