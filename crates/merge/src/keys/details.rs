//! The rules of one hit, in the order they were applied, and how two hits compare by them.

use std::cmp::Ordering;

use super::rule::Rule;
use crate::scan::{Cursor, Scan};

/// The `_rankingScoreDetails` of a hit.
#[derive(Debug, Default, Clone)]
pub(crate) struct Details<'a> {
    /// As the node wrote them.
    text: &'a [u8],
    rules: Vec<Placed<'a>>,
}

/// One of the rules.
#[derive(Debug, Clone)]
struct Placed<'a> {
    order: u64,
    rule: Rule<'a>,
    /// Where it ends in the text.
    end: usize,
}

/// How a hybrid search weighs its two halves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weights {
    pub(crate) semantic: f64,
    pub(crate) keyword: f64,
}

impl Weights {
    /// Of a semantic ratio, as a node computes them: in single precision.
    pub(crate) fn of_ratio(ratio: f32) -> Self {
        Self { semantic: f64::from(ratio), keyword: f64::from(1.0 - ratio) }
    }
}

impl<'a> Details<'a> {
    /// Reads other details into this value. Hits that come one after another often tie by their first rules, or by all:
    /// as far as the texts are equal, they are read once.
    pub(crate) fn read(&mut self, text: &'a [u8]) -> Scan<()> {
        if text == self.text {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.text, text);
        let known = |placed: &Placed<'_>| before.get(..placed.end).is_some_and(|same| text.starts_with(same));
        let known = self.rules.partition_point(known);
        self.rules.truncate(known);
        self.rules.reserve(8_usize.saturating_sub(known));
        let mut cursor = Cursor::new(text);
        cursor.enter_object()?;
        let mut first = true;
        if let Some(last) = self.rules.last() {
            cursor.skip_to(last.end);
            first = false;
        }
        while let Some(name) = cursor.key(&mut first)? {
            if let Some((order, rule)) = Rule::read(name, &mut cursor)? {
                self.rules.push(Placed { order, rule, end: cursor.at() });
            }
        }
        self.sort();
        Ok(())
    }

    /// Nodes write the rules in their order; where one does not, they do not stand for a part of the text.
    fn sort(&mut self) {
        if self.rules.is_sorted_by_key(|placed| placed.order) {
            return;
        }
        self.rules.sort_by_key(|placed| placed.order);
        self.rules.iter_mut().for_each(|placed| placed.end = usize::MAX);
    }

    /// Whether no rule was applied.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// For a hit without details.
    pub(crate) fn clear(&mut self) {
        self.text = &[];
        self.rules.clear();
    }

