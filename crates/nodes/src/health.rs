//! What has been seen of a node lately.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// Failures in a row after which a node is left alone while a copy is elsewhere.
const SUSPECT_AFTER: u32 = 2;

/// A node's state as requests and probes have found it. Lock-free: every request writes here.
#[derive(Debug)]
pub struct Health {
    failures: AtomicU32,
    /// Milliseconds between `origin` and the last failure.
    last_failure: AtomicU64,
    origin: Instant,
}

/// A summary of [`Health`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthState {
    /// The last request, or all but the last, succeeded.
    Up,
    /// Several requests in a row failed; asked only where no other copy is.
    Suspect {
        /// How many in a row.
        failures: u32,
        /// How long ago the last one was.
        since: Duration,
    },
}

impl Default for Health {
    fn default() -> Self {
        Self { failures: AtomicU32::new(0), last_failure: AtomicU64::new(0), origin: Instant::now() }
    }
}

impl Health {
    /// Records an answer, whatever its status: a node that answers is up.
    pub fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// Records a failure; true where it is the one that makes the node suspect.
    pub fn failed(&self) -> bool {
        let elapsed = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_failure.store(elapsed, Ordering::Relaxed);
        self.failures.fetch_add(1, Ordering::Relaxed) + 1 == SUSPECT_AFTER
    }

    /// The state now.
    pub fn state(&self) -> HealthState {
        match self.failures.load(Ordering::Relaxed) {
            failures if failures < SUSPECT_AFTER => HealthState::Up,
            failures => {
                let last = Duration::from_millis(self.last_failure.load(Ordering::Relaxed));
                HealthState::Suspect { failures, since: self.origin.elapsed().saturating_sub(last) }
            }
        }
    }

    /// Whether the node is up.
    pub fn is_up(&self) -> bool {
        self.state() == HealthState::Up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_make_a_node_suspect() {
        let health = Health::default();
        assert!(!health.failed());
        assert!(health.is_up());
        assert!(health.failed());
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(health.state(), HealthState::Suspect { failures: 2, since: Duration::from_secs(3) });
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_clears_it() {
        let health = Health::default();
        health.failed();
        health.succeeded();
        assert!(!health.failed());
        assert!(health.is_up());
    }
}
