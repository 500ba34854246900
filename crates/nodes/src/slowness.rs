//! Whether a node's reads are slow although it answers, and the read by which that is found out again and again.
//!
//! A node that answers everything else at once may still be slow to search. What is seen of that is only what searches
//! take: so the read that was not waited for is kept, and asked again from time to time by nobody's client, until it takes
//! as long as it should.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use parking_lot::Mutex;

use crate::request::NodeRequest;

/// Reads in a row that others were quicker with, after which a node is left alone while a copy is elsewhere.
const SLOW_AFTER: u32 = 3;
/// Quick reads in a row after which it is not.
const QUICK_AFTER: u32 = 2;
/// So many tries later twice as much counts as quick: a node that is slower for good is not left alone for good.
const TRIES: u32 = 16;

/// What has been seen of a node's reads. Lock-free where nothing is slow.
#[derive(Debug, Default)]
pub(crate) struct Slowness {
    /// In a row.
    slow: AtomicU32,
    quick: AtomicU32,
    /// How often the kept read has been asked again.
    tries: AtomicU32,
    kept: Mutex<Option<Kept>>,
}

/// A read that the node was too slow for.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) read: NodeRequest,
    /// How long it may take.
    most: Duration,
}

// === impl Slowness ===

impl Slowness {
    /// How many reads in a row it was too slow for.
    pub(crate) fn count(&self) -> u32 {
        self.slow.load(Ordering::Relaxed)
    }

    /// Whether reads leave it alone.
    pub(crate) fn is_slow(&self) -> bool {
        self.count() >= SLOW_AFTER
    }

    /// Another node was quicker, with `quicker`, though it was asked later. `patience` is what the node hardly ever takes
    /// longer than.
    pub(crate) fn was_slow(&self, read: &NodeRequest, quicker: Duration, patience: Duration) {
        *self.kept.lock() = Some(Kept { read: read.clone(), most: patience.max(quicker * 2) });
        self.quick.store(0, Ordering::Relaxed);
        self.slow.fetch_add(1, Ordering::Relaxed);
    }

    /// A read took no longer than it should.
    pub(crate) fn was_quick(&self) {
        let slow = self.count();
        if slow == 0 || (slow >= SLOW_AFTER && self.quick.fetch_add(1, Ordering::Relaxed) + 1 < QUICK_AFTER) {
            return;
        }
        self.slow.store(0, Ordering::Relaxed);
        self.quick.store(0, Ordering::Relaxed);
        self.tries.store(0, Ordering::Relaxed);
        *self.kept.lock() = None;
    }

    /// The read to be asked again, where the node is left alone.
    pub(crate) fn to_try(&self) -> Option<Kept> {
        if self.is_slow() { self.kept.lock().clone() } else { None }
    }

    /// The kept read was asked again and took so long.
    pub(crate) fn tried(&self, kept: &Kept, took: Duration) {
        let tries = self.tries.fetch_add(1, Ordering::Relaxed);
        if took <= kept.most + kept.most * tries / TRIES {
            self.was_quick();
        } else {
            self.quick.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn slow() -> Slowness {
        let slowness = Slowness::default();
        let read = NodeRequest::query(Uri::from_static("/indexes/movies/search"), "{}");
        (0..SLOW_AFTER).for_each(|_| slowness.was_slow(&read, MS * 4, MS * 10));
        slowness
    }

    #[test]
    fn a_slow_node_is_back_after_two_quick_tries_in_a_row() {
        let slowness = slow();
        for took in [MS * 200, MS * 9, MS * 200, MS * 9] {
            assert!(slowness.is_slow());
            slowness.tried(&slowness.to_try().expect("a read"), took);
        }
        assert!(slowness.is_slow());
        slowness.tried(&slowness.to_try().expect("a read"), MS * 9);
        assert!(!slowness.is_slow() && slowness.to_try().is_none());
    }

    #[test]
    fn one_quick_read_ends_a_row_that_is_not_long_enough() {
        let slowness = Slowness::default();
        let read = NodeRequest::get(Uri::from_static("/indexes"));
        (0..10).for_each(|_| {
            slowness.was_slow(&read, MS, MS);
            slowness.was_slow(&read, MS, MS);
            slowness.was_quick();
        });
        assert!(!slowness.is_slow());
    }

    #[test]
    fn what_is_slow_for_good_is_tried_by_clients_again_in_the_end() {
        let slowness = slow();
        let tries = std::iter::from_fn(|| slowness.to_try()).inspect(|kept| slowness.tried(kept, MS * 30));
        assert_eq!(tries.count(), 2 * TRIES as usize + 2);
    }
}
