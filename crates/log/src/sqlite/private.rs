//! What is in the log is for the gateway's own user: documents, keys of nodes, addresses of webhooks.

use std::{
    fs::{DirBuilder, OpenOptions, Permissions, set_permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Owner only, of a directory and of a file.
const DIRECTORY: u32 = 0o700;
const FILE: u32 = 0o600;

/// Makes a directory, and those above it, where they are not there. One that is there stays as it is.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY).create(path)
}

/// Makes a file where it is not there, and makes it private where it is. SQLite gives the files beside its database the
/// same permissions.
pub(super) fn create_file(path: &Path) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).mode(FILE).open(path)?;
    set_permissions(path, Permissions::from_mode(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_reads_the_log() {
        let directory = tempfile::tempdir().expect("a directory");
        let (below, file) = (directory.path().join("a/b"), directory.path().join("a/b/log.db"));
        create_directory(&below).expect("created");
        let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(&below), DIRECTORY);
        std::fs::write(&file, "").expect("written");
        create_file(&file).expect("made private");
        assert_eq!(mode(&file), FILE);
    }
}
