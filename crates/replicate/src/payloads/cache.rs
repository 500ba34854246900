//! The indexes of payloads that appliers are about to need.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::{PayloadError, split::StoredSplit};

/// How many bytes the indexes kept may take in memory, and how many there may be.
const KEPT_BYTES: usize = 64 << 20;
const KEPT: usize = 512;

/// Indexes by entry. One is made once however many appliers ask for it at the same time, and goes when others were used
/// more recently.
#[derive(Debug, Default)]
pub(super) struct SplitCache {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    slots: BTreeMap<u32, Slot>,
    /// Counts the uses, so that the least recent one is known.
    uses: u64,
}

#[derive(Debug, Default)]
struct Slot {
    split: Arc<OnceCell<Arc<StoredSplit>>>,
    used: u64,
}

// === impl SplitCache ===

impl SplitCache {
    /// The index of an entry's payload, made by `make` where none is kept that fits. Where that fails the next one to ask
    /// tries.
    pub(super) async fn get(
        &self,
        uid: u32,
        fits: impl Fn(&StoredSplit) -> bool,
        make: impl AsyncFnOnce() -> Result<StoredSplit, PayloadError>,
    ) -> Result<Arc<StoredSplit>, PayloadError> {
        let cell = self.kept.lock().cell(uid, fits);
        if let Some(split) = cell.get() {
            return Ok(split.clone());
        }
        let split = cell.get_or_try_init(async || make().await.map(Arc::new)).await?.clone();
        self.kept.lock().shrink(KEPT, KEPT_BYTES);
        Ok(split)
    }
}

// === impl Kept ===

impl Kept {
    fn cell(&mut self, uid: u32, fits: impl Fn(&StoredSplit) -> bool) -> Arc<OnceCell<Arc<StoredSplit>>> {
        self.uses += 1;
        let slot = self.slots.entry(uid).or_default();
        // A decision that was taken back may have been about another primary key.
        if slot.split.get().is_some_and(|split| !fits(split)) {
            *slot = Slot::default();
        }
        slot.used = self.uses;
        slot.split.clone()
    }

    /// Lets go of the least recently used ones until the rest is few and small enough. Whoever reads one goes on.
    fn shrink(&mut self, most: usize, most_bytes: usize) {
        let size = |slot: &Slot| slot.split.get().map_or(0, |split| split.in_memory());
        let mut bytes: usize = self.slots.values().map(size).sum();
        while self.slots.len() > most || (bytes > most_bytes && self.slots.len() > 1) {
            let oldest = self.slots.iter().min_by_key(|(_, slot)| slot.used).map(|(uid, _)| *uid);
            let Some(slot) = oldest.and_then(|uid| self.slots.remove(&uid)) else { return };
            bytes = bytes.saturating_sub(size(&slot));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: usize) -> StoredSplit {
        StoredSplit::of_bytes(bytes)
    }

    #[tokio::test]
    async fn an_index_is_made_once_for_all_who_ask() {
        let cache = SplitCache::default();
        let made = Mutex::new(0);
        let make = async || {
            *made.lock() += 1;
            tokio::task::yield_now().await;
            Ok(of(8))
        };
        let (one, two) = tokio::join!(cache.get(3, |_| true, make), cache.get(3, |_| true, make));
        assert!(Arc::ptr_eq(&one.expect("an index"), &two.expect("an index")));
        assert_eq!(*made.lock(), 1);
    }

    #[tokio::test]
    async fn a_failure_is_not_kept() {
        let cache = SplitCache::default();
        let failing = async || Err(PayloadError::Log(miroir_log::LogError::StorageFull));
        cache.get(3, |_| true, failing).await.expect_err("no index");
        cache.get(3, |_| true, async || Ok(of(8))).await.expect("an index");
    }

    #[tokio::test]
    async fn one_that_does_not_fit_is_made_again() {
        let cache = SplitCache::default();
        let one = cache.get(3, |_| true, async || Ok(of(8))).await.expect("an index");
        let fits = |split: &StoredSplit| split.in_memory() == 16;
        let other = cache.get(3, fits, async || Ok(of(16))).await.expect("an index");
        assert!(!Arc::ptr_eq(&one, &other) && other.in_memory() == 16);
    }

    #[tokio::test]
    async fn the_least_recently_used_goes_first() {
        let cache = SplitCache::default();
        for uid in [1, 2, 3, 1] {
            cache.get(uid, |_| true, async || Ok(of(10))).await.expect("an index");
        }
        let kept = |cache: &SplitCache| cache.kept.lock().slots.keys().copied().collect::<Vec<_>>();
        cache.kept.lock().shrink(2, 100);
        assert_eq!(kept(&cache), [1, 3]);
        cache.kept.lock().shrink(2, 5);
        assert_eq!(kept(&cache), [1], "one is kept however large it is");
    }
}
