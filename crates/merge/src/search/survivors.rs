//! Which documents are left under `distinct`, told from all documents that the search finds.

use std::ops::{ControlFlow, Range};

use bytes::Bytes;

use super::{
    answer::{Answer, Ranking},
    distinct::{Distinct, Key, Values},
    spec::{SearchSpec, Window},
};
use crate::{MergeError, keys::Details, kway::merge, record::Shape};

/// A document that the search finds.
struct Candidate<'a> {
    node: usize,
    text: &'a [u8],
    sequence: &'a [u8],
    keys: Vec<Key<'a>>,
    /// The values of which these are the keys.
    values: Vec<&'a [u8]>,
    /// At which rule it parts from the one before it; none where no rule tells them apart.
    parts_at: Option<usize>,
}

/// Documents, with the nodes they are from.
pub(crate) type Documents<'a> = Vec<(usize, &'a [u8])>;

/// A document that is left.
pub(crate) struct Left<'a> {
    /// Its place in the order of insertion.
    pub(crate) sequence: &'a [u8],
    pub(crate) node: usize,
    pub(crate) text: &'a [u8],
}

/// The documents that one node with all documents would be left with, in the order of insertion; `None` where an answer
/// does not hold all that its node found. Without `distinct`, all are left.
///
/// A node goes through the hits in buckets that no rule tells apart, until it has the page; of each bucket it keeps the
/// documents that come first by insertion and share no value with one kept before. Of all documents after these buckets,
/// the order of insertion alone decides. In a [legacy search](SearchSpec::legacy_search), what lies before the page is not
/// ordered by more rules than it takes to know that.
pub(super) fn survivors<'a>(
    surveyed: &'a [Bytes],
    spec: &SearchSpec,
) -> Result<Option<Documents<'a>>, MergeError> {
    let left = left(surveyed, spec)?;
    Ok(left.map(|left| left.into_iter().map(|left| (left.node, left.text)).collect()))
}

/// [`survivors`], with their places.
pub(crate) fn left<'a>(
    surveyed: &'a [Bytes],
    spec: &SearchSpec,
) -> Result<Option<Vec<Left<'a>>>, MergeError> {
    let Some((mut candidates, _)) = candidates(surveyed, spec.distinct.as_deref())? else { return Ok(None) };
    if spec.distinct.is_none() {
        candidates.sort_by_key(|candidate| candidate.sequence);
        return Ok(Some(candidates.iter().map(Candidate::left).collect()));
    }
    let (from, end) = reach(spec);
    let mut rounds = Rounds {
        candidates: &candidates,
        gone: vec![false; candidates.len()],
        from,
        end,
        distinct: Distinct::default(),
        kept: Vec::new(),
    };
    // What lies behind all documents is not looked for.
    if candidates.len() >= from {
        rounds.run(0..candidates.len(), 0);
    }
    let met_twice = rounds.met_twice(spec);
    rounds.take((0..candidates.len()).collect());
    let kept = rounds.kept.iter().filter(|at| !met_twice.contains(at));
    let mut kept: Vec<&Candidate<'_>> = kept.filter_map(|at| candidates.get(*at)).collect();
    kept.sort_by_key(|candidate| candidate.sequence);
    Ok(Some(kept.into_iter().map(Candidate::left).collect()))
}

impl<'a> Candidate<'a> {
    fn left(&self) -> Left<'a> {
        Left { sequence: self.sequence, node: self.node, text: self.text }
    }
}

/// How many hits a node leaves out by whole buckets, and up to how many it looks for.
fn reach(spec: &SearchSpec) -> (usize, usize) {
    let Window { skip, take } = if spec.legacy_search { spec.window() } else { spec.paging.window() };
    let end = if take == 0 { 0 } else { skip.saturating_add(take) };
    if spec.legacy_search { (skip, end) } else { (0, end.min(spec.max_total_hits.unwrap_or(usize::MAX))) }
}

/// The documents that one node with all documents would count for a search of which `looked_for` hits are looked for, or all:
/// of what lies behind these it leaves out what shares a value with one of them. In the order of insertion; `None` where an
/// answer does not hold all that its node found.
pub(crate) fn counted<'a>(
    surveyed: &'a [Bytes],
    distinct: &str,
    looked_for: Option<usize>,
) -> Result<Option<Documents<'a>>, MergeError> {
    let Some((mut candidates, has_rules)) = candidates(surveyed, Some(distinct))? else { return Ok(None) };
    if looked_for.is_none() || !has_rules {
        candidates.sort_by_key(|candidate| candidate.sequence);
    }
    let mut rounds = Rounds {
        candidates: &candidates,
        gone: vec![false; candidates.len()],
        from: 0,
        end: looked_for.unwrap_or(usize::MAX),
        distinct: Distinct::default(),
        kept: Vec::new(),
    };
    match looked_for {
        Some(_) if has_rules => rounds.run(0..candidates.len(), 0),
        // One after another, as no rule makes buckets of them.
        _ => (0..candidates.len()).take_while(|at| rounds.keeps(*at)).for_each(drop),
    }
    let rest = (0..candidates.len()).filter(|at| !rounds.is_gone(*at));
    let mut left: Vec<&Candidate<'_>> =
        rounds.kept.iter().copied().chain(rest).filter_map(|at| candidates.get(at)).collect();
    left.sort_by_key(|candidate| candidate.sequence);
    Ok(Some(left.into_iter().map(|candidate| (candidate.node, candidate.text)).collect()))
}

