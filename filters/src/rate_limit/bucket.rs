//! One token bucket, as one number: the moment at which it will be full again.

use std::time::{Duration, Instant};

/// Tells the time, as the time passed since some fixed moment.
pub trait Clock: Clone + Send + Sync {
    /// The time since that moment.
    fn now(&self) -> Duration;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Monotonic {
    origin: Instant,
}

/// How many tokens a bucket holds and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    tokens: u32,
    /// The time in which one token comes back, in nanoseconds.
    interval: u64,
}

/// When a bucket is full again, in nanoseconds of the clock. A moment that has passed means that it is full.
pub(super) type FullAt = u64;

/// What a bucket says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it took a token.
    pub allowed: bool,
    /// How many tokens are left.
    pub remaining: u32,
    /// When the bucket is full again, from now.
    pub reset: Duration,
    /// When there is a token again, from now. Zero if there is one.
    pub retry_after: Duration,
}

// === impl Monotonic ===

impl Default for Monotonic {
    fn default() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for Monotonic {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

// === impl Quota ===

impl Quota {
    /// So many tokens, all of which come back in the time of `per`.
    pub fn new(tokens: u32, per: Duration) -> Self {
        let tokens = tokens.max(1);
        let interval = (nanoseconds(per) / u64::from(tokens)).max(1);
        Self { tokens, interval }
    }

    /// Takes a token out of a bucket, if there is one.
    pub fn take(self, bucket: &mut FullAt, now: Duration) -> Decision {
        let now = nanoseconds(now);
        // What is missing in the bucket is the time until it is full.
        let missing = bucket.saturating_sub(now);
        let capacity = self.interval.saturating_mul(u64::from(self.tokens));
        let wanted = missing.saturating_add(self.interval);
        let allowed = wanted <= capacity;
        let missing = if allowed { wanted } else { missing };
        *bucket = now.saturating_add(missing);
        let remaining = u32::try_from(capacity.saturating_sub(missing) / self.interval).unwrap_or(u32::MAX);
        let next = missing.saturating_add(self.interval).saturating_sub(capacity);
        Decision {
            allowed,
            remaining,
            reset: Duration::from_nanos(missing),
            retry_after: Duration::from_nanos(next),
        }
    }
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ten_a_second() -> Quota {
        Quota::new(10, SECOND)
    }

    #[test]
    fn all_tokens_can_be_taken_at_once_and_no_more() {
        let (quota, mut bucket) = (ten_a_second(), 0);
        for left in (0..10).rev() {
            let decision = quota.take(&mut bucket, SECOND);
            assert!(decision.allowed);
            assert_eq!(decision.remaining, left);
        }
        let decision = quota.take(&mut bucket, SECOND);
        assert!(!decision.allowed);
        assert_eq!(decision.remaining, 0);
        assert_eq!(decision.retry_after, Duration::from_millis(100));
        assert_eq!(decision.reset, SECOND);
    }

    #[test]
    fn tokens_come_back_one_by_one() {
        let (quota, mut bucket) = (ten_a_second(), 0);
        for _ in 0..10 {
            quota.take(&mut bucket, Duration::ZERO);
        }
        assert!(!quota.take(&mut bucket, Duration::from_millis(99)).allowed);
        assert!(quota.take(&mut bucket, Duration::from_millis(100)).allowed);
        assert!(!quota.take(&mut bucket, Duration::from_millis(150)).allowed);
        assert!(quota.take(&mut bucket, Duration::from_millis(200)).allowed);
    }

    #[test]
    fn remaining_gets_reset() {
        let (quota, mut bucket) = (ten_a_second(), 0);
        for _ in 0..10 {
            quota.take(&mut bucket, Duration::ZERO);
        }
        let decision = quota.take(&mut bucket, SECOND);
        assert_eq!((decision.remaining, decision.reset), (9, Duration::from_millis(100)));
        assert_eq!(decision.retry_after, Duration::ZERO);
    }

    #[test]
    fn refused_requests_cost_nothing() {
        let (quota, mut bucket) = (Quota::new(1, SECOND), 0);
        assert!(quota.take(&mut bucket, Duration::ZERO).allowed);
        for _ in 0..1000 {
            assert!(!quota.take(&mut bucket, Duration::from_millis(999)).allowed);
        }
        assert!(quota.take(&mut bucket, SECOND).allowed);
    }

    #[test]
    fn extremes_do_not_overflow() {
        for quota in [Quota::new(u32::MAX, Duration::MAX), Quota::new(1, Duration::MAX), Quota::new(u32::MAX, SECOND)] {
            let mut bucket = 0;
            assert!(quota.take(&mut bucket, Duration::MAX).allowed);
            quota.take(&mut bucket, Duration::ZERO);
        }
    }
}
