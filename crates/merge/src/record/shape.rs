//! What the client gets to see of a document or hit.

use miroir_shard::{INTERNAL_FIELD, is_internal};

use crate::scan::below;

/// Which members go to the client, and which do not go as they are.
#[derive(Debug, Default)]
pub(crate) struct Shape<'s> {
    /// Whether `_formatted` and the like are what a search adds, not members of the document.
    pub(crate) is_hit: bool,
    /// Whether `_federation` is what a search of several queries adds.
    pub(crate) is_federated: bool,
    /// Whether `_federation` is what a node adds for the merge alone.
    pub(crate) is_weighted: bool,
    /// The server that `_federation` says the hit is from.
    pub(crate) remote: Option<&'s str>,
    /// The query that `_federation` says the hit is from, where its node was asked this one alone.
    pub(crate) query: Option<usize>,
    /// Whether the hit is a document similar to another one, of whose score details only the similarity is shown.
    pub(crate) is_similar: bool,
    pub(crate) show_score: bool,
    pub(crate) show_details: bool,
    /// The attributes a client may see; `None` for all.
    pub(crate) displayed: Option<&'s [String]>,
    /// Paths that were asked for beyond what the client wants.
    pub(crate) strip: Vec<&'s str>,
    /// The same for `_formatted`, and the internal field.
    pub(crate) strip_formatted: Vec<&'s str>,
    /// A path whose values the merge looks at.
    pub(crate) watch: Option<&'s str>,
}

/// What to do about a member that does not go as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Leave it out.
    Drop,
    /// Take the extra paths out of it.
    Prune,
    /// `_formatted`: take the extra paths and what is hidden out of it.
    Formatted,
    /// `_matchesPosition`: take what is hidden out of it.
    Matches,
    /// `_rankingScoreDetails`: hide the values of hidden attributes.
    Redact,
    /// `_rankingScoreDetails`: show the similarity alone.
    Similarity,
    /// `_federation`: take what only a merge needs out of it.
    Federation,
}

impl<'s> Shape<'s> {
    /// For documents.
    pub(crate) fn of_document(strip: &'s [String]) -> Self {
        Self { strip: strip.iter().map(String::as_str).collect(), ..Self::default() }
    }

    /// For hits of a search.
    pub(crate) fn of_hit(
        strip: &'s [String],
        strip_formatted: &'s [String],
        displayed: Option<&'s [String]>,
    ) -> Self {
        let strip = strip.iter().map(String::as_str).collect();
        let formatted = strip_formatted.iter().map(String::as_str);
        let strip_formatted = formatted.chain([INTERNAL_FIELD]).collect();
        Self { is_hit: true, displayed, strip, strip_formatted, ..Self::default() }
    }

    /// Whether only members whose names begin with `_` are looked at: most often they are few among many.
    pub(crate) fn only_underscores(&self) -> bool {
        self.strip.is_empty() && self.watch.is_none()
    }

    /// What to do about the member `key`; `None` to pass it on.
    #[inline]
    pub(crate) fn action(&self, key: &[u8]) -> Option<Action> {
        if key.first() == Some(&b'_') {
            let action = match key {
                b"_miroir" => Some(Action::Drop),
                b"_rankingScore" if self.is_hit => (!self.show_score).then_some(Action::Drop),
                b"_rankingScoreDetails" if self.is_hit && !self.show_details => Some(Action::Drop),
                b"_rankingScoreDetails" if self.is_similar => Some(Action::Similarity),
                b"_rankingScoreDetails" if self.is_hit => self.displayed.map(|_| Action::Redact),
                b"_formatted" if self.is_hit => Some(Action::Formatted),
                b"_matchesPosition" if self.is_hit => Some(Action::Matches),
                b"_federation" if self.is_federated => Some(Action::Federation),
                b"_federation" if self.is_weighted => Some(Action::Drop),
                _ => self.strip_action(key),
            };
            return action;
        }
        self.strip_action(key)
    }

    fn strip_action(&self, key: &[u8]) -> Option<Action> {
        let mut action = None;
        for path in &self.strip {
            match below(key, path) {
                Some("") => return Some(Action::Drop),
                Some(_) => action = Some(Action::Prune),
                None => {}
            }
        }
        action
    }

    /// Whether anything of the top-level member `key` may be seen.
    pub(crate) fn shows_member(&self, key: &[u8]) -> bool {
        self.displayed.is_none_or(|displayed| displayed.iter().any(|path| below(key, path).is_some()))
    }

    /// Whether the value at the path `key` may be seen: it or something above it is displayed.
    pub(crate) fn shows_path(&self, key: &str) -> bool {
        is_visible(key)
            && self
                .displayed
                .is_none_or(|displayed| displayed.iter().any(|path| below(path.as_bytes(), key).is_some()))
    }

    /// Whether sort rules may tell the values of the attribute `name`: only if it is displayed under this very name.
    pub(crate) fn shows_attribute(&self, name: &[u8]) -> bool {
        self.displayed.is_none_or(|displayed| displayed.iter().any(|path| below(name, path) == Some("")))
    }
}

/// Whether an attribute is not (part of) the internal field.
pub(crate) fn is_visible(name: &str) -> bool {
    !is_internal(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_internal_field_is_visible_to_nobody() {
        assert!(!is_visible("_miroir") && !is_visible("_miroir.s") && is_visible("_miroirs"));
        assert_eq!(Shape::default().action(b"_miroir"), Some(Action::Drop));
    }

    #[test]
    fn scores_of_documents_are_their_own() {
        assert_eq!(Shape::of_document(&[]).action(b"_rankingScore"), None);
        assert_eq!(Shape::of_hit(&[], &[], None).action(b"_rankingScore"), Some(Action::Drop));
    }

    #[test]
    fn displayed_attributes_show_what_is_below_them() {
        let displayed = ["a".to_owned(), "b.c".to_owned()];
        let shape = Shape::of_hit(&[], &[], Some(&displayed));
        assert!(shape.shows_path("a") && shape.shows_path("a.x") && shape.shows_path("b.c"));
        assert!(!shape.shows_path("b") && !shape.shows_path("b.d") && !shape.shows_path("ab"));
        assert!(shape.shows_member(b"b") && !shape.shows_member(b"c"));
        assert!(shape.shows_attribute(b"a") && !shape.shows_attribute(b"a.x"));
    }
}
