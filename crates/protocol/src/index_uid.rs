//! Names of indexes.

use std::{fmt, ops::Deref, str::FromStr};

use deserr::Deserr;
use serde::Serialize;

use crate::{
    error::{Code, ResponseError},
    parse::{FromParam, ValueError},
};

/// Longest name an index can have, in bytes.
const MAX_LEN: usize = 400;

/// A name that an index can have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserr)]
#[serde(transparent)]
#[deserr(try_from(String) = IndexUid::try_from -> InvalidIndexUid)]
pub struct IndexUid(String);

/// A text that no index can have as its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a valid index uid. Index uid can be an integer or a string containing only alphanumeric \
     characters, hyphens (-) and underscores (_), and can not be more than 512 bytes."
)]
pub struct InvalidIndexUid(String);

impl IndexUid {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as text.
    pub fn into_inner(self) -> String {
        self.0
    }

    /// Checks a name that comes from the path of a request.
    pub fn from_path(uid: &str) -> Result<Self, ResponseError> {
        Ok(uid.parse::<Self>()?)
    }
}

impl TryFrom<String> for IndexUid {
    type Error = InvalidIndexUid;

    fn try_from(uid: String) -> Result<Self, InvalidIndexUid> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if uid.is_empty() || uid.len() > MAX_LEN || !uid.bytes().all(good) {
            return Err(InvalidIndexUid(uid));
        }
        Ok(Self(uid))
    }
}

impl FromStr for IndexUid {
    type Err = InvalidIndexUid;

    fn from_str(uid: &str) -> Result<Self, InvalidIndexUid> {
        uid.to_owned().try_into()
    }
}

impl FromParam for IndexUid {
    type Err = InvalidIndexUid;

    fn from_param(text: &str) -> Result<Self, InvalidIndexUid> {
        text.parse()
    }
}

impl Deref for IndexUid {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IndexUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ValueError for InvalidIndexUid {}

impl From<InvalidIndexUid> for ResponseError {
    fn from(error: InvalidIndexUid) -> Self {
        Self::new(Code::InvalidIndexUid, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::IndexUid;

    #[test]
    fn takes_letters_digits_hyphens_and_underscores() {
        for uid in ["movies", "a-b_C9", "1", &"x".repeat(400)] {
            assert_eq!(uid.parse::<IndexUid>().expect(uid).as_str(), uid);
        }
    }

    #[test]
    fn refuses_everything_else() {
        for uid in ["", "bad uid", "é", "a/b", "*", &"x".repeat(401)] {
            assert!(uid.parse::<IndexUid>().is_err(), "{uid}");
        }
    }

    #[test]
    fn says_what_a_name_can_be() {
        let error = IndexUid::from_path("bad!uid").expect_err("refused");
        assert_eq!(error.code_name(), "invalid_index_uid");
        assert!(
            error.message().starts_with("`bad!uid` is not a valid index uid. Index uid can be an integer")
        );
    }
}
