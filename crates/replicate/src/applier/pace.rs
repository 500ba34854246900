//! How often an applier looks at its node's tasks, how long it leaves a failing node alone, and how long one that small
//! writes keep coming for.

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
/// What keeps coming for so many rounds of a node's work is a stream.
const STREAM: u32 = 2;
/// How long its work and the rest after it take together at most: a node whose work takes that long has none to spare.
const CYCLE: Duration = Duration::from_secs(1);
/// What is at least so large or so many does not wait: its work is its own, and not that of beginning with it.
const LARGE: u64 = 256 << 10;
const MANY: u32 = 256;

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

/// Leaves a node alone, between the small writes of a stream, for as long as it worked at the last ones.
///
/// A node works at whatever it has, and however small that is, it takes tens or hundreds of milliseconds of processor time:
/// where writes keep coming, it would do nothing else, and its searches would wait. What waits here meanwhile goes out
/// together and is one work for the node. So writes that come one by one, each after the last is done, never wait, nor do
/// a few at once; those of a stream wait for about as long again as they take anyway.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// The round under way: since when, and how many bytes were sent in it.
    round: Option<(Instant, u64)>,
    /// How many rounds in a row have ended with more to do.
    rounds: u32,
    until: Option<Instant>,
    /// What waited when the node was left alone no longer goes out, up to this entry, however long the sending takes.
    open: u32,
}

// === impl Rest ===

impl Rest {
    /// So many bytes of documents go out to the node, or something else, which goes out by itself anyway.
    pub(super) fn sends(&mut self, bytes: Option<u64>) {
        let (_, sent) = self.round.get_or_insert_with(|| (Instant::now(), 0));
        *sent += bytes.unwrap_or(LARGE);
    }

    /// Whether the entries from `next` up to `decided` wait on: while the node is at work with others like them, and for a
    /// while after that. `idle` where the node has done everything it was sent.
    pub(super) fn holds(&mut self, next: u32, decided: u32, idle: bool) -> bool {
        let waiting = decided.saturating_sub(next);
        if idle {
            self.is_idle(waiting);
        }
        let rests = match self.round {
            Some((_, bytes)) => bytes < LARGE,
            None => self.until().is_some(),
        };
        let holds = rests && next >= self.open && (1..MANY).contains(&waiting);
        if !holds {
            self.open = decided;
        }
        holds
    }

    fn is_idle(&mut self, waiting: u32) {
        let Some((since, bytes)) = self.round.take() else { return };
        self.rounds = if waiting > 0 && bytes < LARGE { self.rounds + 1 } else { 0 };
        let busy = since.elapsed();
        let rest = busy.min(CYCLE.saturating_sub(busy));
        self.until = (self.rounds >= STREAM).then(|| Instant::now() + rest);
    }

    /// Until when an idle node is left alone.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until.filter(|until| *until > Instant::now())
    }
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

    const BUSY: Duration = Duration::from_millis(40);

    /// A node that is sent so many bytes of entries before `decided`, and works at them for so long.
    async fn round(rest: &mut Rest, decided: u32, bytes: u64, busy: Duration) {
        assert!(!rest.holds(decided - 1, decided, true));
        rest.sends(Some(bytes));
        tokio::time::advance(busy).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_of_small_writes_leaves_the_node_half_of_the_time() {
        let mut rest = Rest::default();
        round(&mut rest, 1, 100, BUSY).await;
        assert!(rest.holds(1, 3, false), "what comes while the node works goes out together");
        round(&mut rest, 3, 100, BUSY).await;
        assert!(rest.holds(3, 5, true));
        assert_eq!(rest.until(), Some(Instant::now() + BUSY));
        assert!(!rest.holds(3, 3 + MANY, true), "many do not wait");
        assert!(!rest.holds(4, 3 + MANY, false), "nor does what is left of them");
        assert!(rest.until().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_has_waited_goes_out_in_one_round() {
        let mut rest = Rest::default();
        for decided in [1, 2] {
            round(&mut rest, decided, 100, BUSY).await;
        }
        assert!(rest.holds(2, 6, true));
        tokio::time::advance(BUSY).await;
        for next in 2..6 {
            assert!(!rest.holds(next, 6, false), "{next}");
            rest.sends(Some(100));
        }
        assert!(rest.holds(6, 7, false));
    }

    #[tokio::test(start_paused = true)]
    async fn writes_one_after_another_never_wait() {
        let mut rest = Rest::default();
        for decided in 1..6 {
            round(&mut rest, decided, 100, BUSY).await;
            assert!(!rest.holds(decided, decided, true));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn large_writes_do_not_wait_for_each_other() {
        let mut rest = Rest::default();
        for decided in 1..6 {
            round(&mut rest, decided, LARGE, BUSY).await;
            assert!(!rest.holds(decided, decided + 1, false));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_can_hardly_keep_up_has_no_rest() {
        let mut rest = Rest::default();
        for (decided, busy) in [(1, 40), (2, 700)] {
            round(&mut rest, decided, 100, Duration::from_millis(busy)).await;
        }
        assert!(rest.holds(2, 3, true));
        assert_eq!(rest.until(), Some(Instant::now() + Duration::from_millis(300)));
        tokio::time::advance(Duration::from_millis(300)).await;
        round(&mut rest, 3, 100, CYCLE).await;
        assert!(!rest.holds(3, 4, true));
    }

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
