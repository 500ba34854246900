//! A bounded number of buckets, by client.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
};

use parking_lot::Mutex;

use super::bucket::FullAt;

/// Locked on their own, so that clients seldom wait for each other.
const SHARDS: usize = 16;

/// Buckets by client: never more than a given number of them.
#[derive(Debug)]
pub struct Buckets<K> {
    shards: [Mutex<HashMap<K, FullAt>>; SHARDS],
    per_shard: usize,
    hasher: RandomState,
}

// === impl Buckets ===

impl<K: Eq + Hash + Copy> Buckets<K> {
    /// Room for at least so many clients.
    pub fn new(max: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            per_shard: max.div_ceil(SHARDS).max(1),
            hasher: RandomState::new(),
        }
    }

    /// Uses the bucket of a client, a full one if it is new.
    pub fn with<R>(&self, client: K, now: FullAt, take: impl FnOnce(&mut FullAt) -> R) -> R {
        // The low bits choose the place inside a map, so the high ones choose the map.
        let shard = (self.hasher.hash_one(client) >> 60) as usize % SHARDS;
        let mut buckets = self.shards[shard].lock();
        if let Some(bucket) = buckets.get_mut(&client) {
            return take(bucket);
        }
        if buckets.len() >= self.per_shard {
            make_room(&mut buckets, now);
        }
        take(buckets.entry(client).or_insert(now))
    }

    /// How many clients are known.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether no client is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Drops the buckets that are full, which say no more than none at all; if they are few, also those nearest to full.
/// An eighth of the room becomes free at least, so that the work is spread over the clients to come.
fn make_room<K: Eq + Hash + Copy>(buckets: &mut HashMap<K, FullAt>, now: FullAt) {
    let goal = buckets.len() - buckets.len().div_ceil(8);
    buckets.retain(|_, full_at| *full_at > now);
    if buckets.len() <= goal {
        return;
    }
    let mut by_time: Vec<(FullAt, K)> = buckets.iter().map(|(client, full_at)| (*full_at, *client)).collect();
    let excess = by_time.len() - goal;
    by_time.select_nth_unstable_by_key(excess - 1, |(full_at, _)| *full_at);
    for (_, client) in &by_time[..excess] {
        buckets.remove(client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_finds_its_bucket_again() {
        let buckets = Buckets::new(10);
        buckets.with("a", 5, |bucket| *bucket = 50);
        assert_eq!(buckets.with("a", 6, |bucket| *bucket), 50);
        assert_eq!(buckets.with("b", 6, |bucket| *bucket), 6);
    }

    #[test]
    fn there_are_never_more_than_allowed() {
        let buckets = Buckets::new(160);
        for client in 0..10_000_u32 {
            buckets.with(client, 0, |bucket| *bucket = u64::from(client) + 1);
        }
        assert!(buckets.len() <= 160, "{} buckets", buckets.len());
    }

    #[test]
    fn full_buckets_go_first_then_those_nearest_to_full() {
        let mut buckets: HashMap<u64, FullAt> = (0..64).map(|client| (client, client * 10)).collect();
        make_room(&mut buckets, 315);
        assert_eq!(buckets.len(), 32);
        make_room(&mut buckets, 0);
        assert_eq!(buckets.len(), 28);
        assert!(buckets.values().all(|full_at| *full_at >= 360), "{buckets:?}");
    }

    #[test]
    fn a_single_place_is_enough_to_work() {
        let buckets = Buckets::new(1);
        for client in 0..100_u32 {
            buckets.with(client, 0, |bucket| *bucket = 9);
        }
        assert!(buckets.len() <= SHARDS);
    }
}
