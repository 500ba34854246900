//! How often an applier looks at its node's tasks, and how long it leaves a failing node alone.

use std::time::Duration;

use tokio::time::Instant;

/// How soon a node's tasks are looked at after a dispatch or a success, and how slowly while nothing happens.
const FIRST_POLL: Duration = Duration::from_millis(3);
const SLOWEST_POLL: Duration = Duration::from_millis(40);
/// How long a failing node is left alone, doubled up to the longest.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const SLOWEST_RETRY: Duration = Duration::from_secs(2);
/// After so many failures in a row nobody waits for the node any more.
const LONG: u32 = 3;

/// When a node's tasks are looked at next.
#[derive(Debug)]
pub(crate) struct Poll {
    next: Instant,
    interval: Duration,
}

/// How long a failing node is left alone.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

// === impl Poll ===

impl Poll {
    pub(crate) fn new() -> Self {
        Self { next: Instant::now() + FIRST_POLL, interval: FIRST_POLL }
    }

    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Something was sent. Looking is never put off by it, however much is sent.
    pub(crate) fn soon(&mut self) {
        self.interval = FIRST_POLL;
        self.next = self.next.min(Instant::now() + FIRST_POLL);
    }

    /// The tasks were looked at, and some had ended or none.
    pub(crate) fn looked(&mut self, ended: bool) {
        self.interval = if ended { FIRST_POLL } else { (self.interval * 2).min(SLOWEST_POLL) };
        self.next = Instant::now() + self.interval;
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
        poll.soon();
        assert_eq!(poll.next(), first);
    }

    #[tokio::test(start_paused = true)]
    async fn looking_slows_down_while_nothing_ends() {
        let mut poll = Poll::new();
        let waits: Vec<u128> = [false, false, false, false, false, true, false]
            .map(|ended| {
                poll.looked(ended);
                poll.next().duration_since(Instant::now()).as_millis()
            })
            .to_vec();
        assert_eq!(waits, [6, 12, 24, 40, 40, 3, 6]);
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
