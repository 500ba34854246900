//! The path of the id in a document.

/// What separates the levels of a nested primary key.
const LEVEL_SEPARATOR: char = '.';

/// A primary key: the name of a field, or a path into nested objects (`meta.id`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrimaryKey {
    path: String,
}

impl PrimaryKey {
    /// The primary key of this name.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into() }
    }

    /// The name.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// What of `path` remains below a field of this name: nothing if the field is the id itself, `None` if the field has
/// nothing to do with it. A name may hold several levels, as `a.b` does for `a.b.c`.
pub(super) fn below<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    // a field with an empty name is no level
    let rest = path.strip_prefix(name).filter(|_| !name.is_empty())?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(LEVEL_SEPARATOR) }
}
