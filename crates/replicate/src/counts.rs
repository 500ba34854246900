//! What nodes count of what an entry did there.

use std::ops::Add;

/// What an entry did on one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// How many documents it deleted.
    pub(crate) deleted: u64,
    /// How many it edited.
    pub(crate) edited: u64,
    /// How many bytes the index that it compacted had taken, and takes now.
    pub(crate) compacted: (u64, u64),
}

// === impl Counts ===

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            deleted: self.deleted + other.deleted,
            edited: self.edited + other.edited,
            compacted: (self.compacted.0 + other.compacted.0, self.compacted.1 + other.compacted.1),
        }
    }
}

impl Counts {
    /// What is one copy's of what so many copies counted together.
    pub(crate) fn of_one(self, copies: u64) -> Self {
        let one = |count: u64| count.div_ceil(copies);
        let compacted = (one(self.compacted.0), one(self.compacted.1));
        Self { deleted: one(self.deleted), edited: one(self.edited), compacted }
    }
}
