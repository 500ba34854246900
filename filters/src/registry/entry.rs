//! Reading one entry of the list of filters.

use std::{fmt, marker::PhantomData};

use schemars::{Schema, json_schema};
use serde::{
    Deserializer,
    de::{self, DeserializeSeed, Error, MapAccess, Visitor},
};

/// The closed set of filters, as the visitor sees it.
pub(crate) trait Registered: Sized {
    const NAMES: &'static [&'static str];

    fn with_defaults(name: &str) -> Option<Self>;

    fn read<'de, D: Deserializer<'de>>(name: &str, parameters: D) -> Result<Self, D::Error>;
}

/// Reads `- name` and `- name: {parameters}`.
pub(crate) struct EntryVisitor<T>(PhantomData<T>);

struct Parameters<'a, T> {
    name: &'a str,
    filter: PhantomData<T>,
}

/// The schema of an entry: a bare name, or an object with one name and its parameters.
pub(crate) fn entry_schema<const N: usize>(filters: [(&'static str, Schema); N]) -> Schema {
    let names: Vec<_> = filters.iter().map(|(name, _)| *name).collect();
    let mut choices = vec![json_schema!({
        "type": "string",
        "enum": names,
        "description": "A filter with its default parameters.",
    })];
    choices.extend(filters.into_iter().map(|(name, parameters)| {
        json_schema!({
            "type": "object",
            "properties": { name: { "anyOf": [parameters, { "type": "null" }] } },
            "required": [name],
            "additionalProperties": false,
        })
    }));
    json_schema!({ "description": "One filter: its name, or its name and its parameters.", "anyOf": choices })
}

fn unknown<E: Error>(name: &str, names: &[&str]) -> E {
    let known = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    E::custom(format_args!("unknown filter `{name}`, expected one of {known}"))
}

// === impl EntryVisitor ===

impl<T> Default for EntryVisitor<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Registered> Visitor<'de> for EntryVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a filter, or its name with its parameters")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
        T::with_defaults(name).ok_or_else(|| unknown(name, T::NAMES))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let Some(name) = map.next_key::<String>()? else {
            return Err(A::Error::custom("an entry of the list is empty: write the name of a filter"));
        };
        if !T::NAMES.contains(&name.as_str()) {
            return Err(unknown(&name, T::NAMES));
        }
        let filter = map.next_value_seed(Parameters { name: &name, filter: PhantomData })?;
        match map.next_key::<String>()? {
            None => Ok(filter),
            Some(extra) => Err(A::Error::custom(format_args!(
                "`{extra}` stands beside the filter `{name}`: indent it if it is a parameter, \
                 and begin a new entry with `-` if it is another filter"
            ))),
        }
    }
}

// === impl Parameters ===

impl<'de, T: Registered> DeserializeSeed<'de> for Parameters<'_, T> {
    type Value = T;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::read(self.name, deserializer)
    }
}

#[cfg(test)]
mod tests {
    use crate::FilterConfig;

    fn error(text: &str) -> String {
        serde_json::from_str::<FilterConfig>(text).expect_err("it is refused").to_string()
    }

    #[test]
    fn a_bare_name_and_empty_parameters_are_the_defaults() {
        let default = FilterConfig::with_defaults("body_limit");
        for text in [r#""body_limit""#, r#"{"body_limit": null}"#, r#"{"body_limit": {}}"#] {
            assert_eq!(serde_json::from_str::<FilterConfig>(text).ok(), default, "{text}");
        }
    }

    #[test]
    fn an_unknown_filter_is_answered_with_the_known_ones() {
        for text in [r#""request_idd""#, r#"{"request_idd": {}}"#] {
            let error = error(text);
            assert!(
                error.starts_with("unknown filter `request_idd`, expected one of `request_id`, "),
                "{error}"
            );
        }
    }

    #[test]
    fn an_unknown_parameter_is_an_error() {
        let error = error(r#"{"body_limit": {"maximum": "1MiB"}}"#);
        assert!(error.contains("unknown field `maximum`, expected `max`"), "{error}");
    }

    #[test]
    fn a_parameter_beside_its_filter_is_explained() {
        let error = error(r#"{"body_limit": null, "max": "1MiB"}"#);
        assert!(error.contains("`max` stands beside the filter `body_limit`: indent it"), "{error}");
    }

    #[test]
    fn an_entry_that_is_no_filter_is_an_error() {
        assert!(error("{}").contains("an entry of the list is empty"));
        assert!(error("12").contains("expected the name of a filter"));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for name in FilterConfig::NAMES {
            let filter = FilterConfig::with_defaults(name).expect("a registered filter");
            let text = serde_json::to_string(&filter).expect("a filter serialises");
            assert_eq!(serde_json::from_str::<FilterConfig>(&text).ok(), Some(filter), "{text}");
        }
    }
}
