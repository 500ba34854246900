//! Taking an attribute that clients do not know out of an error.

use super::ResponseError;

impl ResponseError {
    /// The same error without `attribute` among the attributes that its message lists, as if it were not there.
    #[must_use]
    pub fn without_attribute(self, attribute: &str) -> Self {
        if !self.message().contains(attribute) {
            return self;
        }
        self.map_message(|message| {
            let message = without_list(&message, attribute);
            without_element(message, attribute)
        })
    }
}

/// The message without a list of which the attribute is all.
fn without_list(message: &str, attribute: &str) -> String {
    const LISTS: [(&str, &str); 6] = [
        ("Available filterable attribute patterns are: ", "filterable"),
        ("Available filterable attributes patterns are: ", "filterable"),
        ("Available filterable attributes are: ", "filterable"),
        ("The available filterable attribute pattern is ", "filterable"),
        ("Available facet-searchable attributes patterns are: ", "facet-searchable"),
        ("Available sortable attributes are: ", "sortable"),
    ];
    let mut message = message.to_owned();
    for (list, kind) in LISTS {
        let none = format!("This index does not have configured {kind} attributes.");
        message = message.replace(&format!("{list}`{attribute}`."), &none);
        // One message ends without a stop.
        if kind == "facet-searchable" {
            message = message.replace(&format!("{list}`{attribute}`"), &none);
        }
    }
    message
}

/// The message without the attribute in lists with others: "`a`, `b`" or "`a, b`".
fn without_element(message: String, attribute: &str) -> String {
    let changes = [
        (format!("`{attribute}`, "), ""),
        (format!(", `{attribute}`"), ""),
        (format!("`{attribute}, "), "`"),
        (format!(", {attribute}, "), ", "),
        (format!(", {attribute}`"), "`"),
    ];
    changes.into_iter().fold(message, |message, (from, to)| message.replace(&from, to))
}

#[cfg(test)]
mod tests {
    use crate::error::{Code, ResponseError};

    fn without(message: &str) -> String {
        let error = ResponseError::new(Code::InvalidSearchFilter, message).without_attribute("_miroir.s");
        error.message().to_owned()
    }

    #[test]
    fn attribute_leaves_lists_of_both_forms() {
        let expected =
            "Attribute `x` is not filterable. Available filterable attribute patterns are: `a`, `b`.";
        for list in ["`_miroir.s`, `a`, `b`", "`a`, `_miroir.s`, `b`", "`a`, `b`, `_miroir.s`"] {
            let start = "Attribute `x` is not filterable. Available filterable attribute patterns are: ";
            assert_eq!(without(&format!("{start}{list}.")), expected);
        }
        let expected = "Pattern `x` is not filterable. Available filterable attributes patterns are: `a, b`.";
        for list in ["`_miroir.s, a, b`", "`a, _miroir.s, b`", "`a, b, _miroir.s`"] {
            let start = "Pattern `x` is not filterable. Available filterable attributes patterns are: ";
            assert_eq!(without(&format!("{start}{list}.")), expected);
        }
    }

    #[test]
    fn a_list_of_nothing_else_becomes_no_list() {
        let message = "Attribute `x` is not filterable. Available filterable attribute patterns are: `_miroir.s`.\n1:2 x=1";
        let expected = "Attribute `x` is not filterable. This index does not have configured filterable attributes.\n1:2 x=1";
        assert_eq!(without(message), expected);
        for end in [".", ""] {
            let message = format!("Available facet-searchable attributes patterns are: `_miroir.s`{end}");
            assert_eq!(without(&message), "This index does not have configured facet-searchable attributes.");
        }
    }

    #[test]
    fn other_messages_stay_as_they_are() {
        assert_eq!(without("Index `a` not found."), "Index `a` not found.");
    }
}
