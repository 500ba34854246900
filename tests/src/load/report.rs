//! What clients saw: how long it took, what failed, what was wrong.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::searches::Wrong;

/// How many failures are kept to be shown.
const SHOWN: usize = 8;

/// Takes down what clients see.
#[derive(Clone, Debug)]
pub(super) struct Recorder(Arc<Mutex<Report>>);

/// What clients saw.
#[derive(Clone, Debug, Default)]
pub struct Report {
    phases: Vec<(String, Instant)>,
    searches: Vec<(Instant, Duration)>,
    /// How long writes took to be accepted.
    writes: Vec<(Instant, Duration)>,
    /// How long it then took until their tasks had succeeded.
    tasks: Vec<(Instant, Duration)>,
    /// Searches that were answered with an error, or not at all.
    pub failed: usize,
    /// Answers that were not whole, or not right, and writes whose task failed.
    pub wrong: usize,
    /// Writes that were answered with an error.
    pub refused: usize,
    /// Connections that broke: as when the gateway is killed.
    pub broken: usize,
    shown: Vec<String>,
}

/// How long requests took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    /// How many there were.
    pub count: usize,
    /// The time within which half of them were answered.
    pub p50: Duration,
    /// The time within which 99 of 100 were.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

// === impl Recorder ===

impl Recorder {
    pub(super) fn new() -> Self {
        let recorder = Self(Arc::default());
        recorder.begins("start");
        recorder
    }

    pub(super) fn begins(&self, phase: &str) {
        self.with(|report| report.phases.push((phase.to_owned(), Instant::now())));
    }

    pub(super) fn searched(&self, start: Instant, outcome: Result<(), Wrong>) {
        let took = start.elapsed();
        self.with(|report| {
            report.searches.push((start, took));
            match outcome {
                Ok(()) => {}
                Err(Wrong::Failed(error)) => {
                    report.failed += 1;
                    report.show(start, format!("failed search: {error}"));
                }
                Err(Wrong::Answer(error)) => {
                    report.wrong += 1;
                    report.show(start, format!("wrong answer: {error}"));
                }
            }
        });
    }

    pub(super) fn wrote(&self, start: Instant, refused: Option<String>) {
        let took = start.elapsed();
        self.with(|report| match refused {
            None => report.writes.push((start, took)),
            Some(error) => {
                report.refused += 1;
                report.show(start, format!("refused write: {error}"));
            }
        });
    }

    /// A task has succeeded that was accepted then.
    pub(super) fn succeeded(&self, accepted: Instant) {
        let took = accepted.elapsed();
        self.with(|report| report.tasks.push((accepted, took)));
    }

    pub(super) fn wrong(&self, error: String) {
        self.with(|report| {
            report.wrong += 1;
            report.show(Instant::now(), error);
        });
    }

    pub(super) fn broken(&self, error: String) {
        self.with(|report| {
            report.broken += 1;
            report.show(Instant::now(), format!("broken off: {error}"));
        });
    }

    pub(super) fn report(&self) -> Report {
        self.with(|report| report.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Report) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

// === impl Report ===

impl Report {
    /// No search failed or was wrong, no write was refused or not done.
    pub fn assert_clean(&self) {
        let bad = (self.failed, self.wrong, self.refused, self.broken);
        assert_eq!(bad, (0, 0, 0, 0), "failed, wrong, refused, broken off\n{self}");
    }

    /// No answer was wrong, and what was accepted was done, whatever failed.
    pub fn assert_right(&self) {
        assert_eq!(self.wrong, 0, "\n{self}");
    }

    /// No write was kept waiting for longer until it was accepted.
    pub fn assert_writes_within(&self, most: Duration) {
        let longest = longest(&self.writes);
        assert!(longest <= most, "a write was held for {longest:?}\n{self}");
    }

    /// No task took longer from then on until it had succeeded.
    pub fn assert_tasks_within(&self, most: Duration) {
        let longest = longest(&self.tasks);
        assert!(longest <= most, "a task was held for {longest:?}\n{self}");
    }

    /// How long searches took that were sent in a phase, without its first so long.
    pub fn searches(&self, phase: &str, but_first: Duration) -> Latency {
        Latency::of(self.within(&self.searches, phase, but_first))
    }

    fn within(&self, all: &[(Instant, Duration)], phase: &str, but_first: Duration) -> Vec<Duration> {
        let Some(at) = self.phases.iter().position(|(name, _)| name == phase) else { return Vec::new() };
        let from = self.phases[at].1 + but_first;
        let until = self.phases.get(at + 1).map(|(_, start)| *start);
        let inside = |start: &Instant| *start >= from && until.is_none_or(|until| *start < until);
        all.iter().filter(|(start, _)| inside(start)).map(|(_, took)| *took).collect()
    }

    fn show(&mut self, at: Instant, text: String) {
        if self.shown.len() < SHOWN {
            let since = self.phases.last().map_or(0.0, |(_, start)| (at - *start).as_secs_f64());
            let phase = self.phases.last().map_or("", |(name, _)| name);
            self.shown.push(format!("{phase} + {since:.3} s: {text}"));
        }
    }
}

fn longest(all: &[(Instant, Duration)]) -> Duration {
    all.iter().map(|(_, took)| *took).max().unwrap_or_default()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (phase, _) in &self.phases {
            let searches = self.searches(phase, Duration::ZERO);
            let writes = Latency::of(self.within(&self.writes, phase, Duration::ZERO));
            let tasks = Latency::of(self.within(&self.tasks, phase, Duration::ZERO));
            if searches.count + writes.count > 0 {
                writeln!(f, "{phase:>20}: searches {searches}; writes {writes}; tasks {tasks}")?;
            }
        }
        let Self { failed, wrong, refused, broken, .. } = self;
        write!(f, "{failed} searches failed, {wrong} wrong; {refused} writes refused, {broken} broken off")?;
        self.shown.iter().try_for_each(|text| write!(f, "\n  {text}"))
    }
}

// === impl Latency ===

impl Latency {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        let at = |share: usize| all.get((all.len() * share / 100).min(all.len().saturating_sub(1)));
        let (p50, p99) = (at(50).copied().unwrap_or_default(), at(99).copied().unwrap_or_default());
        Self { count: all.len(), p50, p99, max: all.last().copied().unwrap_or_default() }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        let (p50, p99, max) = (ms(self.p50), ms(self.p99), ms(self.max));
        write!(f, "{:5}, p50 {p50:6.1}, p99 {p99:6.1}, max {max:7.1} ms", self.count)
    }
}
