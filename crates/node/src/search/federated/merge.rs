//! One order for the documents that several searches found.

use std::cmp::Ordering;
use std::collections::VecDeque;

use milli_core::DocumentId;
use milli_core::score_details::{ScoreDetails, WeightedScoreValue, compare_sort_values};

use crate::search::score::global_score;

/// A document that a query found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scored {
    /// Which of the queries found it.
    pub(super) position: usize,
    pub(super) document: DocumentId,
    pub(super) scores: Vec<ScoreDetails>,
    /// What the query's scores are multiplied by.
    pub(super) weight: f64,
}

/// Merges lists that are in order already, best first.
pub(super) fn merge(lists: Vec<Vec<Scored>>) -> impl Iterator<Item = Scored> {
    let mut lists: Vec<VecDeque<Scored>> = lists.into_iter().map(VecDeque::from).collect();
    std::iter::from_fn(move || {
        let heads = lists.iter().enumerate().filter_map(|(list, hits)| Some((list, hits.front()?)));
        let (best, _) = heads.reduce(|best, next| if next.1.beats(best.1) { next } else { best })?;
        lists[best].pop_front()
    })
}

impl Scored {
    /// The weighted score as one number.
    pub(super) fn score(&self) -> f64 {
        global_score(&self.scores) * self.weight
    }

    /// Whether the document was found by meaning.
    pub(super) fn is_semantic(&self) -> bool {
        self.scores.iter().any(|score| matches!(score, ScoreDetails::Vector(_)))
    }

    /// What the document is weighed with, one step of the comparison after another.
    pub(super) fn values(&self) -> impl Iterator<Item = WeightedScoreValue> + '_ {
        ScoreDetails::weighted_score_values(self.scores.iter(), self.weight)
    }

    /// Whether this comes before the other; the earlier query wins when they are as good as each other.
    fn beats(&self, other: &Self) -> bool {
        let order = compare(self.values(), other.values());
        let order = order.or_else(|| self.score().partial_cmp(&other.score())).unwrap_or(Ordering::Equal);
        order.then_with(|| other.position.cmp(&self.position)).is_gt()
    }
}

/// Compares value by value; `None` when values cannot be compared and as many follow on both sides.
fn compare(
    mut left: impl Iterator<Item = WeightedScoreValue>,
    mut right: impl Iterator<Item = WeightedScoreValue>,
) -> Option<Ordering> {
    loop {
        let (left_value, right_value) = match (left.next(), right.next()) {
            (None, None) => return Some(Ordering::Equal),
            (None, Some(_)) => return Some(Ordering::Less),
            (Some(_), None) => return Some(Ordering::Greater),
            (Some(left), Some(right)) => (left, right),
        };
        match compare_values(&left_value, &right_value) {
            Some(Ordering::Equal) => {}
            Some(order) => return Some(order),
            // Rules of different kinds: the side that goes by more of them wins.
            None => return Some(left.count().cmp(&right.count())).filter(|order| order.is_ne()),
        }
    }
}

/// Compares two values; `None` when they are of different kinds, or sorted in different directions.
fn compare_values(left: &WeightedScoreValue, right: &WeightedScoreValue) -> Option<Ordering> {
    use WeightedScoreValue as V;
    match (left, right) {
        (V::WeightedScore(left) | V::VectorSort(left), V::WeightedScore(right) | V::VectorSort(right)) => {
            Some(compare_numbers(*left, *right))
        }
        (V::Sort { asc, value: left }, V::Sort { asc: other, value: right }) if asc == other => {
            Some(compare_sort_values(*asc, left, right))
        }
        (V::GeoSort { asc, distance: left }, V::GeoSort { asc: other, distance: right }) if asc == other => {
            Some(match (left, right) {
                // As Meilisearch does it: the farther one wins, whichever the direction.
                (Some(left), Some(right)) => compare_numbers(*left, *right),
                (left, right) => left.is_some().cmp(&right.is_some()),
            })
        }
        _ => None,
    }
}

fn compare_numbers(left: f64, right: f64) -> Ordering {
    match (left - right).abs() <= f64::EPSILON {
        true => Ordering::Equal,
        false => left.total_cmp(&right),
    }
}

#[cfg(test)]
mod tests {
    use milli_core::score_details::{ExactWords, ScoreDetails, Sort};
    use serde_json::json;

    use super::{Scored, merge};

    fn scored(position: usize, document: u32, weight: f64, scores: Vec<ScoreDetails>) -> Scored {
        Scored { position, document, scores, weight }
    }

    fn words(matching: u32) -> ScoreDetails {
        ScoreDetails::ExactWords(ExactWords { matching_words: matching, max_matching_words: 9 })
    }

    fn sort(value: u32) -> ScoreDetails {
        let value = json!(value);
        ScoreDetails::Sort(Sort { field_name: "year".to_owned(), ascending: true, redacted: false, value })
    }

    fn order(lists: Vec<Vec<Scored>>) -> Vec<u32> {
        merge(lists).map(|hit| hit.document).collect()
    }

    #[test]
    fn better_weighted_scores_come_first() {
        let strong = vec![scored(0, 1, 1.0, vec![words(8)]), scored(0, 2, 1.0, vec![words(2)])];
        let weak = vec![scored(1, 3, 0.5, vec![words(9)]), scored(1, 4, 0.5, vec![words(1)])];
        assert_eq!(order(vec![weak, strong]), [1, 3, 2, 4]);
    }

    #[test]
    fn earlier_query_wins_a_tie() {
        let first = vec![scored(0, 1, 1.0, vec![words(5)])];
        let second = vec![scored(1, 2, 1.0, vec![words(5)])];
        assert_eq!(order(vec![second, first]), [1, 2]);
    }

    #[test]
    fn sorted_values_decide_between_equal_scores() {
        let late = vec![scored(0, 1, 1.0, vec![words(5), sort(1999)])];
        let early = vec![scored(1, 2, 1.0, vec![words(5), sort(1950)])];
        assert_eq!(order(vec![late, early]), [2, 1]);
    }

    #[test]
    fn more_rules_win_over_rules_of_another_kind() {
        let short = vec![scored(0, 1, 1.0, vec![words(9)])];
        let long = vec![scored(1, 2, 1.0, vec![sort(1), words(1)])];
        assert_eq!(order(vec![short, long]), [2, 1]);
    }
}
