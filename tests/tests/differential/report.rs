//! How many answers were the same, by kind of request.

use std::{collections::BTreeMap, fmt};

use crate::{
    judge::Verdict,
    probe::{Kind, NO_WORDS, Probe, WORDS},
};

/// Of the searches with words, so many in a thousand may differ.
const WORDS_PER_THOUSAND: usize = 20;
/// Differing places that are shown of each answer.
const SHOWN: usize = 6;

/// Counts, and the requests that were not answered alike.
#[derive(Debug, Default)]
pub(crate) struct Report {
    all: Count,
    kinds: BTreeMap<Kind, Count>,
    reasons: BTreeMap<&'static str, usize>,
    by_words: Vec<String>,
    different: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    asked: usize,
    same: usize,
    allowed: usize,
    words: usize,
    different: usize,
}

// === impl Report ===

impl Report {
    pub(crate) fn add(&mut self, probe: &Probe, verdict: Verdict) {
        self.all.add(&verdict);
        for kind in &probe.kinds {
            self.kinds.entry(kind).or_default().add(&verdict);
        }
        match verdict {
            Verdict::Same => {}
            Verdict::Allowed(reason) => *self.reasons.entry(reason).or_default() += 1,
            Verdict::Words(places) => self.by_words.push(shown(probe, &places)),
            Verdict::Different(places) => self.different.push(shown(probe, &places)),
        }
    }

    /// Fails unless every answer was the same, apart from what is allowed.
    pub(crate) fn assert_good(&self) {
        let with_words = self.kinds.get(WORDS).copied().unwrap_or_default();
        let allowed = (with_words.asked * WORDS_PER_THOUSAND).div_ceil(1_000);
        assert!(self.different.is_empty(), "{} answers differ", self.different.len());
        assert!(
            with_words.words <= allowed,
            "{} of {} searches with words are answered otherwise, {allowed} may be",
            with_words.words,
            with_words.asked
        );
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.by_words {
            writeln!(f, "otherwise, with words: {line}")?;
        }
        for line in &self.different {
            writeln!(f, "DIFFERENT: {line}")?;
        }
        let first = [WORDS, NO_WORDS].into_iter().filter_map(|kind| self.kinds.get_key_value(kind));
        let others = self.kinds.iter().filter(|(kind, _)| ![WORDS, NO_WORDS].contains(kind));
        let columns = ["asked", "same", "allowed", "words", "different"];
        writeln!(f, "{:22}{}", "", columns.map(|name| format!("{name:>10}")).concat())?;
        for (kind, count) in [(&"all", &self.all)].into_iter().chain(first).chain(others) {
            let Count { asked, same, allowed, words, different } = count;
            writeln!(f, "{kind:22}{asked:>10}{same:>10}{allowed:>10}{words:>10}{different:>10}")?;
        }
        for (reason, count) in &self.reasons {
            writeln!(f, "allowed for {reason}: {count}")?;
        }
        Ok(())
    }
}

// === impl Count ===

impl Count {
    fn add(&mut self, verdict: &Verdict) {
        self.asked += 1;
        *match verdict {
            Verdict::Same => &mut self.same,
            Verdict::Allowed(_) => &mut self.allowed,
            Verdict::Words(_) => &mut self.words,
            Verdict::Different(_) => &mut self.different,
        } += 1;
    }
}

fn shown(probe: &Probe, places: &[String]) -> String {
    let places = places.iter().take(SHOWN).map(|place| format!("\n    {place}"));
    format!("{}{}", probe.line(), places.collect::<String>())
}
