//! How many documents of a payload have different ids.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64;

/// So many ids are told apart; what comes behind them is counted as it is.
const MOST: usize = 1 << 21;

/// What stands for an id where many are kept.
pub fn id_hash(id: &str) -> u64 {
    xxh3_64(id.as_bytes())
}

/// Counts ids.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    seen: HashSet<u64, foldhash::fast::FixedState>,
    repeated: u64,
    count: u64,
}

impl Distinct {
    /// Notes the id of the next document.
    pub(super) fn note(&mut self, hash: u64) {
        self.count += 1;
        let is_known =
            if self.seen.len() < MOST { !self.seen.insert(hash) } else { self.seen.contains(&hash) };
        self.repeated += u64::from(is_known);
    }

    /// How many different ones there were.
    pub(super) fn count(&self) -> u64 {
        self.count - self.repeated
    }
}
