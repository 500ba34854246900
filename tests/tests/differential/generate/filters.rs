//! Filters.

use serde_json::{Value, json};

use super::Making;

impl Making<'_> {
    /// A filter in one of its forms: a text, or arrays of them.
    pub(super) fn filter(&mut self) -> Value {
        match self.dice.below(20) {
            0 => json!([self.expression(0), self.expression(0)]),
            1 => json!([[self.expression(0), self.expression(0)], self.expression(0)]),
            2 => json!([self.expression(0), [self.expression(1), self.expression(0)]]),
            3 => self.dice.pick(&[json!([]), json!(""), json!([[]]), Value::Null, json!(" ")]).clone(),
            4 => json!(format!("{} OR {}", self.expression(1), self.expression(1))),
            _ => json!(self.expression(2)),
        }
    }

    pub(super) fn expression(&mut self, depth: usize) -> String {
        if depth == 0 || self.dice.percent(50) {
            return self.condition();
        }
        let (a, b) = (self.expression(depth - 1), self.expression(depth - 1));
        match self.dice.below(5) {
            0 | 1 => format!("{a} AND {b}"),
            2 => format!("({a} OR {b})"),
            3 => format!("NOT ({a})"),
            _ => format!("({a}) AND NOT {b}"),
        }
    }

    fn condition(&mut self) -> String {
        if self.index.geo && self.dice.percent(50) {
            return self.place();
        }
        let name = *self.dice.pick(self.index.filterable);
        match self.dice.below(12) {
            0..3 => format!("{name} = {}", self.value(name)),
            3 => format!("{name} != {}", self.value(name)),
            4 => format!("{name} IN [{}, {}, {}]", self.value(name), self.value(name), self.value(name)),
            5 => format!("{name} NOT IN [{}, {}]", self.value(name), self.value(name)),
            6 => format!("{name} EXISTS"),
            7 => format!("{name} IS {}", self.dice.pick(&["NULL", "NOT NULL", "EMPTY"])),
            8 => format!("{name} {}", self.dice.pick(&["IS NOT EMPTY", "NOT EXISTS"])),
            9 => format!("{name} STARTS WITH \"{}\"", ["D", "w", "New"][self.dice.below(3)]),
            _ => self.range(name),
        }
    }

    fn range(&mut self, name: &str) -> String {
        let numbers: Vec<f64> = self.vocabulary.values[name].iter().filter_map(Value::as_f64).collect();
        if numbers.is_empty() {
            return match self.dice.below(3) {
                0 => format!("{name} {} TO {}", self.value(name), self.value(name)),
                1 => format!("{name} < {}", self.value(name)),
                _ => format!("{name} >= {}", self.value(name)),
            };
        }
        let (a, b) = (*self.dice.pick(&numbers), *self.dice.pick(&numbers));
        match self.dice.below(6) {
            // As far as a number can be.
            0 => format!("{name} {} {}", self.dice.pick(&[">", "<="]), self.dice.pick(&[-1e301, -0.5, 1e16])),
            1 => format!("{name} > {a}"),
            2 => format!("{name} >= {a}"),
            3 => format!("{name} < {a}"),
            4 => format!("{name} <= {a}"),
            _ => format!("{name} {} TO {}", a.min(b), a.max(b)),
        }
    }

    fn value(&mut self, name: &str) -> String {
        match self.dice.pick(&self.vocabulary.values[name]) {
            Value::String(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
            other => other.to_string(),
        }
    }

    fn place(&mut self) -> String {
        let (lat, lng) = self.point();
        if self.dice.percent(10) {
            let far = lat + self.dice.between(1, 9) as f64;
            return format!("_geoPolygon([{lat}, {lng}], [{far}, {lng}], [{far}, {}])", lng + 10.0);
        }
        if self.dice.percent(60) {
            let meters = self.dice.pick(&[0, 20_000, 150_000, 600_000, 2_000_000]);
            return format!("_geoRadius({lat}, {lng}, {meters})");
        }
        let (high, wide) = (self.dice.between(1, 9), self.dice.between(1, 20));
        format!("_geoBoundingBox([{}, {}], [{}, {}])", lat + high as f64, lng + wide as f64, lat, lng)
    }

    /// Somewhere over the United States.
    pub(super) fn point(&mut self) -> (f64, f64) {
        (self.dice.between(260, 480) as f64 / 10.0, self.dice.between(-1_240, -700) as f64 / 10.0)
    }
}
