//! Whether the database is still where it was opened: SQLite goes on writing to a file that was removed, and what is
//! written there is gone with the process.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::error::{LogError, Result};

/// A file, as it was found at a path.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    found: (u64, u64),
}

// === impl Place ===

impl Place {
    /// The file that is there now.
    pub(super) fn of(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_owned(), found: identity(path)? })
    }

    /// Fails where it is there no more, or another is in its place.
    pub(super) fn check(&self) -> Result<()> {
        match identity(&self.path) {
            Ok(found) if found == self.found => Ok(()),
            _ => Err(LogError::Damaged(format!("`{}` was removed or replaced", self.path.display()))),
        }
    }
}

fn identity(path: &Path) -> Result<(u64, u64)> {
    let metadata = path.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_was_removed_or_replaced_is_missed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log.db");
        fs::write(&path, "one").expect("written");
        let place = Place::of(&path).expect("there");
        fs::write(&path, "written to").expect("written");
        place.check().expect("the same file");
        let other = directory.path().join("other");
        fs::write(&other, "another").expect("written");
        fs::rename(&other, &path).expect("replaced");
        place.check().expect_err("another file");
        fs::remove_file(&path).expect("removed");
        place.check().expect_err("no file");
    }
}
