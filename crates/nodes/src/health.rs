//! What has been seen of a node lately.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::{slowness::Slowness, witness::Witness};

/// Failures in a row after which a node is left alone while a copy is elsewhere.
const SUSPECT_AFTER: u32 = 2;
/// Reads that others were asked for instead, with no answer to anything since, after which the same holds.
const SILENT_AFTER: u32 = 3;
/// A node that has answered nothing at all for so long meanwhile hangs: writes do not wait for it either.
const HANGS_AFTER: Duration = Duration::from_secs(1);
/// Failures in a row, and the time since the first of them, after which it counts as down. One answer does not end that:
/// a node that starts answers for a moment and may be gone again.
const DOWN_AFTER: u32 = 4;
const DOWN_FOR: Duration = Duration::from_secs(2);
const UP_AFTER: u32 = 2;

/// A node's state as requests and probes have found it. Lock-free: every request writes here.
#[derive(Debug)]
pub struct Health {
    failures: AtomicU32,
    /// Reads that were not waited for since it answered anything.
    unanswered: AtomicU32,
    /// Milliseconds between `origin` and the first and the last failure of a row, and the first read not waited for.
    first_failure: AtomicU64,
    last_failure: AtomicU64,
    first_unanswered: AtomicU64,
    slowness: Slowness,
    down: AtomicBool,
    /// Answers in a row since it is down.
    answers: AtomicU32,
    /// Whether its data have to be looked at before it is read: it may have been started anew.
    unverified: AtomicBool,
    lost: AtomicBool,
    /// One more than the newest task that it is known to have had; 0 for none.
    tasks: AtomicU64,
    /// By what it is known again.
    witness: Mutex<Option<Witness>>,
    look: Notify,
    origin: Instant,
}

/// A summary of [`Health`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthState {
    /// The last request, or all but the last, succeeded.
    Up,
    /// Several requests in a row failed, or took longer than they should; asked only where no other copy is.
    Suspect {
        /// How many failed in a row.
        failures: u32,
        /// How many in a row were too slow.
        slow: u32,
        /// How long ago the last failure was.
        since: Duration,
    },
    /// It has been failing for a while.
    Down {
        /// How many requests failed in a row.
        failures: u32,
        /// How long it has been failing.
        since: Duration,
    },
    /// It answers, but has forgotten what it was given: its data must come from another copy.
    Lost,
}

impl HealthState {
    /// The state in a word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Suspect { .. } => "suspect",
            Self::Down { .. } => "down",
            Self::Lost => "lost",
        }
    }

    /// Why it is not up, in words; `None` where it is.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Up => None,
            Self::Suspect { failures, slow, since } => Some(format!(
                "{failures} requests in a row failed and {slow} were too slow, the last one {} s ago",
                since.as_secs()
            )),
            Self::Down { failures, since } => {
                Some(format!("all of {failures} requests failed over {} s", since.as_secs()))
            }
            Self::Lost => Some("it has forgotten what it was given".to_owned()),
        }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self {
            failures: AtomicU32::new(0),
            unanswered: AtomicU32::new(0),
            first_failure: AtomicU64::new(0),
            last_failure: AtomicU64::new(0),
            first_unanswered: AtomicU64::new(0),
            slowness: Slowness::default(),
            down: AtomicBool::new(false),
            answers: AtomicU32::new(0),
            unverified: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            tasks: AtomicU64::new(0),
            witness: Mutex::new(None),
            look: Notify::new(),
            origin: Instant::now(),
        }
    }
}

