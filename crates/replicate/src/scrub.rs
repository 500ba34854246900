//! Nodes' messages, as clients may see them.

use miroir_shard::{INTERNAL_FIELD, SLOT_FIELD};

/// Takes the internal field out of an error message, which lists the attributes of an index. Where it was the only one,
/// the message is what Meilisearch says of an index without any.
pub fn hide_internal_field(message: &str) -> String {
    if !message.contains(INTERNAL_FIELD) {
        return message.to_owned();
    }
    let mut text = message.to_owned();
    for name in [format!("`{SLOT_FIELD}`"), SLOT_FIELD.to_owned()] {
        text = text.replace(&format!("{name}, "), "").replace(&format!(", {name}"), "");
    }
    for (only, none) in ALONE {
        text = text.replace(only, none);
    }
    text
}

/// How the engine's versions list attributes when the internal one is the only one, and what they say without any.
const ALONE: [(&str, &str); 6] = [
    ("Available filterable attribute patterns are: `_miroir.s`.", NO_FILTERABLE),
    ("Available filterable attributes patterns are: `_miroir.s`.", NO_FILTERABLE),
    ("Available filterable attributes are: `_miroir.s`.", NO_FILTERABLE),
    ("The available filterable attribute pattern is `_miroir.s`.", NO_FILTERABLE),
    ("Available facet-searchable attributes patterns are: `_miroir.s`.", NO_FACET_SEARCHABLE),
    ("Available facet-searchable attributes patterns are: `_miroir.s`", NO_FACET_SEARCHABLE),
];
const NO_FILTERABLE: &str = "This index does not have configured filterable attributes.";
const NO_FACET_SEARCHABLE: &str = "This index does not have configured facet-searchable attributes.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_leaves_lists_wherever_it_stands() {
        let list = |inner: &str| format!("Attribute `x` is not filterable. Available … are: {inner}.");
        for (with, without) in [
            ("`_miroir.s`, `genre`", "`genre`"),
            ("`_a`, `_miroir.s`, `genre`", "`_a`, `genre`"),
            ("`A`, `_miroir.s`", "`A`"),
            ("`_miroir.s, genre`", "`genre`"),
            ("`A, _miroir.s`", "`A`"),
        ] {
            assert_eq!(hide_internal_field(&list(with)), list(without));
        }
    }

    #[test]
    fn alone_it_leaves_what_an_empty_list_says() {
        assert_eq!(
            hide_internal_field(
                "Attribute `x` is not filterable. Available filterable attribute patterns are: `_miroir.s`."
            ),
            "Attribute `x` is not filterable. This index does not have configured filterable attributes."
        );
    }
}
