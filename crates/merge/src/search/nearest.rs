//! Which of several documents that are equally near to a vector a search finds, where another rule orders them.
//!
//! A node looks for as many of the nearest documents as the page needs, of equals for those that came first, and only then puts
//! equals into the order of the other rules. So where the last of them are equally near, which ones are found is a question
//! about the documents of all nodes.

use std::{cmp::Ordering, ops::ControlFlow};

use bytes::Bytes;

use super::{
    answer::{Answer, Ranking, order_sequences},
    spec::SearchSpec,
};
use crate::{MergeError, kway::merge, record::Shape};

/// The last one that is found of those that are as near as it.
pub(super) struct Last<'a> {
    similarity: f64,
    sequence: &'a [u8],
}

impl<'a> Last<'a> {
    /// From the nodes' answers for their nearest documents; `None` where it leaves none out.
    pub(super) fn of(answers: &'a [Bytes], spec: &SearchSpec) -> Result<Option<Self>, MergeError> {
        let needed = spec.node_limit();
        if spec.semantic_ratio.is_none() || spec.distinct.is_some() || spec.pinned || needed == 0 {
            return Ok(None);
        }
        let shape = Shape::of_hit(&[], &[], None);
        let opened =
            answers.iter().enumerate().map(|(node, text)| Answer::open(node, text, &shape, Ranking::Rules));
        let mut opened = opened.collect::<Result<Vec<_>, _>>()?;
        let (mut found, mut is_ordered) = (Vec::new(), false);
        merge(&mut opened, |answer| {
            let (similarity, goes_on) = answer.details()?.nearness().unwrap_or_default();
            if similarity > 0.0 {
                found.push(Self { similarity, sequence: answer.record().sequence() });
                is_ordered |= goes_on;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if !is_ordered || found.len() <= needed {
            return Ok(None);
        }
        found.sort_by(Self::order);
        let next = found.get(needed).map(|next| next.similarity);
        let last = found.into_iter().nth(needed - 1);
        Ok(last.filter(|last| next == Some(last.similarity)))
    }

    /// Whether a document is not found.
    pub(super) fn leaves_out(&self, similarity: f64, sequence: &[u8]) -> bool {
        self.order(&Last { similarity, sequence }).is_lt() && similarity >= self.similarity
    }

    fn order(&self, other: &Last<'_>) -> Ordering {
        let nearer = other.similarity.partial_cmp(&self.similarity).unwrap_or(Ordering::Equal);
        nearer.then_with(|| order_sequences(self.sequence, other.sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Paging, merge_search};

    fn answer(hits: &[(u32, f64, u32)]) -> Bytes {
        let hits = hits.iter().map(|(id, similarity, year)| {
            format!(
                r#"{{"id":{id},"_miroir":{{"n":"{id:03}"}},"_rankingScore":{similarity},"_rankingScoreDetails":{{"vectorSort":{{"order":0,"similarity":{similarity}}},"year:asc":{{"order":1,"value":{year}}}}}}}"#
            )
        });
        let hits = hits.collect::<Vec<_>>().join(",");
        format!(r#"{{"hits":[{hits}],"query":"","estimatedTotalHits":9}}"#).into()
    }

    #[test]
    fn of_equally_near_documents_the_first_are_found_and_then_ordered() {
        let answers = [
            answer(&[(1, 0.9, 5), (6, 0.5, 1), (3, 0.5, 3)]),
            answer(&[(5, 0.5, 2), (2, 0.5, 4), (4, 0.4, 0)]),
        ];
        let ids = |limit: usize| {
            let spec = SearchSpec {
                paging: Paging::Window { offset: 0, limit },
                semantic_ratio: Some(1.0),
                ..SearchSpec::default()
            };
            let merged: serde_json::Value =
                serde_json::from_slice(&merge_search(&answers, &spec).unwrap()).unwrap();
            let hits = merged["hits"].as_array().unwrap().iter();
            hits.map(|hit| hit["id"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(ids(3), [1, 3, 2]);
        assert_eq!(ids(4), [1, 5, 3, 2]);
        assert_eq!(ids(5), [1, 6, 5, 3, 2]);
        assert_eq!(ids(6), [1, 6, 5, 3, 2, 4]);
    }
}