impl Health {
    /// Records an answer, whatever its status: a node that answers is up.
    pub fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) == 0 && self.unanswered.load(Ordering::Relaxed) == 0 {
            return;
        }
        if self.down.load(Ordering::Relaxed) {
            if self.answers.fetch_add(1, Ordering::Relaxed) + 1 < UP_AFTER {
                return;
            }
            self.down.store(false, Ordering::Relaxed);
        }
        self.failures.store(0, Ordering::Relaxed);
        self.unanswered.store(0, Ordering::Relaxed);
    }

    /// Records a failure; true where it is the one that makes the node suspect.
    pub fn failed(&self) -> bool {
        let now = self.now();
        self.last_failure.store(now, Ordering::Relaxed);
        self.answers.store(0, Ordering::Relaxed);
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures == 1 {
            self.first_failure.store(now, Ordering::Relaxed);
        }
        if failures >= DOWN_AFTER && self.since(&self.first_failure) >= DOWN_FOR {
            self.down.store(true, Ordering::Relaxed);
        }
        failures == SUSPECT_AFTER
    }

    /// Records that the connection was refused or broke: what listens there next may be another process. Its data are
    /// looked at before it is read again.
    pub fn disconnected(&self) {
        if !self.unverified.swap(true, Ordering::Relaxed) {
            self.look.notify_one();
        }
    }

    /// What the node says is strange: it is to be looked at soon.
    pub fn doubted(&self) {
        self.look.notify_one();
    }

    /// Records that a read did not wait for it any longer.
    pub fn unanswered(&self) {
        let now = self.now();
        self.last_failure.store(now, Ordering::Relaxed);
        if self.unanswered.fetch_add(1, Ordering::Relaxed) == 0 {
            self.first_unanswered.store(now, Ordering::Relaxed);
        }
    }

    /// How quick its reads are.
    pub(crate) fn slowness(&self) -> &Slowness {
        &self.slowness
    }

    /// The state now.
    pub fn state(&self) -> HealthState {
        let failures = self.failures.load(Ordering::Relaxed);
        let unanswered = self.unanswered.load(Ordering::Relaxed);
        if self.lost.load(Ordering::Relaxed) {
            HealthState::Lost
        } else if self.down.load(Ordering::Relaxed) {
            HealthState::Down { failures, since: self.since(&self.first_failure) }
        } else if failures >= SUSPECT_AFTER || unanswered >= SILENT_AFTER || self.slowness.is_slow() {
            let slow = unanswered.max(self.slowness.count());
            HealthState::Suspect { failures, slow, since: self.since(&self.last_failure) }
        } else {
            HealthState::Up
        }
    }

    /// Whether the node is up, so that reads prefer it.
    pub fn is_up(&self) -> bool {
        self.state() == HealthState::Up
    }

    /// Whether it answers, be it slowly: writes wait for it.
    pub fn answers(&self) -> bool {
        !self.lost.load(Ordering::Relaxed)
            && !self.down.load(Ordering::Relaxed)
            && self.failures.load(Ordering::Relaxed) < SUSPECT_AFTER
            && !self.hangs()
    }

    /// Whether reads gave up on it some time ago and nothing has answered since.
    fn hangs(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed) >= SILENT_AFTER
            && self.since(&self.first_unanswered) >= HANGS_AFTER
    }

    /// Whether its data are what they should be, as far as is known: otherwise it must not be read.
    pub fn is_trusted(&self) -> bool {
        !self.unverified.load(Ordering::Relaxed) && !self.lost.load(Ordering::Relaxed)
    }

    /// The newest task that is known to have ended on it.
    pub fn newest_ended(&self) -> Option<u32> {
        self.tasks.load(Ordering::Relaxed).checked_sub(1).and_then(|task| u32::try_from(task).ok())
    }

    /// This task has ended on the node.
    pub fn has_ended(&self, task: u32) {
        self.tasks.fetch_max(u64::from(task) + 1, Ordering::Relaxed);
    }

    /// The node says which of its ended tasks is the newest, having been asked when `known` was. Tasks are never forgotten
    /// from their newest end, so one that is older than one it has ended shows that the node has lost its data, or some of
    /// it. Tasks that only waited are sent again and show nothing. True where the loss is found out now.
    pub fn verify(&self, known: Option<u32>, newest: Option<u32>) -> bool {
        if known > newest {
            return self.lose();
        }
        newest.into_iter().for_each(|task| self.has_ended(task));
        self.unverified.store(false, Ordering::Relaxed);
        false
    }

    /// By what the node is known again, where anything is known of it.
    pub fn witness(&self) -> Option<Witness> {
        self.witness.lock().clone()
    }

    /// The node is known again by this from now on.
    pub fn is_known_by(&self, witness: Witness) {
        *self.witness.lock() = Some(witness);
    }

    /// The node does not have what it was given. True where that is new.
    pub fn lose(&self) -> bool {
        !self.lost.swap(true, Ordering::Relaxed)
    }

    /// The node starts from nothing, with this task as the newest that has ended: what it had before means nothing any more.
    pub fn start_anew(&self, newest: Option<u32>) {
        self.tasks.store(newest.map_or(0, |task| u64::from(task) + 1), Ordering::Relaxed);
        self.lost.store(false, Ordering::Relaxed);
        self.unverified.store(false, Ordering::Relaxed);
        *self.witness.lock() = None;
    }

    /// Waits until somebody wants the node to be looked at.
    pub(crate) async fn wanted(&self) {
        self.look.notified().await;
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How long ago that was.
    fn since(&self, moment: &AtomicU64) -> Duration {
        self.origin.elapsed().saturating_sub(Duration::from_millis(moment.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_make_a_node_suspect() {
        let health = Health::default();
        assert!(!health.failed());
        assert!(health.is_up());
        assert!(health.failed());
        tokio::time::advance(SECOND * 3).await;
        assert_eq!(health.state(), HealthState::Suspect { failures: 2, slow: 0, since: SECOND * 3 });
        assert!(!health.answers());
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_clears_a_suspicion() {
        let health = Health::default();
        health.failed();
        health.succeeded();
        assert!(!health.failed());
        assert!(health.is_up());
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_has_failed_for_long_is_back_after_two_answers() {
        let health = Health::default();
        for _ in 0..5 {
            health.failed();
            tokio::time::advance(SECOND).await;
        }
        assert_eq!(health.state(), HealthState::Down { failures: 5, since: SECOND * 5 });
        health.succeeded();
        assert!(!health.is_up());
        health.failed();
        health.succeeded();
        assert!(!health.is_up(), "not two in a row");
        health.succeeded();
        assert!(health.is_up());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_node_is_suspect_but_writes_wait_for_it() {
        let health = Health::default();
        (0..SILENT_AFTER).for_each(|_| health.unanswered());
        assert!(!health.is_up() && health.answers());
        health.succeeded();
        assert!(health.is_up());
    }

    #[tokio::test(start_paused = true)]
    async fn writes_do_not_wait_for_a_node_that_answers_nothing_for_long() {
        let health = Health::default();
        (0..SILENT_AFTER).for_each(|_| health.unanswered());
        tokio::time::advance(SECOND).await;
        assert!(!health.answers());
        health.succeeded();
        assert!(health.answers());
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_is_looked_at_before_it_is_read_again() {
        let health = Health::default();
        health.disconnected();
        assert!(!health.is_trusted());
        tokio::time::timeout(SECOND, health.wanted()).await.expect("wanted");
        assert!(!health.verify(None, Some(3)));
        assert!(health.is_trusted());
        assert_eq!(health.newest_ended(), Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_has_forgotten_its_tasks_has_lost_its_data() {
        let health = Health::default();
        health.has_ended(7);
        assert!(health.verify(health.newest_ended(), Some(6)), "an older copy of its data");
        assert!(!health.verify(health.newest_ended(), None), "known already");
        assert_eq!(health.state(), HealthState::Lost);
        assert!(!health.is_trusted() && !health.answers());
        health.start_anew(None);
        assert!(health.is_trusted() && health.newest_ended().is_none());
    }
}