/// The documents, and whether any rule orders them.
fn candidates<'a>(
    surveyed: &'a [Bytes],
    distinct: Option<&str>,
) -> Result<Option<(Vec<Candidate<'a>>, bool)>, MergeError> {
    let mut shape = Shape::of_hit(&[], &[], None);
    shape.watch = distinct;
    let opened: Result<Vec<_>, _> = surveyed
        .iter()
        .enumerate()
        .map(|(node, text)| Answer::open(node, text, &shape, Ranking::Rules))
        .collect();
    let mut opened = opened?;
    let mut candidates: Vec<Candidate<'a>> = Vec::new();
    let mut before: Option<Details<'a>> = None;
    merge(&mut opened, |answer| {
        let details = answer.details()?;
        let parts_at = before.as_ref().and_then(|before| before.parts_at(details));
        if parts_at.is_some() || before.is_none() {
            before = Some(details.clone());
        }
        let record = answer.record();
        candidates.push(Candidate {
            node: answer.node(),
            text: record.text(),
            sequence: record.sequence(),
            keys: record.watched().iter().filter_map(|value| Key::read(value)).collect(),
            values: record.watched().to_vec(),
            parts_at,
        });
        Ok(ControlFlow::Continue(()))
    })?;
    let mut found = 0;
    for answer in &mut opened {
        found += answer.close()?.total.unwrap_or(u64::MAX);
    }
    let has_rules = before.is_some_and(|details| !details.is_empty());
    Ok((found == candidates.len() as u64).then_some((candidates, has_rules)))
}

/// The buckets, one after another.
struct Rounds<'c, 'a> {
    candidates: &'c [Candidate<'a>],
    /// Kept, or left out for one that was.
    gone: Vec<bool>,
    /// How many hits are left out by whole buckets, and how many come up to the end of the page.
    from: usize,
    end: usize,
    distinct: Distinct<'a>,
    kept: Vec<usize>,
}

impl Rounds<'_, '_> {
    /// The buckets of a run of hits that the rules before this one do not tell apart.
    fn run(&mut self, run: Range<usize>, rule: usize) {
        let mut start = run.start;
        while start < run.end && self.kept.len() < self.end {
            let rest = self.candidates.get(start + 1..run.end).unwrap_or_default();
            let same = rest.iter().take_while(|next| next.parts_at.is_none_or(|at| at > rule)).count();
            let bucket = start..start + 1 + same;
            start = bucket.end;
            let parts = self.candidates.get(bucket.start + 1..bucket.end).unwrap_or_default();
            let left: Vec<usize> = bucket.clone().filter(|at| !self.is_gone(*at)).collect();
            let is_whole = parts.iter().all(|next| next.parts_at.is_none());
            if is_whole || self.kept.len() + left.len() < self.from {
                self.take(left);
            } else {
                self.run(bucket, rule + 1);
            }
        }
    }

    /// Of the hits up to the end of the page, those that are left out in the end as hits are compared once more.
    fn met_twice(&self, spec: &SearchSpec) -> Vec<usize> {
        let mut values = Values::default();
        let hits = self.kept.iter().take(self.end).copied().filter(|_| spec.distinct_twice);
        let is_met = |at: &usize| {
            let candidate = self.candidates.get(*at);
            candidate.is_some_and(|candidate| !values.keep(&candidate.values))
        };
        hits.filter(is_met).collect()
    }

    /// Decides on the next one; `false` once as many are kept as are looked for.
    fn keeps(&mut self, at: usize) -> bool {
        let looks_on = self.kept.len() < self.end;
        if looks_on {
            self.take(vec![at]);
        }
        looks_on
    }

    /// Keeps of these what shares no value with one that is kept.
    fn take(&mut self, mut bucket: Vec<usize>) {
        bucket.retain(|at| !self.is_gone(*at));
        bucket.sort_by_key(|at| self.candidates.get(*at).map(|candidate| candidate.sequence));
        for at in bucket {
            let Some(candidate) = self.candidates.get(at) else { continue };
            if self.distinct.keep_keys(&candidate.keys) {
                self.kept.push(at);
            }
            if let Some(gone) = self.gone.get_mut(at) {
                *gone = true;
            }
        }
    }

