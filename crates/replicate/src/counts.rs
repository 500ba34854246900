//! What nodes count of what an entry did there.

use std::{ops::Add, sync::Arc};

use miroir_log::Operation;
use miroir_shard::{Slot, SlotSet};

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

/// What an entry did on one node, and to whose documents there it was done.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) counts: Counts,
    pub(crate) slots: Arc<SlotSet>,
}

/// Whether an entry's task says what nodes counted.
pub(crate) fn are_counted(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::DocumentDeletion { .. }
            | Operation::DocumentEdition { .. }
            | Operation::IndexDeletion
            | Operation::IndexCompaction
    )
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
    /// What nodes of a group counted that hold so many copies, as one copy's.
    ///
    /// While shards change hands both nodes do the same to their documents. One of them is left out where others have done all
    /// that it did: that is exact for a node that joins and for one that leaves. Where each of the two has done something else as
    /// well, what both did is counted twice.
    pub(crate) fn of_group(mut nodes: Vec<&Counted>, copies: u64) -> Self {
        let mut times = vec![0_u64; Slot::all().count()];
        let of = |slot: Slot| usize::from(slot.index());
        for slot in nodes.iter().flat_map(|node| node.slots.iter()) {
            times[of(slot)] += 1;
        }
        nodes.sort_by_key(|node| node.slots.len());
        nodes.retain(|node| {
            let is_needed = node.slots.iter().any(|slot| times[of(slot)] <= copies);
            if !is_needed {
                node.slots.iter().for_each(|slot| times[of(slot)] -= 1);
            }
            is_needed
        });
        nodes.iter().fold(Self::default(), |sum, node| sum + node.counts).of_one(copies)
    }

    /// What is one copy's of what so many copies counted together.
    fn of_one(self, copies: u64) -> Self {
        let one = |count: u64| count.div_ceil(copies);
        let compacted = (one(self.compacted.0), one(self.compacted.1));
        Self { deleted: one(self.deleted), edited: one(self.edited), compacted }
    }
}