    /// The rules of two hits that say the same of each.
    fn pairs<'b>(&'b self, other: &'b Self) -> impl Iterator<Item = (&'b Rule<'a>, &'b Rule<'a>)> {
        self.rules.iter().zip(&other.rules).map(|(left, right)| (&left.rule, &right.rule))
    }

    /// Which hit comes first (`Less`) by the rules alone.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        if self.text == other.text {
            return Ordering::Equal;
        }
        for (left, right) in self.pairs(other) {
            let order = left.order(right);
            if order.is_ne() {
                return order;
            }
        }
        // Who has more rules was looked at more closely.
        other.rules.len().cmp(&self.rules.len())
    }

    /// At which rule two hits that follow each other in the order part, from 0; `None` if at none. Where the attribute
    /// rule has two halves, they count as two.
    pub(crate) fn parts_at(&self, other: &Self) -> Option<usize> {
        if self.text == other.text {
            return None;
        }
        let mut level = 0;
        for (left, right) in self.pairs(other) {
            if left.order(right).is_ne() {
                return Some(level + usize::from(left.same_field(right)));
            }
            level += if matches!(left, Rule::Attribute { .. }) { 2 } else { 1 };
        }
        (self.rules.len() != other.rules.len()).then_some(level)
    }

    /// [`order`](Self::order) for a hybrid search, given the `_rankingScore` of both.
    ///
    /// Hits of one half compare by their rules. A hit of the one half meets a hit of the other by the sort rules that
    /// come before any score, then by score times weight.
    pub(crate) fn order_hybrid(
        &self,
        score: f64,
        other: &Self,
        other_score: f64,
        weights: Weights,
    ) -> Ordering {
        if self.is_semantic() == other.is_semantic() {
            return self.order(other);
        }
        for (left, right) in self.pairs(other) {
            if !matches!(left, Rule::Sort { .. } | Rule::Geo { .. })
                || std::mem::discriminant(left) != std::mem::discriminant(right)
            {
                break;
            }
            let order = left.order(right);
            if order.is_ne() {
                return order;
            }
        }
        let (left, right) = (self.weighted(score, weights), other.weighted(other_score, weights));
        if (left - right).abs() <= f64::EPSILON {
            // Of equals, a node takes the hit of the vectors first.
            return other.is_semantic().cmp(&self.is_semantic());
        }
        right.partial_cmp(&left).unwrap_or(Ordering::Equal)
    }

    fn weighted(&self, score: f64, weights: Weights) -> f64 {
        let vector = self.rules.iter().find_map(|placed| match &placed.rule {
            Rule::Vector(similarity) => Some(similarity * weights.semantic),
            _ => None,
        });
        vector.unwrap_or(score * weights.keyword)
    }

    /// Whether the hit was found by its vector.
    pub(crate) fn is_semantic(&self) -> bool {
        self.rules.iter().any(|placed| matches!(placed.rule, Rule::Vector(_)))
    }

    /// Where the hit is pinned.
    pub(crate) fn pin(&self) -> Option<u64> {
        match self.rules.first() {
            Some(Placed { rule: Rule::Pin(place), .. }) => Some(*place),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(text: &str) -> Details<'_> {
        let mut details = Details::default();
        details.read(text.as_bytes()).unwrap();
        details
    }

    const WORDS: &str = r#"{"words":{"order":0,"matchingWords":2,"maxMatchingWords":2,"score":1.0},"year:desc":{"order":1,"value":2000.0}}"#;

    #[test]
    fn rules_decide_one_after_another() {
        let later = details(WORDS);
        let earlier = details(r#"{"words":{"order":0,"score":1.0},"year:desc":{"order":1,"value":2001.0}}"#);
        let fewer = details(r#"{"words":{"order":0,"score":0.5},"year:desc":{"order":1,"value":3000.0}}"#);
        assert_eq!(earlier.order(&later), Ordering::Less);
        assert_eq!(later.order(&fewer), Ordering::Less);
        assert_eq!(later.order(&details(WORDS)), Ordering::Equal);
    }

    #[test]
    fn what_was_read_before_makes_no_difference() {
        let texts = [
            WORDS,
            r#"{"words":{"order":0,"matchingWords":2,"maxMatchingWords":2,"score":1.0},"year:desc":{"order":1,"value":20}}"#,
            r#"{"words":{"order":0,"matchingWords":2,"maxMatchingWords":2,"score":1.0},"odd":{},"typo":{"order":1,"score":0.5}}"#,
            r#"{"words":{"order":0,"matchingWords":2,"maxMatchingWords":2,"score":1.0}}"#,
            r#"{"typo":{"order":1,"score":0.5},"words":{"order":0,"score":1.0},"exactness":{"order":2,"score":0.1}}"#,
            r#"{"typo":{"order":1,"score":0.5},"words":{"order":0,"score":1.0},"exactness":{"order":2,"score":0.2}}"#,
            "{}",
        ];
        for before in texts {
            for text in texts {
                let mut read = details(before);
                read.read(text.as_bytes()).unwrap();
                let rules = |of: &Details<'_>| {
                    of.rules.iter().map(|placed| format!("{:?}", placed.rule)).collect::<Vec<_>>()
                };
                assert_eq!(rules(&read), rules(&details(text)), "{text} after {before}");
            }
        }
    }

    #[test]
    fn order_counts_not_the_place_in_the_text() {
        let a = details(r#"{"year:asc":{"order":1,"value":1.0},"words":{"order":0,"score":0.5}}"#);
        let b = details(r#"{"year:asc":{"order":1,"value":2.0},"words":{"order":0,"score":1.0}}"#);
        assert_eq!(a.order(&b), Ordering::Greater);
    }

    #[test]
    fn the_longer_details_win_a_tie() {
        let long = details(r#"{"words":{"order":0,"score":1.0},"typo":{"order":1,"score":1.0}}"#);
        let short = details(r#"{"words":{"order":0,"score":1.0}}"#);
        assert_eq!(long.order(&short), Ordering::Less);
    }

    #[test]
    fn hits_part_at_a_rule() {
        let rules = |field: f64, position: f64, year: u32| {
            format!(
                r#"{{"words":{{"order":0,"score":1.0}},"attribute":{{"order":1,"attributeRankingOrderScore":{field},"queryWordDistanceScore":{position},"score":0.5}},"year:asc":{{"order":2,"value":{year}.0}}}}"#
            )
        };
        let first = rules(1.0, 1.0, 1);
        let at = |other: &str| details(&first).parts_at(&details(other));
        assert_eq!(at(&first), None);
        assert_eq!(at(&rules(0.5, 0.1, 2)), Some(1));
        assert_eq!(at(&rules(1.0, 0.1, 2)), Some(2));
        assert_eq!(at(&rules(1.0, 1.0, 2)), Some(3));
    }

    #[test]
    fn hybrid_hits_meet_by_weighted_score() {
        let weights = Weights { semantic: 0.25, keyword: 0.75 };
        let keyword = details(WORDS);
        let vector = details(r#"{"vectorSort":{"order":0,"similarity":0.9}}"#);
        assert_eq!(keyword.order_hybrid(0.5, &vector, 0.9, weights), Ordering::Less);
        assert_eq!(keyword.order_hybrid(0.2, &vector, 0.9, weights), Ordering::Greater);
        assert_eq!(keyword.order_hybrid(0.3, &vector, 0.9, weights), Ordering::Greater);
        assert!(vector.is_semantic() && !keyword.is_semantic());
    }
}
