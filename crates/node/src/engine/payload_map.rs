//! Payloads in memory, in the form the indexer takes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use memmap2::{Mmap, MmapMut};

/// The payload in a file, as memory that the indexer can read from several threads.
///
/// The indexer takes nothing but a memory map. Mapping the file itself is not safe in Rust's sense, as anybody may
/// cut it off meanwhile, so its content is copied into anonymous memory; batches are kept small enough for that.
pub(crate) fn load(path: &Path) -> io::Result<Option<Mmap>> {
    let mut file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    if length == 0 {
        return Ok(None);
    }
    let mut map = MmapMut::map_anon(length)?;
    file.read_exact(&mut map)?;
    map.make_read_only().map(Some)
}

#[cfg(test)]
mod tests {
    use super::load;

    #[test]
    fn empty_payload_has_no_map() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("payload");
        std::fs::write(&path, b"").expect("a file is written");
        assert!(load(&path).expect("the file is read").is_none());
        std::fs::write(&path, b"{\"id\":1}").expect("a file is written");
        let map = load(&path).expect("the file is read").expect("there is content");
        assert_eq!(&map[..], b"{\"id\":1}");
    }
}
