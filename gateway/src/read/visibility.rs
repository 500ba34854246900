//! Which attributes clients see. Nodes display everything; the gateway asks for what `displayedAttributes` allows.

use std::collections::BTreeSet;

/// The logical `displayedAttributes` of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Displayed {
    /// Everything.
    All,
    /// These attributes and what is nested in them.
    Only(Vec<String>),
}

impl Displayed {
    /// Reads the setting; not set means everything.
    pub(super) fn from_settings(settings: &serde_json::Value) -> Self {
        let Some(names) = settings.get("displayedAttributes").and_then(serde_json::Value::as_array) else {
            return Self::All;
        };
        let names: Vec<String> = names.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
        if names.iter().any(|name| name == "*") { Self::All } else { Self::Only(names) }
    }

    /// What of the attributes a client asks for it may have. `None` in means all it may have, `None` out everything.
    pub(super) fn allow(&self, wanted: Option<&BTreeSet<String>>) -> Option<BTreeSet<String>> {
        let wanted = wanted.filter(|names| !names.contains("*"));
        match (self, wanted) {
            (Self::All, wanted) => wanted.cloned(),
            (Self::Only(displayed), None) => Some(displayed.iter().cloned().collect()),
            (Self::Only(_), Some(wanted)) => Some(self.named(wanted)),
        }
    }

    /// Which of the attributes are named in the setting: no other is given, highlighted or cropped, not even one that is
    /// nested in one of them.
    pub(super) fn named(&self, wanted: &BTreeSet<String>) -> BTreeSet<String> {
        match self {
            Self::Only(displayed) if wanted.contains("*") => displayed.iter().cloned().collect(),
            Self::Only(displayed) => {
                displayed.iter().filter(|name| wanted.contains(*name)).cloned().collect()
            }
            Self::All => wanted.clone(),
        }
    }

    /// Whether `retrieveVectors` shows vectors. What Meilisearch does is the opposite of what it means to do: where
    /// documents have vectors, a list that names `_vectors` hides them, and one that does not shows them. Documents are taken
    /// to have vectors where the index has embedders.
    pub(super) fn shows_vectors(&self, settings: &serde_json::Value) -> bool {
        let Self::Only(names) = self else { return true };
        let has_vectors = settings["embedders"].as_object().is_some_and(|embedders| !embedders.is_empty());
        names.iter().any(|name| name == "_vectors") != has_vectors
    }

    /// The names, where not everything is displayed.
    pub(super) fn names(&self) -> Option<Vec<String>> {
        match self {
            Self::All => None,
            Self::Only(names) => Some(names.clone()),
        }
    }

    /// A node's message in which the list of attributes it ends with, if it does, has only those that clients see. Nodes
    /// display everything and list everything. Lists of quoted names (of filters) name all to everybody.
    pub(super) fn hide_in_list(&self, message: String) -> String {
        let Self::Only(displayed) = self else { return message };
        // The names of facets are not hidden.
        if message.contains("Invalid facet distribution: ") {
            return message;
        }
        let Some((before, listed)) = message.rsplit_once(" are: `") else { return message };
        let is_end = |after: &str| after == "." || after.starts_with(". To make it ");
        let Some((listed, after)) = listed.split_once('`').filter(|(_, after)| is_end(after)) else {
            return message;
        };
        let mut names: Vec<&str> =
            listed.split(", ").filter(|name| displayed.iter().any(|shown| shown == name)).collect();
        match before.rsplit_once(" Available ") {
            // What Meilisearch says where it may name none.
            Some((error, what)) if names.is_empty() => {
                let what = what.strip_suffix(" patterns").unwrap_or(what);
                format!("{error} This index does not have configured {what}{after}")
            }
            _ => {
                if names.len() < listed.split(", ").count() {
                    names.push("<..hidden-attributes>");
                }
                format!("{before} are: `{}`{after}", names.join(", "))
            }
        }
    }
}

