//! What tells that a payload is what was written.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

/// The XXH3 hash of bytes that come piece by piece.
#[derive(Default)]
pub(super) struct Checksum(Box<Xxh3>);

// === impl Checksum ===

impl Checksum {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// That of all bytes so far.
    pub(super) fn get(&self) -> u64 {
        self.0.digest()
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Checksum").field(&self.get()).finish()
    }
}
