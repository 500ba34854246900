//! Chance that goes the same way each time, and the trace by which that is seen.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::time::{Instant, sleep};

/// The dice of one run, and what has happened in it. Clones share both.
#[derive(Clone)]
pub(crate) struct Chance {
    dice: Arc<Mutex<StdRng>>,
    trace: Arc<Mutex<Trace>>,
}

struct Trace {
    start: Instant,
    hasher: DefaultHasher,
    events: u64,
    /// Whether events are printed.
    aloud: bool,
}

impl Chance {
    /// With `aloud` every event is printed.
    pub(crate) fn new(seed: u64, aloud: bool) -> Self {
        let trace = Trace { start: Instant::now(), hasher: DefaultHasher::new(), events: 0, aloud };
        Self { dice: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))), trace: Arc::new(Mutex::new(trace)) }
    }

    /// Throws the dice.
    pub(crate) fn throw<T>(&self, throw: impl FnOnce(&mut StdRng) -> T) -> T {
        throw(&mut self.dice.lock())
    }

    /// Whether something happens that happens `percent` times in a hundred.
    pub(crate) fn happens(&self, percent: u32) -> bool {
        percent > 0 && self.throw(|dice| dice.random_ratio(percent.min(100), 100))
    }

    /// Waits for up to so long.
    pub(crate) async fn delay(&self, most: Duration) {
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        sleep(Duration::from_micros(self.throw(|dice| dice.random_range(0..=micros)))).await;
    }

    /// Notes what has happened.
    pub(crate) fn note(&self, event: impl FnOnce() -> String) {
        let event = event();
        let mut trace = self.trace.lock();
        let at = trace.start.elapsed();
        (at, &event).hash(&mut trace.hasher);
        trace.events += 1;
        if trace.aloud {
            println!("{:10.4} {event}", at.as_secs_f64());
        }
    }

    /// How many events there were, and a hash of them all with their times.
    pub(crate) fn outcome(&self) -> (u64, u64) {
        let trace = self.trace.lock();
        (trace.events, trace.hasher.finish())
    }
}
