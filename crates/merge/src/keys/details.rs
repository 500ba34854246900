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

/// What a hit of the one half of a hybrid search is compared by with a hit of the other.
enum Step<'d, 'a> {
    Score(f64),
    Sort(&'d Rule<'a>),
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

    /// [`order`](Self::order) for a hybrid search, given how each hit does by the rules before the first one that sorts, as one
    /// score.
    ///
    /// Hits of one half compare by their rules. A hit of the one half meets a hit of the other step by step: what the rules say
    /// between two that sort is one step, and counts as much as its half weighs.
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
        let (mut left, mut right) = (self.steps(score, weights), other.steps(other_score, weights));
        loop {
            let order = match (left.next(), right.next()) {
                // Of equals, a node takes the hit of the vectors first.
                (None, None) => return other.is_semantic().cmp(&self.is_semantic()),
                (left, right) if left.is_none() || right.is_none() => {
                    return left.is_none().cmp(&right.is_none());
                }
                (Some(Step::Score(left)), Some(Step::Score(right))) => {
                    let is_same = (left - right).abs() <= f64::EPSILON;
                    if is_same {
                        Ordering::Equal
                    } else {
                        right.partial_cmp(&left).unwrap_or(Ordering::Equal)
                    }
                }
                (Some(Step::Sort(left)), Some(Step::Sort(right))) => left.order(right),
                (Some(Step::Score(score)), _) => {
                    if score == 0.0 {
                        Ordering::Greater
                    } else {
                        Ordering::Less
                    }
                }
                (_, Some(Step::Score(score))) => {
                    if score == 0.0 {
                        Ordering::Less
                    } else {
                        Ordering::Greater
                    }
                }
                _ => Ordering::Equal,
            };
            if order.is_ne() {
                return order;
            }
        }
    }

    /// What a hit is compared by with one of the other half; `first` is the score of the first step that has one by words.
    /// Later ones are not known, and taken for the same.
    fn steps(&self, first: f64, weights: Weights) -> impl Iterator<Item = Step<'_, 'a>> {
        let mut next = first * weights.keyword;
        let mut in_words = false;
        self.rules.iter().filter_map(move |placed| match &placed.rule {
            Rule::Vector(similarity) => Some(Step::Score(similarity * weights.semantic)),
            rule @ (Rule::Sort { .. } | Rule::Geo { .. }) => {
                in_words = false;
                Some(Step::Sort(rule))
            }
            _ if in_words => None,
            _ => {
                in_words = true;
                Some(Step::Score(std::mem::replace(&mut next, weights.keyword)))
            }
        })
    }

    /// Whether the hit was found by its vector.
    pub(crate) fn is_semantic(&self) -> bool {
        self.rules.iter().any(|placed| matches!(placed.rule, Rule::Vector(_)))
    }

    /// How near the hit's vector is, where that is the first rule, and whether others follow.
    pub(crate) fn nearness(&self) -> Option<(f64, bool)> {
        match self.rules.as_slice() {
            [Placed { rule: Rule::Vector(similarity), .. }, others @ ..] => {
                Some((*similarity, !others.is_empty()))
            }
            _ => None,
        }
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
        let vector =
            details(r#"{"vectorSort":{"order":0,"similarity":0.9},"year:desc":{"order":1,"value":2000.0}}"#);
        assert_eq!(keyword.order_hybrid(0.5, &vector, 0.9, weights), Ordering::Less);
        assert_eq!(keyword.order_hybrid(0.2, &vector, 0.9, weights), Ordering::Greater);
        assert_eq!(keyword.order_hybrid(0.3, &vector, 0.9, weights), Ordering::Greater);
        assert!(vector.is_semantic() && !keyword.is_semantic());
    }

    #[test]
    fn hybrid_hits_with_the_same_score_meet_by_what_sorts() {
        let weights = Weights { semantic: 0.5, keyword: 0.5 };
        let keyword = details(
            r#"{"words":{"order":0,"score":1.0},"year:desc":{"order":1,"value":2000.0},"exactness":{"order":2,"score":0.1}}"#,
        );
        let vector = |year: u32| {
            format!(
                r#"{{"vectorSort":{{"order":0,"similarity":1.0}},"year:desc":{{"order":1,"value":{year}.0}}}}"#
            )
        };
        let order = |year| keyword.order_hybrid(1.0, &details(&vector(year)), 1.0, weights);
        assert_eq!((order(1999), order(2001)), (Ordering::Less, Ordering::Greater));
        assert_eq!(order(2000), Ordering::Less, "what was looked at more closely");
        let text = vector(2000);
        let same = details(&text);
        let short = details(WORDS);
        assert_eq!(
            short.order_hybrid(1.0, &same, 1.0, weights),
            Ordering::Greater,
            "of equals, the vector's"
        );
        assert_eq!(same.order_hybrid(1.0, &short, 1.0, weights), Ordering::Less);
    }
}