/// Whether an attribute is the other one or nested in it.
pub(super) fn is_within(inner: &str, outer: &str) -> bool {
    inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn everything_is_displayed_unless_set() {
        assert_eq!(Displayed::from_settings(&json!({})), Displayed::All);
        assert_eq!(Displayed::from_settings(&json!({"displayedAttributes": ["a", "*"]})), Displayed::All);
        assert_eq!(Displayed::All.allow(Some(&set(&["a"]))), Some(set(&["a"])));
        assert_eq!(Displayed::All.allow(Some(&set(&["a", "*"]))), None);
    }

    #[test]
    fn vectors_are_shown_where_the_list_does_not_name_them_or_nobody_has_any() {
        let shows = |names: &[&str], embedders: serde_json::Value| {
            let displayed = Displayed::Only(names.iter().map(|name| (*name).to_owned()).collect());
            displayed.shows_vectors(&json!({ "embedders": embedders }))
        };
        let some = || json!({"e": {"source": "userProvided", "dimensions": 2}});
        assert!(shows(&["a"], some()) && !shows(&["a", "_vectors"], some()));
        for none in [json!(null), json!({})] {
            assert!(!shows(&["a"], none.clone()) && shows(&["a", "_vectors"], none.clone()));
            assert!(Displayed::All.shows_vectors(&json!({ "embedders": none })));
        }
    }

    #[test]
    fn a_client_gets_what_it_wants_and_may_have() {
        let displayed = Displayed::Only(vec!["title".to_owned(), "meta.public".to_owned()]);
        assert_eq!(displayed.allow(None), Some(set(&["title", "meta.public"])));
        assert_eq!(displayed.allow(Some(&set(&["*"]))), Some(set(&["title", "meta.public"])));
        assert_eq!(
            displayed.allow(Some(&set(&["meta", "meta.public", "title.main", "titles", "secret"]))),
            Some(set(&["meta.public"]))
        );
    }

    #[test]
    fn what_is_formatted_has_to_be_displayed_by_name() {
        let displayed = Displayed::Only(vec!["title".to_owned(), "meta".to_owned()]);
        assert_eq!(displayed.named(&set(&["title", "meta.public", "secret"])), set(&["title"]));
        assert_eq!(displayed.named(&set(&["*"])), set(&["title", "meta"]));
        assert_eq!(Displayed::All.named(&set(&["a.b"])), set(&["a.b"]));
    }

    #[test]
    fn errors_list_what_is_displayed() {
        let displayed = Displayed::Only(vec!["title".to_owned(), "year".to_owned()]);
        let says =
            |list: &str| displayed.hide_in_list(format!("No. Available sortable attributes are: `{list}`."));
        assert_eq!(says("title, year"), "No. Available sortable attributes are: `title, year`.");
        assert_eq!(
            says("secret, title"),
            "No. Available sortable attributes are: `title, <..hidden-attributes>`."
        );
        assert_eq!(says("secret"), "No. This index does not have configured sortable attributes.");
        let facet = |list: &str| {
            let more = "To make it facet-searchable add it to the `filterableAttributes` index settings.";
            let available = if list.is_empty() {
                "This index does not have configured facet-searchable attributes".to_owned()
            } else {
                format!("Available facet-searchable attributes patterns are: `{list}`")
            };
            format!("Attribute `x` is not facet-searchable. {available}. {more}")
        };
        assert_eq!(displayed.hide_in_list(facet("secret")), facet(""));
        assert_eq!(displayed.hide_in_list(facet("secret, year")), facet("year, <..hidden-attributes>"));
        let quoted = "Available filterable attribute patterns are: `a`, `b`.\n1:2 c";
        assert_eq!(displayed.hide_in_list(quoted.to_owned()), quoted);
        let facets = "Invalid facet distribution: Available filterable attributes patterns are: `secret`.";
        assert_eq!(displayed.hide_in_list(facets.to_owned()), facets);
        let all = "Available are: `secret`.".to_owned();
        assert_eq!(Displayed::All.hide_in_list(all.clone()), all);
    }
}
