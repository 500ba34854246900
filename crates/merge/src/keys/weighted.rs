//! How hits of two queries compare.

use std::cmp::Ordering;

use super::{Details, rule::Rule};

/// A hit's query's weight, and the weighted score of the hit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weighted {
    pub(crate) weight: f64,
    pub(crate) score: f64,
}

/// A run of rules that a node weighs as one score, or a rule that sorts.
type Step<'d, 'a> = &'d [(u64, Rule<'a>)];

impl Details<'_> {
    /// Which hit comes first (`Less`): step by step, with weighted scores. Steps that do not compare leave it to the number
    /// of steps that follow, then to the score.
    pub(crate) fn order_weighted(&self, own: Weighted, other: &Self, others: Weighted) -> Ordering {
        let by_score = higher(own.score, others.score);
        let (mut left, mut right) = (steps(self.rules()), steps(other.rules()));
        let mut is_first = true;
        loop {
            let order = match (left.next(), right.next()) {
                (None, None) => return Ordering::Equal,
                (None, Some(_)) => return Ordering::Greater,
                (Some(_), None) => return Ordering::Less,
                (Some(ours), Some(theirs)) if is_run(ours) && is_run(theirs) => {
                    let is_all =
                        is_first && ours.len() == self.rules().len() && theirs.len() == other.rules().len();
                    let by_rules = compare_runs(ours, own.weight, theirs, others.weight);
                    // What a run weighs is not told. The first one weighs nearly as much as the whole.
                    Some(if is_all || (is_first && by_rules.is_ne()) { by_score } else { by_rules })
                }
                (Some([(_, ours), ..]), Some([(_, theirs), ..])) => compare_sorts(ours, theirs),
                (Some(_), Some(_)) => None,
            };
            is_first = false;
            match order {
                Some(Ordering::Equal) => {}
                Some(order) => return order,
                None => return right.count().cmp(&left.count()).then(by_score),
            }
        }
    }
}

fn steps<'d, 'a>(rules: &'d [(u64, Rule<'a>)]) -> impl Iterator<Item = Step<'d, 'a>> {
    rules.chunk_by(|(_, left), (_, right)| left.score().is_some() && right.score().is_some())
}

fn is_run(step: Step<'_, '_>) -> bool {
    step.iter().all(|(_, rule)| rule.score().is_some())
}

/// Rule by rule. More rules come first.
fn compare_runs(left: Step<'_, '_>, weight: f64, right: Step<'_, '_>, other_weight: f64) -> Ordering {
    let scores = |step: Step<'_, '_>, weight: f64| {
        let rules = step.iter().flat_map(|(_, rule)| match rule {
            Rule::Attribute { field, position } => [Some(*field), Some(*position)],
            rule => [rule.score(), None],
        });
        rules.flatten().map(|score| score * weight).collect::<Vec<_>>()
    };
    let (left, right) = (scores(left, weight), scores(right, other_weight));
    let pairs = left.iter().zip(&right);
    let order = pairs.map(|(left, right)| higher(*left, *right)).find(|order| order.is_ne());
    order.unwrap_or_else(|| right.len().cmp(&left.len()))
}

/// `None` where the rules say nothing about each other.
fn compare_sorts(left: &Rule<'_>, right: &Rule<'_>) -> Option<Ordering> {
    match (left, right) {
        (Rule::Sort { ascending, value }, Rule::Sort { ascending: other_ascending, value: other }) => {
            (ascending == other_ascending).then(|| value.order(other, *ascending))
        }
        (Rule::Geo { ascending, distance }, Rule::Geo { ascending: other_ascending, distance: other }) => {
            // Between queries, Meilisearch puts what is farther away first, whatever the direction.
            (ascending == other_ascending).then(|| match (distance, other) {
                (Some(distance), Some(other)) => higher(*distance, *other),
                (distance, other) => other.is_some().cmp(&distance.is_some()),
            })
        }
        _ => None,
    }
}

/// The higher one comes first; what differs by a rounding error is equal.
fn higher(left: f64, right: f64) -> Ordering {
    if (left - right).abs() <= f64::EPSILON {
        return Ordering::Equal;
    }
    right.partial_cmp(&left).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(left: (&str, f64, f64), right: (&str, f64, f64)) -> Ordering {
        let (mut own, mut other) = (Details::default(), Details::default());
        own.read(left.0.as_bytes()).unwrap();
        other.read(right.0.as_bytes()).unwrap();
        let weighted = |(_, weight, score): (&str, f64, f64)| Weighted { weight, score };
        own.order_weighted(weighted(left), &other, weighted(right))
    }

    #[test]
    fn scores_alone_are_one_score() {
        let low = r#"{"words":{"order":0,"score":0.5},"typo":{"order":1,"score":1.0}}"#;
        let high = r#"{"words":{"order":0,"score":1.0},"typo":{"order":1,"score":0.1}}"#;
        assert_eq!(order((low, 1.0, 0.7), (high, 1.0, 0.6)), Ordering::Less);
        assert_eq!(order((low, 1.0, 0.6), (high, 1.0, 0.6)), Ordering::Equal);
        // Who was not scored comes last.
        assert_eq!(order((low, 1.0, 0.6), ("{}", 1.0, 1.0)), Ordering::Less);
        assert_eq!(order(("{}", 1.0, 1.0), ("{}", 2.0, 2.0)), Ordering::Equal);
    }

    #[test]
    fn sort_values_compare_where_the_direction_is_the_same() {
        let rules = |rule: &str| {
            format!(r#"{{"words":{{"order":0,"score":1.0}},"{rule},"t":{{"order":2,"score":1.0}}}}"#)
        };
        let year =
            |year: u32, order: &str| rules(&format!(r#"year:{order}":{{"order":1,"value":{year}.0}}"#));
        let (old, new) = (year(1990, "asc"), year(2000, "asc"));
        assert_eq!(order((&old, 1.0, 0.1), (&new, 1.0, 0.9)), Ordering::Less);
        // Where the first scores differ, the whole does.
        assert_eq!(order((&old, 0.5, 0.1), (&new, 1.0, 0.9)), Ordering::Greater);
        let down = year(2000, "desc");
        assert_eq!(order((&old, 1.0, 0.1), (&down, 1.0, 0.9)), Ordering::Greater);
    }

    #[test]
    fn the_farther_one_comes_first() {
        let at = |distance: u32| {
            format!(r#"{{"_geoPoint(1, 2):asc":{{"order":0,"value":{{}},"distance":{distance}.0}}}}"#)
        };
        assert_eq!(order((&at(5), 1.0, 1.0), (&at(7), 1.0, 1.0)), Ordering::Greater);
    }
}