    /// Whether it was decided on, or shares a value with one that is kept.
    fn is_gone(&self, at: usize) -> bool {
        self.gone.get(at).is_none_or(|gone| *gone)
            || self.candidates.get(at).is_some_and(|candidate| self.distinct.has(&candidate.keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Paging;

    /// Hits of one node: id, group, and score of the only rule.
    fn node(hits: &[(u32, &str, f64)], total: usize) -> Bytes {
        let hits = hits.iter().map(|(id, group, score)| {
            serde_json::json!({
                "id": id, "group": group, "_miroir": {"n": format!("{id:03}")},
                "_rankingScoreDetails": {"words": {"order": 0, "score": score}},
            })
        });
        let hits = serde_json::Value::from_iter(hits);
        format!(r#"{{"hits":{hits},"query":"x","totalHits":{total}}}"#).into()
    }

    fn left(nodes: &[Bytes], page: usize, hits_per_page: usize) -> Option<Vec<u64>> {
        left_by(false, nodes, page, hits_per_page)
    }

    fn left_by(legacy_search: bool, nodes: &[Bytes], page: usize, hits_per_page: usize) -> Option<Vec<u64>> {
        let spec = SearchSpec {
            paging: Paging::Page { page, hits_per_page },
            distinct: Some("group".to_owned()),
            legacy_search,
            ..SearchSpec::default()
        };
        let id = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).unwrap()["id"].as_u64();
        let left = survivors(nodes, &spec).unwrap()?;
        Some(left.into_iter().filter_map(|(_, text)| id(text)).collect())
    }

    #[test]
    fn the_best_on_the_page_and_the_first_behind_it_are_left() {
        let nodes = [
            node(&[(5, "a", 1.0), (1, "b", 0.5), (2, "c", 0.4)], 3),
            node(&[(3, "b", 0.9), (4, "c", 0.8), (0, "a", 0.1)], 3),
        ];
        // No page: the first of each.
        assert_eq!(left(&nodes, 1, 0), Some(vec![0, 1, 2]));
        assert_eq!(left(&nodes, 1, 1), Some(vec![1, 2, 5]));
        assert_eq!(left(&nodes, 1, 2), Some(vec![2, 3, 5]));
        assert_eq!(left(&nodes, 1, 9), Some(vec![3, 4, 5]));
        assert_eq!(left(&nodes, 3, 3), Some(vec![3, 4, 5]));
        assert_eq!(left(&nodes, 8, 1), Some(vec![3, 4, 5]));
        // A page that is skipped to, and begins behind all documents.
        assert_eq!(left_by(true, &nodes, 8, 1), Some(vec![0, 1, 2]));
    }

    #[test]
    fn several_values_are_gone_through_as_one_node_does() {
        let hit =
            |id: u32, groups: &str| format!(r#"{{"id":{id},"group":{groups},"_miroir":{{"n":"{id:03}"}}}}"#);
        let answer = |hits: &[String]| {
            let (all, total) = (hits.join(","), hits.len());
            Bytes::from(format!(r#"{{"hits":[{all}],"query":"","totalHits":{total}}}"#))
        };
        let nodes = [answer(&[hit(1, "[1,2]"), hit(3, "3")]), answer(&[hit(2, "[2,3]"), hit(4, "[]")])];
        assert_eq!(left(&nodes, 1, 9), Some(vec![1, 3, 4]));
    }

    #[test]
    fn behind_what_is_looked_for_only_what_shares_a_value_is_left_out() {
        let counted = |nodes: &[Bytes], looked_for| {
            let id = |text: &[u8]| {
                serde_json::from_slice::<serde_json::Value>(text).unwrap()["id"].as_u64().unwrap()
            };
            let left = super::counted(nodes, "group", looked_for).unwrap().unwrap();
            left.into_iter().map(|(_, text)| id(text)).collect::<Vec<_>>()
        };
        let ranked = [
            node(&[(5, "a", 1.0), (1, "b", 0.5), (2, "c", 0.4)], 3),
            node(&[(3, "b", 0.9), (4, "c", 0.8), (0, "a", 0.1)], 3),
        ];
        assert_eq!(counted(&ranked, Some(1)), [1, 2, 3, 4, 5]);
        assert_eq!(counted(&ranked, Some(2)), [2, 3, 4, 5]);
        assert_eq!(counted(&ranked, None), [0, 1, 2]);
        let hit =
            |id: u32, group: u32| format!(r#"{{"id":{id},"group":{group},"_miroir":{{"n":"{id:03}"}}}}"#);
        let plain = |hits: &[String]| {
            let (all, total) = (hits.join(","), hits.len());
            Bytes::from(format!(r#"{{"hits":[{all}],"query":"","totalHits":{total}}}"#))
        };
        let plain = [plain(&[hit(1, 1), hit(3, 2)]), plain(&[hit(2, 1), hit(4, 2)])];
        assert_eq!(counted(&plain, Some(1)), [1, 3, 4]);
        assert_eq!(counted(&plain, Some(20)), [1, 3]);
    }

    #[test]
    fn answers_that_are_cut_tell_nothing() {
        assert_eq!(left(&[node(&[(1, "a", 1.0)], 2)], 1, 9), None);
    }
}
