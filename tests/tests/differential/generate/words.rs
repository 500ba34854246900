//! What is typed into a search box.

use super::Making;
use crate::probe::Kind;

impl Making<'_> {
    /// Words and what they are like.
    pub(super) fn words(&mut self) -> (String, Kind) {
        let text = self.dice.pick(&self.vocabulary.texts).clone();
        match self.dice.below(12) {
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
