//! What is typed into a search box.

use super::Making;
use crate::probe::Kind;

impl Making<'_> {
    /// Words and what they are like.
    pub(super) fn words(&mut self) -> (String, Kind) {
        let text = self.dice.pick(&self.vocabulary.texts).clone();
        match self.dice.below(13) {
            12 => self.odd_words(&text),
            0..3 => (self.some_word(&text), "a word"),
            3..5 => (text, "a whole text"),
            5 | 6 => (self.prefix(&text), "a prefix"),
            7 => (format!("\"{}\"", text.replace('"', "")), "a phrase"),
            8 | 9 => {
                let other = self.dice.pick(&self.vocabulary.texts).clone();
                (format!("{} {}", self.some_word(&text), self.some_word(&other)), "several words")
            }
            10 => (self.with_typo(&text), "a typo"),
            _ => {
                let other = self.dice.pick(&self.vocabulary.texts).clone();
                (format!("{} -{}", self.some_word(&text), self.some_word(&other)), "a word excluded")
            }
        }
    }

    /// What is hardly ever typed, or by mistake.
    fn odd_words(&mut self, text: &str) -> (String, Kind) {
        let odd = [
            "",
            "  ",
            "-",
            "--amber",
            "\"",
            "\"\"",
            "!!",
            "amber\" dune",
            "the of",
            "\"the of\"",
            "a",
            "🎉",
            "日本",
            "東",
            "مر",
            "c+",
            "C++",
            "new york",
            "newyork",
            "nyc",
            "big apple",
            "skyline",
            "sky line",
            "AT&T",
            "hello world",
            "user@exam",
            "3",
            "3.1",
            "12",
            "co operate",
            "amberbasalt",
            "é",
        ];
        match self.dice.below(6) {
            0 => {
                let start: Vec<&str> = text.split_whitespace().take(2).collect();
                (format!("{} -\"{}\"", self.some_word(text), start.join(" ")), "a phrase excluded")
            }
            1 => ("x".repeat(*self.dice.pick(&[80, 90, 300])), "odd words"),
            2 => (format!("{} ", self.some_word(text)).repeat(12), "odd words"),
            3 => {
                let other = self.dice.pick(&self.vocabulary.texts).clone();
                let start: Vec<&str> = text.split_whitespace().take(3).collect();
                (format!("\"{}\" {}", start.join(" "), self.some_word(&other)), "a phrase and a word")
            }
            _ => ((*self.dice.pick(&odd)).to_owned(), "odd words"),
        }
    }

    fn some_word(&mut self, text: &str) -> String {
        let words: Vec<&str> = text.split_whitespace().collect();
        self.dice.pick(&words).to_string()
    }

    fn prefix(&mut self, text: &str) -> String {
        let letters: Vec<char> = text.chars().collect();
        let end = self.dice.between(1, letters.len() as i64) as usize;
        letters[..end].iter().collect()
    }

    /// One letter exchanged, left out or doubled, in a word that is long enough for the engine to forgive it.
    fn with_typo(&mut self, text: &str) -> String {
        let long = text.split_whitespace().max_by_key(|word| word.chars().count()).unwrap_or(text);
        let mut letters: Vec<char> = long.chars().collect();
        let place = self.dice.below(letters.len());
        match self.dice.below(3) {
            0 => letters[place] = 'x',
            1 => drop(letters.remove(place)),
            _ => letters.insert(place, letters[place]),
        }
        letters.into_iter().collect()
    }
}
