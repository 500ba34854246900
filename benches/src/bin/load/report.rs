//! What came of it.

use std::{collections::BTreeMap, fmt, time::Duration};

/// How many kinds of failures are shown.
const SHOWN: usize = 5;

/// How long requests of one kind took, from when they were due, and what failed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    /// Of those that were answered, the shortest first.
    sorted: Vec<Duration>,
    failed: usize,
    /// What failures said, with how often each did.
    errors: BTreeMap<String, usize>,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    kinds: Vec<(&'static str, Times)>,
    /// How long after the last request the last write was applied.
    pub(crate) applied: Option<Result<Duration, String>>,
}

// === impl Times ===

impl Times {
    /// The time within which such a share of the answered requests was answered.
    fn within(&self, share: f64) -> Duration {
        let rank = (share * self.sorted.len() as f64).ceil() as usize;
        self.sorted.get(rank.saturating_sub(1)).or(self.sorted.last()).copied().unwrap_or_default()
    }
}

impl<'a> FromIterator<(Duration, Option<&'a String>)> for Times {
    fn from_iter<I: IntoIterator<Item = (Duration, Option<&'a String>)>>(outcomes: I) -> Self {
        let mut times = Self::default();
        for (took, error) in outcomes {
            match error {
                None => times.sorted.push(took),
                Some(error) => {
                    times.failed += 1;
                    *times.errors.entry(error.clone()).or_default() += 1;
                }
            }
        }
        times.sorted.sort_unstable();
        times
    }
}

// === impl Report ===

impl Report {
    /// Adds the requests of one kind.
    pub(crate) fn add(&mut self, name: &'static str, times: Times) {
        self.kinds.push((name, times));
    }

    /// Whether nothing failed.
    pub(crate) fn all_went_well(&self) -> bool {
        self.kinds.iter().all(|(_, times)| times.failed == 0) && !matches!(self.applied, Some(Err(_)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "milliseconds {:>9} {:>7} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "answered", "failed", "p50", "p90", "p99", "p99.9", "max"
        )?;
        for (name, times) in &self.kinds {
            write!(f, "{name:<12} {:>9} {:>7}", times.sorted.len(), times.failed)?;
            for share in [0.5, 0.9, 0.99, 0.999, 1.0] {
                write!(f, " {:>8.2}", times.within(share).as_secs_f64() * 1_000.0)?;
            }
            writeln!(f)?;
        }
        match &self.applied {
            Some(Ok(after)) => {
                writeln!(f, "the last write was applied {} ms after the last answer", after.as_millis())?
            }
            Some(Err(error)) => writeln!(f, "the last write was not applied: {error}")?,
            None => {}
        }
        for (name, times) in &self.kinds {
            for (error, count) in times.errors.iter().take(SHOWN) {
                writeln!(f, "{name}: {count} times: {error}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_those_that_were_answered() {
        let gone = "gone".to_owned();
        let answered = (1..=100).rev().map(|ms| (Duration::from_millis(ms), None));
        let times: Times = answered.chain([(Duration::from_secs(9), Some(&gone))]).collect();
        let within = [0.5, 0.9, 0.99, 0.999, 1.0].map(|share| times.within(share).as_millis());
        assert_eq!(within, [50, 90, 99, 100, 100]);
        let mut report = Report::default();
        report.add("searches", times);
        assert!(!report.all_went_well());
        let text = report.to_string();
        assert!(text.contains("100       1    50.00    90.00    99.00   100.00   100.00\n"), "{text}");
        assert!(text.ends_with("searches: 1 times: gone\n"), "{text}");
    }

    #[test]
    fn none_at_all_is_no_reason_to_fail() {
        let mut report = Report::default();
        report.add("searches", Times::default());
        assert!(report.all_went_well() && report.to_string().contains("0.00"));
    }
}
