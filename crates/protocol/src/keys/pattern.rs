//! Which indexes a key is good for.

use deserr::Deserr;
use serde::{Deserialize, Serialize};

use crate::{index_uid::IndexUid, parse::ValueError};

/// The name of an index, the beginning of names before a star, or a star.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserr, Serialize, Deserialize)]
#[deserr(try_from(String) = IndexUidPattern::try_from -> InvalidIndexUidPattern)]
#[serde(transparent)]
pub struct IndexUidPattern(String);

/// A text that is no pattern of names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a valid index uid pattern. Index uid patterns can be an integer or a string containing only \
     alphanumeric characters, hyphens (-), underscores (_), and optionally end with a star (*)."
)]
pub struct InvalidIndexUidPattern(String);

impl IndexUidPattern {
    /// The pattern of all names.
    pub fn all() -> Self {
        Self("*".to_owned())
    }

    /// Whether every name matches.
    pub fn is_all(&self) -> bool {
        self.0 == "*"
    }

    /// Whether it is the name of one index.
    pub fn is_exact(&self) -> bool {
        !self.0.ends_with('*')
    }

    /// Whether the name matches.
    pub fn matches(&self, uid: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => uid.starts_with(beginning),
            None => self.0 == uid,
        }
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IndexUidPattern {
    type Error = InvalidIndexUidPattern;

    fn try_from(text: String) -> Result<Self, InvalidIndexUidPattern> {
        let name = text.strip_suffix('*').unwrap_or(&text);
        if text == "*" || name.parse::<IndexUid>().is_ok() {
            return Ok(Self(text));
        }
        // As Meilisearch does, the star is left out of what is said to be wrong.
        Err(InvalidIndexUidPattern(name.to_owned()))
    }
}

impl ValueError for InvalidIndexUidPattern {}

#[cfg(test)]
mod tests {
    use super::IndexUidPattern;

    fn pattern(text: &str) -> IndexUidPattern {
        text.to_owned().try_into().expect(text)
    }

    #[test]
    fn star_stands_for_the_rest() {
        assert!(pattern("mov*").matches("movies") && !pattern("mov*").matches("books"));
        assert!(pattern("movies").matches("movies") && !pattern("movies").matches("movies2"));
        assert!(pattern("*").matches("anything"));
    }

    #[test]
    fn star_elsewhere_is_refused() {
        for text in ["", "a*b", "**", "b@d", "b d*"] {
            assert!(IndexUidPattern::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
