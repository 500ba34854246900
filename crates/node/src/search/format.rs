//! `_formatted` and `_matchesPosition` of a hit.

use std::collections::BTreeMap;

use milli_core::tokenizer::Language;
use milli_core::{
    AttributePatterns, FormatOptions, LocalizedAttributesRule, MatchBounds, MatcherBuilder, is_faceted_by,
};
use serde_json::{Map, Value};

use super::pointer::{map_leaves, select_values};

/// Where a hit matches, by path.
pub(super) type Positions = BTreeMap<String, Vec<MatchBounds>>;

/// How hits are formatted.
pub(super) struct Formatter<'a> {
    pub(super) matcher: MatcherBuilder<'a>,
    /// Fields of `_formatted`, with what is done to them.
    pub(super) options: Vec<(String, FormatOptions)>,
    /// Paths that may be shown.
    pub(super) displayed: Vec<String>,
    pub(super) show_positions: bool,
    /// Languages of the query.
    pub(super) locales: Option<Vec<Language>>,
    /// Languages of fields.
    pub(super) rules: Vec<LocalizedAttributesRule>,
}

impl Formatter<'_> {
    /// Whether there is anything to do.
    pub(super) fn is_idle(&self) -> bool {
        self.options.is_empty() && !self.show_positions
    }

    /// Formats the document of a hit.
    pub(super) fn format(&self, mut document: Map<String, Value>) -> (Option<Positions>, Map<String, Value>) {
        let mut positions = self.show_positions.then(Positions::new);
        let displayed: Vec<_> = self.displayed.iter().map(String::as_str).collect();
        map_leaves(&mut document, &displayed, &mut |path, indices, value| {
            let text = match &*value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return,
            };
            let mut matcher = self.matcher.build(&text, self.locales_of(path));
            if let Some(positions) = &mut positions {
                let found = matcher.matches(indices);
                if !found.is_empty() {
                    positions.entry(path.to_owned()).or_default().extend(found);
                }
            }
            let formatted = match self.options_of(path) {
                Some(options) => matcher.format(options).into_owned(),
                None => text.clone(),
            };
            *value = Value::String(formatted);
        });
        let formatted = select_values(document, self.options.iter().map(|(name, _)| name.as_str()));
        (positions, formatted)
    }

    /// What is done to a value, by all fields that it belongs to or that belong to it.
    fn options_of(&self, path: &str) -> Option<FormatOptions> {
        let concerned = self.options.iter().filter(|(name, options)| {
            options.should_format() && (is_faceted_by(name, path) || is_faceted_by(path, name))
        });
        concerned.map(|(_, options)| *options).reduce(FormatOptions::merge)
    }

    fn locales_of(&self, path: &str) -> Option<&[Language]> {
        if let Some(locales) = &self.locales {
            return Some(locales);
        }
        let rule = self.rules.iter().find(|rule| matches(&rule.attribute_patterns, path));
        rule.map(LocalizedAttributesRule::locales)
    }
}

/// Whether a field is one of those the patterns name.
pub(super) fn matches(patterns: &AttributePatterns, name: &str) -> bool {
    matches!(patterns.match_str(name), milli_core::PatternMatch::Match)
}
