//! Which fields of a hit are highlighted and cropped.

use std::collections::{BTreeMap, BTreeSet};

use milli_core::{FieldId, FieldsIdsMap, FormatOptions};
use miroir_protocol::search::SearchQuery;

/// How each field of `_formatted` is treated; empty when `_formatted` is not wanted.
pub(super) fn format_options(
    query: &SearchQuery,
    fields: &FieldsIdsMap,
    displayed: &BTreeSet<FieldId>,
    retrieved: &BTreeSet<FieldId>,
) -> BTreeMap<FieldId, FormatOptions> {
    let mut options: BTreeMap<FieldId, FormatOptions> = BTreeMap::new();
    let plain = FormatOptions { highlight: false, crop: None };
    for name in query.attributes_to_highlight.iter().flatten() {
        for id in named(name, fields, displayed) {
            options.entry(id).or_insert(plain).highlight = true;
        }
    }
    for attribute in query.attributes_to_crop.iter().flatten() {
        let (name, length) = match attribute.rsplit_once(':') {
            Some((name, length)) => (name, length.parse().unwrap_or(query.crop_length)),
            None => (attribute.as_str(), query.crop_length),
        };
        for id in named(name, fields, displayed) {
            options.entry(id).or_insert(plain).crop = Some(length);
        }
    }
    if !options.is_empty() {
        for id in retrieved {
            options.entry(*id).or_insert(plain);
        }
    }
    options
}

/// The displayed fields of this name, where `*` names all.
fn named(name: &str, fields: &FieldsIdsMap, displayed: &BTreeSet<FieldId>) -> Vec<FieldId> {
    match name {
        "*" => displayed.iter().copied().collect(),
        name => fields.id(name).filter(|id| displayed.contains(id)).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use milli_core::FieldsIdsMap;
    use miroir_protocol::search::SearchQuery;

    use super::format_options;

    fn options(query: &SearchQuery) -> Vec<(u16, bool, Option<usize>)> {
        let mut fields = FieldsIdsMap::new();
        for name in ["id", "title", "secret"] {
            fields.insert(name);
        }
        let displayed = BTreeSet::from([0, 1]);
        let options = format_options(query, &fields, &displayed, &BTreeSet::from([0]));
        options.into_iter().map(|(id, options)| (id, options.highlight, options.crop)).collect()
    }

    #[test]
    fn nothing_asked_for_formats_nothing() {
        assert_eq!(options(&SearchQuery::default()), []);
    }

    #[test]
    fn crop_length_of_the_attribute_wins() {
        let query = SearchQuery {
            attributes_to_crop: Some(vec!["title:3".to_owned(), "secret".to_owned()]),
            ..SearchQuery::default()
        };
        assert_eq!(options(&query), [(0, false, None), (1, false, Some(3))]);
    }

    #[test]
    fn star_highlights_what_is_displayed() {
        let query = SearchQuery {
            attributes_to_highlight: Some(BTreeSet::from(["*".to_owned()])),
            ..SearchQuery::default()
        };
        assert_eq!(options(&query), [(0, true, None), (1, true, None)]);
    }
}
