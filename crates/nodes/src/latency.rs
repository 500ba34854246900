//! How long a node takes over reads, and how long it is waited for before another one is asked too.

use std::{
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
    time::Duration,
};

/// How many reads are remembered.
const SAMPLES: usize = 128;
/// So many reads after another the quantile is looked at again.
const REFRESH: usize = 8;
/// Fewer reads than this say nothing yet.
const ENOUGH: usize = 16;
/// Of so many reads, all but the slowest few are faster than the quantile: 95 in 100.
const QUANTILE: (usize, usize) = (95, 100);

/// How long a node is waited for that nothing is known of.
const UNKNOWN: Duration = Duration::from_millis(100);
/// The bounds of waiting, whatever was measured.
const SHORTEST: Duration = Duration::from_millis(2);
pub(crate) const LONGEST: Duration = Duration::from_millis(300);

/// A tenth of all reads may be asked twice, and so many at once where a node stops answering under load.
const PER_READ: u32 = 1;
const PER_HEDGE: u32 = 10;
const MOST: u32 = 640;

/// The latest reads of one node. Lock-free: every read writes here, and no one waits. A reader may see a mixture of two
/// moments, which is as good.
#[derive(Debug)]
pub struct Latency {
    /// Microseconds; 0 where there is none yet.
    samples: [AtomicU32; SAMPLES],
    count: AtomicUsize,
    /// The quantile of the samples, in microseconds.
    quantile: AtomicU32,
    /// Tenths of further requests that may be made.
    budget: AtomicU32,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            samples: [const { AtomicU32::new(0) }; SAMPLES],
            count: AtomicUsize::new(0),
            quantile: AtomicU32::new(0),
            budget: AtomicU32::new(MOST),
        }
    }
}

impl Latency {
    /// Records how long a read took.
    pub fn record(&self, took: Duration) {
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).max(1);
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        self.samples[count % SAMPLES].store(micros, Ordering::Relaxed);
        if count % REFRESH == REFRESH - 1 {
            self.refresh();
        }
        let more = |budget: u32| (budget < MOST).then_some(budget + PER_READ);
        // Full is full.
        let _ = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// The time within which 95 of 100 reads were answered lately; `None` while too few are known.
    pub fn quantile(&self) -> Option<Duration> {
        match self.quantile.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros.into())),
        }
    }

    /// How long the node is waited for before another one is asked the same: what it hardly ever takes longer than.
    pub fn patience(&self) -> Duration {
        self.quantile().map_or(UNKNOWN, |quantile| quantile.clamp(SHORTEST, LONGEST))
    }

    /// How many reads the node has answered; as long as this does not change, it may be hanging.
    pub fn answered(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether one more request may be made because this node is slow. Only a share of all reads may, so that nodes which
    /// are slow under load do not get twice the load.
    pub fn may_hedge(&self) -> bool {
        let less = |budget: u32| budget.checked_sub(PER_HEDGE);
        self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    fn refresh(&self) {
        let samples = self.samples.each_ref().map(|sample| sample.load(Ordering::Relaxed));
        let mut known: Vec<u32> = samples.into_iter().filter(|sample| *sample > 0).collect();
        if known.len() < ENOUGH {
            return;
        }
        let place = known.len() * QUANTILE.0 / QUANTILE.1;
        let (_, quantile, _) = known.select_nth_unstable(place.min(samples.len() - 1));
        self.quantile.store(*quantile, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_node_is_waited_for_as_long_as_it_hardly_ever_takes() {
        let latency = Latency::default();
        assert_eq!(latency.patience(), UNKNOWN);
        for number in 0..100u32 {
            latency.record(MS * (number % 20 + 1));
        }
        let patience = latency.patience();
        assert!(patience >= MS * 19 && patience <= MS * 20, "{patience:?}");
    }

    #[test]
    fn patience_is_bounded_and_follows_the_latest_reads() {
        let latency = Latency::default();
        (0..SAMPLES).for_each(|_| latency.record(Duration::from_secs(2)));
        assert_eq!(latency.patience(), LONGEST);
        (0..SAMPLES).for_each(|_| latency.record(Duration::from_micros(80)));
        assert_eq!(latency.patience(), SHORTEST);
    }

    #[test]
    fn only_a_share_of_all_reads_is_asked_twice() {
        let latency = Latency::default();
        let burst = (0..1_000).filter(|_| latency.may_hedge()).count();
        assert_eq!(burst, (MOST / PER_HEDGE) as usize);
        (0..100).for_each(|_| latency.record(MS));
        assert_eq!((0..100).filter(|_| latency.may_hedge()).count(), 10);
    }
}
