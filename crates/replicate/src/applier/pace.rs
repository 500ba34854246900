//! How often an applier looks at its node's tasks, and how long it leaves a failing node alone.

use std::time::Duration;

use tokio::time::Instant;

/// How soon a node's tasks are looked at after a dispatch or a success.
const FIRST_POLL: Duration = Duration::from_millis(3);
/// What has taken long will not end just now: an end is noticed late by at most such a part of the time since the last one.
/// Of a short time, which clients wait for, it is a larger part, as long as the pause is no longer than `SLOW_POLL`.
const PART_OF_SHORT_WAIT: u32 = 4;
const SLOW_POLL: Duration = Duration::from_millis(40);
const PART_OF_WAIT: u32 = 64;
const SLOWEST_POLL: Duration = Duration::from_secs(1);
/// How long a failing node is left alone, doubled up to the longest.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const SLOWEST_RETRY: Duration = Duration::from_secs(2);
/// After so many failures in a row nobody waits for the node any more.
const LONG: u32 = 3;

/// When a node's tasks are looked at next.
#[derive(Debug)]
pub(crate) struct Poll {
    next: Instant,
    /// Since when the node has been at what it does now.
    since: Instant,
}

/// How long a failing node is left alone.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

// === impl Poll ===

impl Poll {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self { next: now + FIRST_POLL, since: now }
    }

    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Something was sent to a node that had nothing to do. What is sent to one that has comes behind that and changes
    /// nothing; looking is never put off by it.
    pub(crate) fn begins(&mut self) {
        let now = Instant::now();
        self.since = now;
        self.next = self.next.min(now + FIRST_POLL);
    }

    /// The tasks were looked at, and some had ended or none.
    pub(crate) fn looked(&mut self, ended: bool) {
        let now = Instant::now();
        if ended {
            self.since = now;
        }
        let waited = now.duration_since(self.since);
        let short = (waited / PART_OF_SHORT_WAIT).clamp(FIRST_POLL, SLOW_POLL);
        self.next = now + short.max((waited / PART_OF_WAIT).min(SLOWEST_POLL));
    }
}

// === impl Backoff ===

impl Backoff {
    /// Whether nothing has failed yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.failures == 0
    }

    /// Whether it has failed for long.
    pub(crate) fn is_long(&self) -> bool {
        self.failures >= LONG
    }

    /// Counts a failure and says how long to wait after it.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = FIRST_RETRY * 2u32.saturating_pow(self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        wait.min(SLOWEST_RETRY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn sending_all_the_time_does_not_put_off_looking() {
        let mut poll = Poll::new();
        let first = poll.next();
        tokio::time::advance(Duration::from_millis(2)).await;
        poll.begins();
        assert_eq!(poll.next(), first);
    }

    #[tokio::test(start_paused = true)]
    async fn looking_slows_down_while_nothing_ends() {
        let mut poll = Poll::new();
        let start = Instant::now();
        let mut looks = Vec::new();
        for ended in [false; 16].into_iter().chain([true, false]) {
            tokio::time::sleep_until(poll.next()).await;
            looks.push(start.elapsed().as_millis());
            poll.looked(ended);
        }
        assert_eq!(looks, [3, 6, 9, 12, 15, 19, 24, 30, 38, 48, 60, 75, 94, 118, 148, 185, 225, 228]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_long_is_looked_at_seldom_and_never_much_too_late() {
        let (mut poll, start) = (Poll::new(), Instant::now());
        let mut looks = 0;
        while start.elapsed() < Duration::from_secs(30) {
            tokio::time::sleep_until(poll.next()).await;
            poll.looked(false);
            let late = poll.next().duration_since(Instant::now());
            assert!(late <= SLOW_POLL.max(start.elapsed() / PART_OF_WAIT) && late <= SLOWEST_POLL);
            looks += 1;
        }
        assert!((180..260).contains(&looks), "{looks} looks in 30 seconds");
        poll.looked(true);
        assert_eq!(poll.next().duration_since(Instant::now()), FIRST_POLL);
    }

    #[test]
    fn a_failing_node_is_left_alone_ever_longer() {
        let mut backoff = Backoff::default();
        assert!(backoff.is_fresh());
        let waits: Vec<u128> = (0..7).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 2000, 2000]);
        assert!(backoff.is_long());
    }
}
